//! Connecting: rejected sign-ins, limits, time-outs and files of certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_bench::lambda::{Answer, Builder, Event};
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db::{Connect, ErrorKind, Lease, Outcome, SharedLease};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, LOGGED, a_long_freeze, program};
use reuse_db_tests::statics::{exclusive, shared, source};
use reuse_db_tests::{on_each, on_each_server};
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The number of invocations that a sandbox of a Managed Instance serves at once.
const AT_ONCE: usize = 32;

const FORMS: [&str; 3] = ["/conn", "/tx", "/pool"];

/// A file with the password of the function's user.
struct Secret {
    _folder: TempDir,
    file: PathBuf,
}

impl Secret {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        let secret = Self {
            _folder: folder,
            file,
        };
        secret.set("s3cret");
        secret
    }

    fn set(&self, password: &str) {
        std::fs::write(&self.file, password).expect("a file");
    }
}

/// Starts a function whose password is in a file, or in its URL if there is no file.
async fn start(server: &impl Server, secret: Option<&Path>) -> Function {
    let file = secret.map(|file| file.display().to_string());
    let source = if secret.is_some() { "rotated" } else { "plain" };
    let env = [
        ("SOURCE", source),
        ("SECRET", file.as_deref().unwrap_or_default()),
        LOGGED[0],
        LOGGED[1],
        LOGGED[2],
    ];
    Function::start_program(program("field_function"), server, &env).await
}

/// Starts two functions for each form: a new one, and one that has a connection.
async fn new_and_warm(
    server: &impl Server,
    secret: Option<&Path>,
) -> Vec<(&'static str, Arc<Function>)> {
    let mut functions = Vec::new();
    for form in FORMS {
        functions.push((form, Arc::new(start(server, secret).await)));
        let warm = start(server, secret).await;
        assert_eq!(warm.rows(form, "select 'a'").await, ["a"]);
        functions.push((form, Arc::new(warm)));
    }
    functions
}

