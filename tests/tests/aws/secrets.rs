//! A secret signs in while it is rotated, and its errors name the cause.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use lambda_bench::aws::{
    Clock, Keys, KeysEndpoint, Role, Rotation, Secrets, SecretsExtension, Users,
};
use lambda_bench::lambda::{Builder, Sandbox};
use lambda_bench::servers::{Mysql, PASSWORD, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use serde_json::{Value, json};

use super::stage::{Place, ask, invoke};

const NAME: &str = "prod/shop";

/// The number of rotations of a test.
const ROTATIONS: u32 = 3;

/// The number of sandboxes. The variable `REUSE_DB_TESTS_SANDBOXES` sets another one: the long form
/// has 40.
fn sandboxes() -> u32 {
    let number = std::env::var("REUSE_DB_TESTS_SANDBOXES");
    number.map_or(8, |number| number.parse().expect("a number"))
}

/// Returns the secret that RDS writes for a server.
fn secret(server: &impl Server) -> Value {
    let address = server.addr();
    json!({
        "engine": "postgres",
        "host": address.ip().to_string(),
        "port": address.port(),
        "username": "app",
        "password": PASSWORD,
        "dbname": "app",
        "dbInstanceIdentifier": "shop",
    })
}

/// A sandbox, the extension beside it, and the clock of the extension.
struct Beside {
    sandbox: Sandbox,
    clock: Clock,
    _extension: SecretsExtension,
    invocations: Cell<u32>,
}

impl Beside {
    async fn start(place: &Place, secrets: &Secrets, url: &str, id: &str) -> Self {
        let (clock, keys) = (Clock::default(), Keys::new());
        let extension = SecretsExtension::start(secrets, &clock, &keys.session_token).await;
        let function = with_extension(place.function(url), &extension, &keys);
        Self {
            sandbox: function.env("SECRET", id).start().await,
            clock,
            _extension: extension,
            invocations: Cell::new(0),
        }
    }
}

fn with_extension(function: Builder, extension: &SecretsExtension, keys: &Keys) -> Builder {
    function
        .env("AWS_SESSION_TOKEN", &keys.session_token)
        .env(
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
            extension.port().to_string(),
        )
        .env("SECRET", NAME)
}

/// The ways of a rotation.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    SingleUser,
    AlternatingUsers,
}

/// The end of each connection: by its age, or by the server while the sandbox is frozen. A pool
/// that opens a connection by itself has the credentials that it was given before.
fn source_for(path: &str) -> &'static str {
    match path {
        "/pool" => "secret_env",
        _ => "rotated",
    }
}

/// Rotates the secret while each sandbox opens a connection in each invocation.
///
/// Between two steps each sandbox has two invocations, and up to 120 s pass. So a step meets
/// extensions whose answers have any age. Between two rotations their answers end.
async fn a_rotation_fails_no_invocation<S: Server + Users>(path: &str, way: Way, id: &str) {
    let (server, place, secrets) = (S::launch().await, Place::new(), Secrets::default());
    secrets.put(NAME, &secret(&server));
    let scheme = server.url().split("://").next().map(ToOwned::to_owned);
    let url = format!("{}://", scheme.expect("a scheme"));
    let fleet = (0..sandboxes()).map(|_| Beside::start(&place, &secrets, &url, id));
    let fleet = join_all(fleet).await;
    let rotation = match way {
        Way::SingleUser => Rotation::of_single_user(&secrets, NAME, &server),
        Way::AlternatingUsers => Rotation::of_alternating_users(&secrets, NAME, &server),
    };
    let source = source_for(path);
    let traffic = join_all(fleet.iter().map(async |beside| -> Infallible {
        loop {
            let session = invoke(&beside.sandbox, path, source).await.session;
            if source == "secret_env" {
                let end = format!("select pg_terminate_backend({session}, 5000)");
                server.execute(&end).await;
            }
            beside.invocations.set(beside.invocations.get() + 1);
        }
    }));
    let traffic_goes_on = async || {
        let before: Vec<u32> = fleet
            .iter()
            .map(|beside| beside.invocations.get())
            .collect();
        until("two invocations of each sandbox", async || {
            let now = fleet.iter().map(|beside| beside.invocations.get());
            now.zip(&before).all(|(now, before)| now >= before + 2)
        })
        .await;
    };
    let pass = |most: u32, step: u32| {
        for (nth, beside) in (0..).zip(&fleet) {
            let seconds = (nth * 37 + step * 53) % most;
            beside.clock.advance(Duration::from_secs(seconds.into()));
        }
    };
    let rotations = async {
        for nth in 0..ROTATIONS {
            traffic_goes_on().await;
            rotation.create_secret();
            traffic_goes_on().await;
            pass(120, nth);
            rotation.set_secret().await;
            traffic_goes_on().await;
            pass(120, nth + 1);
            rotation.test_secret().await;
            rotation.finish_secret();
            traffic_goes_on().await;
            for beside in &fleet {
                beside.clock.advance(Duration::from_secs(301));
            }
        }
        traffic_goes_on().await;
    };
    tokio::select! {
        _ = traffic => {}
        () = rotations => {}
    }
}

