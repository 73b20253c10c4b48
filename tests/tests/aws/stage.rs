//! A function beside whose database AWS's names, keys and clocks are in the hands of a test.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lambda_bench::aws::{Authority, Clock, Gate, Iam, Role, Service};
use lambda_bench::lambda::{Answer, Builder, Event, Sandbox};
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::program;
use tempfile::TempDir;

/// The endpoint of the database.
pub(super) const HOST: &str = "db.abc.eu-central-1.rds.amazonaws.com";

/// Another name for it, as a CNAME is.
pub(super) const ALIAS: &str = "db.example";

/// A folder with the program of a function and its wall clock.
pub(super) struct Place {
    folder: TempDir,
    /// The clock of the function and of what AWS has.
    pub(super) clock: Clock,
}

impl Place {
    pub(super) fn new() -> Self {
        Self::of("aws_function")
    }

    /// Creates the place of another program.
    pub(super) fn of(function: &str) -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
            clock: Clock::default(),
        };
        place.write_clock();
        let hosts = place.path("hosts");
        let names = format!("127.0.0.1 localhost {HOST} {ALIAS}\n");
        std::fs::write(&hosts, names).expect("our folder");
        let script = format!(
            "#!/bin/sh\n\
             exec unshare --map-root-user --mount \
             sh -c 'mount --bind {} /etc/hosts && LD_PRELOAD={} exec {}'\n",
            hosts.display(),
            faketime().display(),
            program(function).display()
        );
        let wrapper = place.path("function");
        std::fs::write(&wrapper, script).expect("our folder");
        std::fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).expect("our file");
        place
    }

    /// Returns a sandbox of the function, in its own mount namespace. The monotonic clock is the
    /// machine's.
    pub(super) fn function(&self, url: &str) -> Builder {
        Sandbox::builder(self.path("function"))
            .env("DATABASE_URL", url)
            .env("FAKETIME_TIMESTAMP_FILE", self.path("time"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .timeout(Duration::from_secs(10))
    }

    /// Puts the clock forward, in the function and at AWS.
    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.write_clock();
    }

    fn write_clock(&self) {
        let ahead = format!("+{}\n", self.clock.ahead().as_secs());
        // At once, since the function reads it at any time.
        let new = self.path("new_time");
        std::fs::write(&new, ahead).expect("our folder");
        std::fs::rename(&new, self.path("time")).expect("our folder");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Returns the library of libfaketime, which `tests/run` installs.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder of libraries");
    folders
        .filter_map(Result::ok)
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|file| file.is_file())
        .expect("libfaketime: install the Debian package `faketime`")
}

/// A server that a gate can be put before.
pub(super) trait Gated: Sized {
    /// The clients of the function for this server.
    const CLIENTS: &'static [&'static str];

    async fn start() -> Self;
    async fn gate(&self, authority: &Authority) -> Gate;
    fn url(gate: &Gate, user: &str, host: &str, authority: &Path) -> String;
    async fn end_sessions(&self) -> usize;
    /// Signs in through a gate with a token.
    async fn sign_in(gate: &Gate, user: &str, token: &str) -> Result<(), String>;
}

impl Gated for Postgres {
    const CLIENTS: &'static [&'static str] =
        &["/pg", "/pool", "/client", "/pg-diesel", "/pg-sea-orm"];

    async fn start() -> Self {
        Gate::postgres().await
    }

    async fn gate(&self, authority: &Authority) -> Gate {
        Gate::before_postgres(self, authority.issue(&[HOST, ALIAS])).await
    }

    fn url(gate: &Gate, user: &str, host: &str, authority: &Path) -> String {
        let (port, file) = (gate.port(), authority.display());
        format!("postgres://{user}@{host}:{port}/app?sslrootcert={file}")
    }

    async fn end_sessions(&self) -> usize {
        self.end_sessions().await
    }

    async fn sign_in(gate: &Gate, user: &str, token: &str) -> Result<(), String> {
        use sqlx::postgres::{PgConnectOptions, PgSslMode};
        use sqlx::{ConnectOptions as _, Connection as _};

        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(gate.port())
            .username(user)
            .password(token)
            .database("app")
            .ssl_mode(PgSslMode::Require);
        let connection = options.connect().await.map_err(|error| error.to_string())?;
        connection.close().await.map_err(|error| error.to_string())
    }
}