/// Invokes all functions at once, and waits for the freeze of each.
async fn invoke_all(functions: &[(&'static str, Arc<Function>)]) -> Vec<(&'static str, Answer)> {
    let answers = at_once(functions, "select 'b'").await;
    for (_, function) in functions {
        function.sandbox.frozen().await;
    }
    answers
}

/// Runs a statement in all functions at once.
async fn at_once(
    functions: &[(&'static str, Arc<Function>)],
    statement: &'static str,
) -> Vec<(&'static str, Answer)> {
    let invoke = |(form, function): &(&'static str, Arc<Function>)| {
        let (form, function) = (*form, Arc::clone(function));
        let event = Event::post(form, statement);
        tokio::spawn(async move { (form, function.sandbox.invoke(event).await) })
    };
    let invocations: Vec<_> = functions.iter().map(invoke).collect();
    let mut answers = Vec::new();
    for invocation in invocations {
        answers.push(invocation.await.expect("an answer"));
    }
    answers
}

/// MySQL and MariaDB count such handshakes, and block the host after 100 of them in a row.
#[tokio::test]
async fn attempts_that_time_out_leave_no_aborted_handshake_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let mut functions = Vec::new();
    for form in FORMS {
        for _ in 0..2 {
            let function = Function::start_scripted(&server, "impatient").await;
            function.proxy.delay(Duration::from_millis(50));
            functions.push((form, Arc::new(function)));
        }
    }
    let before = server.status("Aborted_connects").await;
    for (form, answer) in invoke_all(&functions).await {
        let retried = answer.ok().json()["stats"]["retried"].as_u64();
        assert!(retried >= Some(2), "{form}: {answer:?}");
    }
    sleep(Duration::from_millis(500)).await;
    // On a busy machine each of the two pools may cut off the probe for its cause.
    let aborted = server.status("Aborted_connects").await - before;
    assert!(aborted <= 2, "{aborted} of a dozen attempts");
    // On MySQL two round trips follow a transaction, which take too long here.
    let kept = if server.is_mariadb() { 6 } else { 4 };
    let sessions = server.sessions().await.len();
    assert_eq!(sessions, kept, "the others are closed");
}

#[tokio::test]
async fn the_quota_of_an_hour_is_not_waited_for_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let limit = "alter user app@'%' with max_connections_per_hour 1";
    server.execute(limit).await;
    server.execute("flush user_resources").await;
    let function = Function::start_scripted(&server, "plain").await;
    function.script("/conn", "select 'a'").await.ok();
    let function = Function::start_scripted(&server, "plain").await;
    for form in FORMS {
        let answer = function.script(form, "select 'a'").await;
        assert_eq!(answer.status(), 503, "{form}: {answer:?}");
        assert!(answer.took < Duration::from_secs(4), "{form}: {answer:?}");
    }
    assert_eq!(
        function.proxy.connections(),
        3,
        "one attempt for each invocation"
    );
}

on_each_server! {
    async fn a_rotated_password_is_waited_for(server: &impl Server) {
        let secret = Secret::new();
        let functions = new_and_warm(server, Some(&secret.file)).await;
        server.change_password("n3w").await;
        server.end_sessions().await;
        a_long_freeze().await;
        let begun = Instant::now();
        let follow = async {
            sleep(Duration::from_secs(3)).await;
            secret.set("n3w");
        };
        let (answers, ()) = tokio::join!(invoke_all(&functions), follow);
        for (form, answer) in answers {
            assert_eq!(answer.status(), 200, "{form}: {answer:?}");
        }
        assert!(begun.elapsed() >= Duration::from_secs(3));
        for (form, function) in &functions {
            let output = function.sandbox.output();
            assert!(!output.contains("n3w"), "{form}: {output}");
        }
    }

    async fn a_password_that_never_follows_is_a_503(server: &impl Server) {
        let secret = Secret::new();
        let functions = new_and_warm(server, Some(&secret.file)).await;
        server.change_password("n3w").await;
        server.end_sessions().await;
        a_long_freeze().await;
        for (form, answer) in invoke_all(&functions).await {
            assert_eq!(answer.status(), 503, "{form}: {answer:?}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
        }
        for (form, function) in &functions {
            let output = function.sandbox.output();
            assert!(output.contains("the sign-in kept failing"), "{form}: {output}");
            assert!(!output.contains("s3cret"), "{form}: {output}");
        }
        // No failure is remembered.
        secret.set("n3w");
        for (form, answer) in invoke_all(&functions).await {
            assert_eq!(answer.status(), 200, "{form}: {answer:?}");
        }
    }

    async fn a_user_that_is_locked_for_a_second_is_waited_for(server: &impl Server) {
        let secret = Secret::new();
        let functions = new_and_warm(server, Some(&secret.file)).await;
        server.lock_user(true).await;
        server.end_sessions().await;
        a_long_freeze().await;
        let unlock = async {
            sleep(Duration::from_secs(1)).await;
            server.lock_user(false).await;
        };
        let (answers, ()) = tokio::join!(invoke_all(&functions), unlock);
        for (form, answer) in answers {
            assert_eq!(answer.status(), 200, "{form}: {answer:?}");
        }
    }

    async fn without_credentials_a_rejected_password_is_permanent(server: &impl Server) {
        let functions = new_and_warm(server, None).await;
        server.change_password("n3w").await;
        server.end_sessions().await;
        a_long_freeze().await;
        for (form, answer) in invoke_all(&functions).await {
            let message = &answer.error().message;
            assert!(answer.took < Duration::from_secs(4), "{form}: {answer:?}");
            assert!(!message.contains("s3cret"), "{form}: {message}");
        }
    }

    /// Such a connection signs in with what the pool was told last.
    async fn a_rejected_connection_that_a_pool_opens_by_itself_is_a_503(server: &impl Server) {
        let secret = Secret::new();
        let file = secret.file.display().to_string();
        let env = [("SOURCE", "rotated"), ("SECRET", &*file)];
        let change = |builder: Builder| builder.concurrency(2).freezing(false);
        let function = program("field_function");
        let function = Arc::new(Function::start_sandbox(function, server, &env, change).await);
        let twice = [("/pool", Arc::clone(&function)), ("/pool", function)];
        let nap = if server.url().starts_with("mysql") {
            "select sleep(0.5)"
        } else {
            "select pg_sleep(0.5)"
        };
        at_once(&twice[..1], nap).await;
        server.change_password("n3w").await;
        secret.set("n3w");
        let mut statuses = Vec::new();
        for (_, answer) in at_once(&twice, nap).await {
            statuses.push(answer.status());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 503]);
        // Credentials are renewed after a failure, at most once a second.
        a_long_freeze().await;
        for (_, answer) in at_once(&twice, nap).await {
            assert_eq!(answer.status(), 200, "{answer:?}");
        }
    }

    /// Credentials do not cure a database that does not exist.
    async fn with_credentials_another_rejection_is_permanent(server: &impl Server) {
        let secret = Secret::new();
        let url = format!("{}_of_nobody", server.url());
        let file = secret.file.display().to_string();
        let env = [("SOURCE", "rotated"), ("SECRET", &file), ("DATABASE_URL", &url)];
        let function = Function::start_program(program("field_function"), server, &env).await;
        for form in FORMS {
            let answer = function.script(form, "select 'a'").await;
            let message = &answer.error().message;
            assert!(message.contains("(1 attempt in"), "{form}: {message}");
        }
    }

    /// The default of `max_connections` is at least the sandbox's concurrency.
    async fn thirty_two_invocations_at_once_are_served(server: &impl Server) {
        for form in ["/conn", "/pool"] {
            let env = [("SOURCE", "hasty")];
            let change = |builder: Builder| builder.concurrency(AT_ONCE).freezing(false);
            let function = program("field_function");
            let function = Function::start_sandbox(function, server, &env, change).await;
            let function = Arc::new(function);
            // With ten connections the last invocations would wait for 4.5 s.
            let nap = if server.url().starts_with("mysql") {
                "select sleep(1.5)"
            } else {
                "select pg_sleep(1.5)"
            };
            let functions: Vec<_> = (0..AT_ONCE).map(|_| (form, Arc::clone(&function))).collect();
            for (form, answer) in at_once(&functions, nap).await {
                assert_eq!(answer.status(), 200, "{form}: {answer:?}");
            }
        }
    }

    /// The user's list, or sqlx's default list, before the first connection or after it.
    async fn an_any_connection_works_with_drivers_that_the_user_installs(server: &impl Server) {
        for drivers in ["none", "own", "default", "later"] {
            let env = [("DRIVERS", drivers)];
            let function = Function::start_program(program("field_function"), server, &env).await;
            for _ in 0..2 {
                assert_eq!(function.rows("/any", "select 'a'").await, ["a"], "{drivers}");
            }
            assert_eq!(function.sandbox.starts(), 1, "{drivers}");
        }
    }

    async fn a_graceful_shutdown_beside_run_completes(server: &impl Server) {
        let env = [("RUN", "own-flush")];
        let function = Function::start_with(server, &env).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        let output = function.sandbox.output();
        assert!(output.contains("the user's own data is flushed"), "{output}");
        let closed = async || server.sessions().await.is_empty();
        until("the end of the session", closed).await;
    }
}

on_each! {
    { on_postgres Postgres "tls", on_mysql Mysql "tls" }

    /// Of certificates and keys, in one attempt.
    async fn an_unusable_file_is_named_with_its_parameter(server: &impl Server) {
        let folder = tempfile::tempdir().expect("a folder");
        let other = folder.path().join("other");
        std::fs::write(&other, "no certificate").expect("a file");
        let (other, missing) = (other.display().to_string(), "/no/such/file");
        let (verify, root, cert, key) = if server.url().starts_with("mysql") {
            ("ssl-mode=VERIFY_CA", "ssl-ca", "ssl-cert", "ssl-key")
        } else {
            ("sslmode=verify-ca", "sslrootcert", "sslcert", "sslkey")
        };
        for (query, named, path) in [
            (format!("{root}={missing}"), root, missing),
            (format!("{root}={other}"), root, &*other),
            (format!("{cert}={missing}&{key}={missing}"), cert, missing),
            (format!("{cert}={other}&{key}={other}"), cert, &*other),
        ] {
            let url = format!("{}?{verify}&{query}", server.url());
            let env = [("SOURCE", "plain"), ("DATABASE_URL", &url)];
            let function = Function::start_program(program("field_function"), server, &env).await;
            for form in FORMS {
                let answer = function.script(form, "select 'a'").await;
                let message = &answer.error().message;
                let named = format!("`{named}` names the file `{path}`");
                assert!(message.contains(&named), "{form}: {message}");
                assert!(message.contains("(1 attempt in"), "{form}: {message}");
                assert!(!message.contains("s3cret"), "{form}: {message}");
            }
        }
    }
}

/// Returns a port of 127.0.0.1 whose server answers each start-up with an error of this code.
async fn port_that_rejects(code: &str, message: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _start_up = client.read(&mut [0; 1024]).await;
            let _ = client.write_u8(b'E').await;
            let _ = client.write_u32(fields.len() as u32 + 4).await;
            let _ = client.write_all(fields.as_bytes()).await;
        }
    });
    port
}