macro_rules! rotations {
    ($($test:ident: $server:ty, $path:literal, $way:ident, $id:expr;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                a_rotation_fails_no_invocation::<$server>($path, Way::$way, $id).await;
            }
        )*
    };
}

rotations! {
    a_single_user_of_postgres: Postgres, "/pg", SingleUser, NAME;
    a_single_user_of_postgres_by_the_arn: Postgres, "/pg", SingleUser, &Secrets::arn(NAME);
    a_single_user_of_a_pool: Postgres, "/pool", SingleUser, NAME;
    a_single_user_of_mysql: Mysql, "/mysql", SingleUser, NAME;
    alternating_users_of_postgres: Postgres, "/pg", AlternatingUsers, NAME;
    alternating_users_of_a_pool: Postgres, "/pool", AlternatingUsers, NAME;
    alternating_users_of_mysql: Mysql, "/mysql", AlternatingUsers, NAME;
}

/// The sandboxes of a quiet function connect for the first time since the rotation, while the
/// extension still has the password before it.
async fn a_rotation_that_nobody_saw_fails_no_invocation<S: Server + Users>(path: &str, id: &str) {
    let (server, place, secrets) = (S::launch().await, Place::new(), Secrets::default());
    secrets.put(NAME, &secret(&server));
    let url = format!("{}://", server.url().split("://").next().expect("a scheme"));
    let beside = Beside::start(&place, &secrets, &url, id).await;
    let rotation = Rotation::of_single_user(&secrets, NAME, &server);
    for _ in 0..ROTATIONS {
        invoke(&beside.sandbox, path, "rotated").await;
        rotation.create_secret();
        rotation.set_secret().await;
        rotation.test_secret().await;
        rotation.finish_secret();
        let retried = invoke(&beside.sandbox, path, "rotated").await.retried;
        beside.clock.advance(Duration::from_secs(301));
        let later = invoke(&beside.sandbox, path, "rotated").await.retried;
        assert_eq!(later, retried, "{path}: a new answer is right");
    }
}

#[tokio::test]
async fn a_rotation_that_nobody_saw_on_postgres() {
    for path in ["/pg", "/client", "/pool"] {
        a_rotation_that_nobody_saw_fails_no_invocation::<Postgres>(path, NAME).await;
    }
}

#[tokio::test]
async fn a_rotation_that_nobody_saw_on_mysql() {
    for path in ["/mysql", "/diesel"] {
        a_rotation_that_nobody_saw_fails_no_invocation::<Mysql>(path, NAME).await;
    }
}

#[tokio::test]
async fn a_rotation_that_nobody_saw_of_a_secret_by_its_arn() {
    let arn = Secrets::arn(NAME);
    a_rotation_that_nobody_saw_fails_no_invocation::<Postgres>("/pg", &arn).await;
}