impl Gated for Mysql {
    const CLIENTS: &'static [&'static str] = &["/mysql", "/diesel", "/sea-orm"];

    async fn start() -> Self {
        Self::start().await
    }

    async fn gate(&self, authority: &Authority) -> Gate {
        Gate::before_mysql(self, authority.issue(&[HOST, ALIAS])).await
    }

    fn url(gate: &Gate, user: &str, host: &str, authority: &Path) -> String {
        let (port, file) = (gate.port(), authority.display());
        format!("mysql://{user}@{host}:{port}/app?ssl-ca={file}")
    }

    async fn end_sessions(&self) -> usize {
        self.end_sessions().await
    }

    async fn sign_in(gate: &Gate, user: &str, token: &str) -> Result<(), String> {
        use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
        use sqlx::{ConnectOptions as _, Connection as _};

        let options = MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(gate.port())
            .username(user)
            .password(token)
            .database("app")
            .enable_cleartext_plugin(true)
            .ssl_mode(MySqlSslMode::Required);
        let connection = options.connect().await.map_err(|error| error.to_string())?;
        connection.close().await.map_err(|error| error.to_string())
    }
}

/// A server that accepts the tokens of a role, and a function of that role.
pub(super) struct Stage<S> {
    pub(super) server: S,
    pub(super) gate: Gate,
    pub(super) place: Place,
    pub(super) role: Role,
    authority: Authority,
}

impl<S: Gated> Stage<S> {
    /// Starts a server of RDS.
    pub(super) async fn start() -> Self {
        Self::start_for(Service::Rds).await
    }

    pub(super) async fn start_for(service: Service) -> Self {
        Self::start_in(Place::new(), service).await
    }

    pub(super) async fn start_in(place: Place, service: Service) -> Self {
        let (server, role) = (S::start().await, Role::default());
        let authority = Authority::new();
        let gate = server.gate(&authority).await;
        gate.require(Iam {
            service,
            region: "eu-central-1".into(),
            host: HOST.into(),
            port: gate.port(),
            role: role.clone(),
            clock: place.clock.clone(),
        });
        Self {
            server,
            gate,
            place,
            role,
            authority,
        }
    }

    pub(super) fn url(&self, user: &str, host: &str) -> String {
        S::url(&self.gate, user, host, &self.authority.file())
    }

    /// Returns a sandbox of the function with the keys of the role.
    pub(super) fn function(&self) -> Builder {
        self.function_at(&self.url("app", HOST))
    }

    pub(super) fn function_at(&self, url: &str) -> Builder {
        let mut builder = self.place.function(url);
        for (name, value) in self.role.keys().variables() {
            builder = builder.env(name, value);
        }
        builder
    }
}

/// The answer of a handler.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) session: i64,
    pub(super) user: String,
    pub(super) opened: i64,
    pub(super) retried: i64,
}

/// Invokes the function, which must succeed.
pub(super) async fn invoke(sandbox: &Sandbox, path: &str, source: &str) -> Reply {
    let answer = ask(sandbox, path, source).await;
    let json = answer.ok().json();
    let number = |name: &str| json[name].as_i64().expect("a number");
    Reply {
        session: number("session"),
        user: json["user"].as_str().expect("a user").to_owned(),
        opened: number("opened"),
        retried: number("retried"),
    }
}

/// Invokes the function, and waits for the freeze that follows.
pub(super) async fn ask(sandbox: &Sandbox, path: &str, source: &str) -> Answer {
    let event = Event::get(&format!("{path}?source={source}"));
    let answer = sandbox.invoke(event).await;
    sandbox.frozen().await;
    answer
}
