use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::{Clock, Role};

/// The authorization of the questions.
const AUTHORIZATION: &str = "bench+authorization";

/// The life of keys.
const LIFE: Duration = Duration::from_secs(3600);

/// The endpoint from which a function gets its keys under SnapStart.
#[derive(Debug)]
pub struct KeysEndpoint {
    address: String,
    questions: Arc<AtomicUsize>,
    server: AbortHandle,
}

impl KeysEndpoint {
    /// Starts the endpoint of a role.
    pub async fn start(role: &Role, clock: &Clock) -> Self {
        let questions = Arc::new(AtomicUsize::new(0));
        let (role, clock, count) = (role.clone(), clock.clone(), questions.clone());
        let answer = async move |headers: HeaderMap| {
            let authorization = headers.get("authorization");
            if authorization.is_none_or(|it| it != AUTHORIZATION) {
                return (StatusCode::FORBIDDEN, String::new());
            }
            count.fetch_add(1, Ordering::Relaxed);
            let (keys, until) = (role.keys(), clock.now() + LIFE);
            let keys = json!({
                "AccessKeyId": keys.id,
                "SecretAccessKey": keys.secret,
                "Token": keys.session_token,
                "Expiration": humantime::format_rfc3339_seconds(until).to_string(),
            });
            (StatusCode::OK, keys.to_string())
        };
        let router = Router::new().route("/v2/credentials", get(answer));
        let (port, server) = serve(router).await;
        Self {
            address: format!("http://127.0.0.1:{port}/v2/credentials"),
            questions,
            server,
        }
    }

    /// Returns the variables that Lambda sets.
    pub fn variables(&self) -> [(&'static str, &str); 2] {
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &self.address),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", AUTHORIZATION),
        ]
    }

    /// Returns the number of questions that were answered.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

impl Drop for KeysEndpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves HTTP on a port of the loopback interface.
pub(super) async fn serve(router: Router) -> (u16, AbortHandle) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::host::free_port())).await;
    let listener = listener.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (port, server.abort_handle())
}