/// Supabase's pooler and Neon's proxy use one code for everything.
#[tokio::test]
async fn a_full_pooler_or_a_suspended_server_is_waited_for() {
    for (message, expected) in [
        ("Max client connections reached", ErrorKind::Saturated),
        (
            "(EMAXCONNSESSION) max clients reached in session mode",
            ErrorKind::Saturated,
        ),
        ("Couldn't connect to compute node", ErrorKind::Unavailable),
        ("Tenant or user not found", ErrorKind::Rejected),
    ] {
        let port = port_that_rejects("XX000", message).await;
        let url = format!("postgres://app:s3cret@127.0.0.1:{port}/app?sslmode=disable");
        let source = source(url).connect_timeout(Duration::from_millis(300));
        let conn = exclusive::<PgConnection>(source).lease().await;
        let pool = shared::<PgPool>(source).lease().await;
        for error in [conn.map(drop), pool.map(drop)] {
            let error = error.expect_err(message);
            assert_eq!(error.kind(), Some(expected), "{error}");
            let is_single = error.to_string().contains("(1 attempt in");
            assert_eq!(is_single, expected == ErrorKind::Rejected, "{error}");
        }
    }
}

/// sqlx looks up a literal address of IPv6 with its brackets, as a name.
#[tokio::test]
async fn a_literal_ipv6_address_is_connected_to() {
    async fn on<S: Server, C: Connect, P: Connect + Sync>() {
        let server = S::launch().await;
        let to = server.addr();
        let listener = TcpListener::bind("[::1]:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        let source = source(server.url_at(port).replace("127.0.0.1", "[::1]"));
        let lease = exclusive::<C>(source).lease().await.expect("a connection");
        Lease::settle(lease, Outcome::Success);
        let lease = shared::<P>(source).lease().await.expect("a pool");
        SharedLease::settle(lease, Outcome::Success);
    }
    on::<Postgres, PgConnection, PgPool>().await;
    on::<Mysql, MySqlConnection, MySqlPool>().await;
}

/// The beginning of such a password looks like a port, and the user like a host.
#[tokio::test]
async fn a_password_that_cuts_the_url_is_named_at_once() {
    for url in [
        "postgres://app:42/s3cret@127.0.0.1/app",
        "postgres://app:42?s3cret@127.0.0.1/app",
    ] {
        let conn = exclusive::<PgConnection>(source(url)).lease().await;
        let pool = shared::<PgPool>(source(url)).lease().await;
        for error in [conn.map(drop), pool.map(drop)] {
            let text = error.expect_err("no such host").to_string();
            assert!(text.contains("percent-encode"), "{text}");
            assert!(text.contains("(1 attempt in"), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

/// After a failover, the host's name may lead to the old writer for a while.
#[tokio::test]
async fn a_server_that_is_still_read_only_is_waited_for() {
    let server = <Postgres as Server>::launch().await;
    server.demote().await;
    let function = Function::start_scripted(&server, "writer").await;
    let note = "insert into notes values ('a note')";
    for form in ["/conn", "/pool"] {
        let answer = function.script(form, note).await;
        assert_eq!(answer.status(), 503, "{form}: {answer:?}");
    }
    let promoted = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let promote = "alter system set default_transaction_read_only = off";
        server.execute(promote).await;
        server.execute("select pg_reload_conf()").await;
    };
    let (answer, ()) = tokio::join!(function.script("/tx", note), promoted);
    answer.ok();
    function.script("/pool", note).await.ok();
}
