//! The function that runs the statements of its request: the binary `field_function`.

use lambda_bench::lambda::{Answer, Event};
use serde_json::Value;

use super::{Function, program};
use crate::function::server::Server;

impl Function {
    /// Starts the binary `field_function`, whose variable `SOURCE` selects the settings.
    pub async fn start_scripted(server: &impl Server, source: &str) -> Self {
        let env = [
            ("SOURCE", source),
            super::LOGGED[0],
            super::LOGGED[1],
            super::LOGGED[2],
        ];
        Self::start_program(program("field_function"), server, &env).await
    }

    /// Runs statements, one a line, and waits for the freeze that follows. The path is `/conn`,
    /// `/tx` or `/pool`, with parameters.
    pub async fn script(&self, path: &str, statements: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::post(path, statements)).await;
        self.sandbox.frozen().await;
        answer
    }

    /// Returns the first column of the last statement's rows.
    pub async fn rows(&self, path: &str, statements: &str) -> Vec<Value> {
        let answer = self.script(path, statements).await;
        let json = answer.ok().json();
        json["rows"].as_array().expect("rows").clone()
    }
}
