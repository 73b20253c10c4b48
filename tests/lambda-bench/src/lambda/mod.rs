//! A Lambda sandbox for a function binary: the Runtime API, the Extensions API, and the freeze
//! between invocations.
//!
//! ```no_run
//! # async fn example() {
//! use lambda_bench::lambda::{Event, Sandbox};
//!
//! let sandbox = Sandbox::builder("target/debug/visits").env("DATABASE_URL", "postgres://…").start().await;
//! let answer = sandbox.invoke(Event::get("/count?page=home")).await;
//! assert_eq!(answer.ok().json()["visits"], 1);
//! sandbox.frozen().await;
//! # }
//! ```
//!
//! Data flows down this list: `builder` -> `sandbox` -> `instance` -> `control` (with its `state`)
//! -> `process`; `api` is the function's side of `control`.

mod answer;
mod api;
mod body;
mod builder;
mod control;
mod ending;
mod event;
mod instance;
mod log;
mod process;
mod sandbox;
mod state;

pub use answer::{Answer, FunctionError, Http, Outcome};
pub use builder::Builder;
pub use event::Event;
pub use sandbox::Sandbox;
