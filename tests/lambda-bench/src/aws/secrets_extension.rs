use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::routing::get;
use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::keys_endpoint::serve;
use super::{Clock, Secrets, Stage};

/// The time for which the extension keeps an answer.
const KEPT: Duration = Duration::from_secs(300);

/// A stand-in for the AWS Parameters and Secrets Lambda Extension, beside one sandbox.
#[derive(Debug)]
pub struct SecretsExtension {
    port: u16,
    shared: Arc<Shared>,
    server: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    secrets: Secrets,
    clock: Clock,
    session_token: String,
    ready_at: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The answers, by the ID and the stage of the question.
    kept: HashMap<(String, String), (SystemTime, String)>,
    questions: usize,
}

impl SecretsExtension {
    /// Starts an extension for functions with a session token.
    pub async fn start(secrets: &Secrets, clock: &Clock, session_token: &str) -> Self {
        Self::start_late(secrets, clock, session_token, Duration::ZERO).await
    }

    /// Starts an extension that is not ready for a time.
    pub async fn start_late(
        secrets: &Secrets,
        clock: &Clock,
        session_token: &str,
        late: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            secrets: secrets.clone(),
            clock: clock.clone(),
            session_token: session_token.to_owned(),
            ready_at: Instant::now() + late,
            state: Mutex::default(),
        });
        let of_server = shared.clone();
        let answer = async move |uri: Uri, headers: HeaderMap| {
            let token = headers.get("x-aws-parameters-secrets-token");
            of_server.answer(&uri, token.map(HeaderValue::as_bytes))
        };
        let router = Router::new().route("/secretsmanager/get", get(answer));
        let (port, server) = serve(router).await;
        Self {
            port,
            shared,
            server,
        }
    }

    /// Returns the port, for `PARAMETERS_SECRETS_EXTENSION_HTTP_PORT`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of questions so far.
    pub fn questions(&self) -> usize {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).questions
    }
}

impl Drop for SecretsExtension {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn answer(&self, uri: &Uri, token: Option<&[u8]>) -> (StatusCode, String) {
        const REFUSED: StatusCode = StatusCode::BAD_REQUEST;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.questions += 1;
        if Instant::now() < self.ready_at {
            return (REFUSED, "not ready to serve traffic, please wait".into());
        }
        if token != Some(self.session_token.as_bytes()) {
            return (
                StatusCode::UNAUTHORIZED,
                "the session token is another one".into(),
            );
        }
        let query = uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let Some(id) = parameter("secretId") else {
            return (REFUSED, "missing parameter secretId".into());
        };
        let asked = parameter("versionStage").unwrap_or_default();
        let stage = match asked.as_str() {
            "" => Some(Stage::Current),
            name => Stage::named(name),
        };
        let now = self.clock.now();
        let key = (id, asked);
        if let Some((since, text)) = state.kept.get(&key)
            && now < *since + KEPT
        {
            return (StatusCode::OK, text.clone());
        }
        match stage.map(|stage| self.secrets.answer(&key.0, stage)) {
            Some(Ok(answer)) => {
                let text = answer.to_string();
                state.kept.insert(key, (now, text.clone()));
                (StatusCode::OK, text)
            }
            Some(Err((kind, text))) => {
                let error = json!({ "__type": kind, "Message": text });
                (REFUSED, error.to_string())
            }
            None => (REFUSED, "unknown stage".into()),
        }
    }
}
