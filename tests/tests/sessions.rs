//! What the server is told of a session: whose it is, and when to end it.

mod function;

use function::Function;
use function::server::Server;
use reuse_db_tests::servers::Postgres;

async fn name(server: &Postgres, env: &[(&str, &str)], path: &str) -> String {
    let function = Function::start_with(server, env).await;
    function.invoke(path).await.ok();
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions[0].application_name.clone()
}

#[tokio::test]
async fn a_session_is_named_after_its_function_and_sandbox() {
    let server = <Postgres as Server>::launch().await;
    for path in ["/add?n=1", "/own-pool?n=1", "/write-to-any"] {
        // The emulator's log stream is `2026/01/01/[$LATEST]bench`.
        assert_eq!(name(&server, &[], path).await, "bench/bench", "{path}");
    }
}

#[tokio::test]
async fn unless_it_has_a_name_of_the_users_own() {
    let server = <Postgres as Server>::launch().await;
    let url = format!("{}?application_name=mine", server.url());
    assert_eq!(
        name(&server, &[("DATABASE_URL", &url)], "/add?n=1").await,
        "mine"
    );
    assert_eq!(
        name(&server, &[("DATABASE_URL", &url)], "/write-to-any").await,
        "mine"
    );
    assert_eq!(
        name(&server, &[("PGAPPNAME", "ours")], "/add?n=1").await,
        "ours"
    );
}