/// A function beside an extension, on PostgreSQL.
struct Alone {
    server: Postgres,
    place: Place,
    secrets: Secrets,
    keys: Keys,
}

impl Alone {
    async fn start() -> Self {
        let (server, secrets) = (Postgres::start().await, Secrets::default());
        secrets.put(NAME, &secret(&server));
        Self {
            server,
            place: Place::new(),
            secrets,
            keys: Keys::new(),
        }
    }

    async fn extension(&self, late: Duration) -> SecretsExtension {
        let (clock, token) = (Clock::default(), &self.keys.session_token);
        SecretsExtension::start_late(&self.secrets, &clock, token, late).await
    }

    fn function(&self, url: &str, extension: &SecretsExtension) -> Builder {
        with_extension(self.place.function(url), extension, &self.keys)
    }
}

#[tokio::test]
async fn a_secret_that_rds_manages_has_the_host_of_the_url() {
    let alone = Alone::start().await;
    let password = "%/:@?#&+ [ü]\"\\";
    alone.server.set_password("app", password).await;
    alone
        .secrets
        .put(NAME, &json!({ "username": "app", "password": password }));
    let extension = alone.extension(Duration::ZERO).await;
    let port = alone.server.addr().port();
    let url = format!("postgres://127.0.0.1:{port}/app");
    let sandbox = alone.function(&url, &extension).start().await;
    for path in ["/pg", "/pool", "/client"] {
        assert_eq!(
            invoke(&sandbox, path, "secret_env").await.user,
            "app",
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_extension_that_is_not_ready_is_waited_for() {
    let alone = Alone::start().await;
    for path in ["/pg", "/pool", "/client"] {
        let extension = alone.extension(Duration::from_secs(1)).await;
        let sandbox = alone.function("postgres://", &extension).start().await;
        let reply = invoke(&sandbox, path, "secret_env").await;
        assert!(
            reply.retried > 0 && extension.questions() > 1,
            "{path}: {reply:?}"
        );
    }
}

/// The extension answers from the first invocation on. The initialization does not wait for it.
#[tokio::test]
async fn an_initialization_asks_once() {
    let alone = Alone::start().await;
    let extension = alone.extension(Duration::from_secs(60)).await;
    let function = alone
        .function("postgres://", &extension)
        .env("WARM", "secret_env");
    let sandbox = function.start().await;
    let begun = std::time::Instant::now();
    let answer = ask(&sandbox, "/redis", "plain").await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{answer:?}");
    assert_eq!(extension.questions(), 1);
}

#[tokio::test]
async fn a_restored_sandbox_asks_with_the_token_of_the_endpoint() {
    let alone = Alone::start().await;
    let (role, clock) = (Role::default(), Clock::default());
    let endpoint = KeysEndpoint::start(&role, &clock).await;
    let token = role.keys().session_token;
    let extension = SecretsExtension::start(&alone.secrets, &clock, &token).await;
    let mut function = alone.place.function("postgres://");
    for (name, value) in endpoint.variables() {
        function = function.env(name, value);
    }
    let sandbox = function
        .env(
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
            extension.port().to_string(),
        )
        .env("SECRET", NAME)
        .snap_start()
        .start()
        .await;
    sandbox.frozen().await;
    assert_eq!(extension.questions(), 0);
    assert_eq!(invoke(&sandbox, "/pg", "secret_env").await.user, "app");
}

#[tokio::test]
async fn an_error_names_the_cause_and_no_secret() {
    let alone = Alone::start().await;
    alone.secrets.put("denied", &json!({}));
    alone.secrets.deny("denied");
    alone
        .secrets
        .put("unusable", &json!({ "username": "s3cret" }));
    alone.secrets.put(
        "managed",
        &json!({ "username": "app", "password": "s3cret" }),
    );
    let extension = alone.extension(Duration::ZERO).await;
    for (id, expected) in [
        ("none", "ResourceNotFoundException"),
        ("denied", "AccessDeniedException"),
        ("unusable", "has no field `password`"),
        ("managed", "names no host, nor does the secret in `SECRET`"),
        (
            r#"{"password":"s3cret"}"#,
            "`SECRET` is no name of a secret, and perhaps the secret itself",
        ),
    ] {
        let function = alone.function("postgres://", &extension).env("SECRET", id);
        let sandbox = function.start().await;
        for path in ["/pg", "/pool", "/client"] {
            let answer = ask(&sandbox, path, "secret_env").await;
            assert!(
                answer.took < Duration::from_secs(4),
                "permanent: {answer:?}"
            );
        }
        let output = sandbox.output();
        assert!(
            output.contains(expected) && !output.contains("s3cret"),
            "{output}"
        );
        assert!(output.contains("`SECRET`"), "{output}");
    }
    let function = alone
        .function("postgres://", &extension)
        .env("AWS_SESSION_TOKEN", "");
    let sandbox = function.start().await;
    let answer = ask(&sandbox, "/pg", "secret_env").await;
    assert!(
        answer.took < Duration::from_secs(4),
        "permanent: {answer:?}"
    );
    let output = sandbox.output();
    assert!(
        output.contains("`AWS_SESSION_TOKEN` is not set"),
        "{output}"
    );

    let function = alone.function("postgres://", &extension);
    drop(extension);
    let sandbox = function.start().await;
    let answer = ask(&sandbox, "/pg", "secret_env").await;
    assert_eq!(answer.status(), 503, "{answer:?}");
    let output = sandbox.output();
    assert!(output.contains("add its layer to the function"), "{output}");
}

/// Someone changes the password at the server first, and then the secret.
#[tokio::test]
async fn a_secret_that_follows_its_password_is_waited_for() {
    for path in ["/pg", "/client"] {
        let alone = Alone::start().await;
        let extension = alone.extension(Duration::ZERO).await;
        let sandbox = alone.function("postgres://", &extension).start().await;
        assert_eq!(invoke(&sandbox, path, "rotated").await.user, "app");
        let mut changed = secret(&alone.server);
        changed["password"] = "byHand1#".into();
        alone.server.set_password("app", "byHand1#").await;
        let (reply, ()) = tokio::join!(invoke(&sandbox, path, "rotated"), async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            alone.secrets.put(NAME, &changed);
        });
        assert_eq!(reply.user, "app", "{path}");
        assert_eq!(invoke(&sandbox, path, "rotated").await.user, "app");
    }
}

/// The extension keeps the old password in all ways of the first invocations.
#[tokio::test]
async fn a_secret_that_follows_late_fails_few_invocations() {
    let alone = Alone::start().await;
    let extension = alone.extension(Duration::ZERO).await;
    let sandbox = alone.function("postgres://", &extension).start().await;
    assert_eq!(invoke(&sandbox, "/pg", "rotated").await.user, "app");
    let mut changed = secret(&alone.server);
    changed["password"] = "byHand1#".into();
    alone.server.set_password("app", "byHand1#").await;
    let begun = std::time::Instant::now();
    for _ in 0..2 {
        assert_eq!(ask(&sandbox, "/pg", "rotated").await.status(), 503);
    }
    let output = sandbox.output();
    assert!(output.contains("`SECRETS_MANAGER_TTL`"), "{output}");
    alone.secrets.put(NAME, &changed);
    tokio::time::sleep(Duration::from_secs(16).saturating_sub(begun.elapsed())).await;
    assert_eq!(invoke(&sandbox, "/pg", "rotated").await.user, "app");
}

#[tokio::test]
async fn an_address_that_is_no_port_is_named() {
    let alone = Alone::start().await;
    let extension = alone.extension(Duration::ZERO).await;
    let variable = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT";
    let function = alone
        .function("postgres://", &extension)
        .env(variable, "abc");
    let sandbox = function.start().await;
    ask(&sandbox, "/pg", "secret_env").await;
    let output = sandbox.output();
    assert!(
        output.contains(&format!("`{variable}` is no port")),
        "{output}"
    );
}
