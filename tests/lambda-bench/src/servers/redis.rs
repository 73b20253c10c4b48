use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, cmd};

use super::PASSWORD;
use super::certificate::{Certificate, authority};
use super::folder::folder_of;
use super::supervised::{Signals, Supervised};
use crate::host::{free_port, program};

const USER: &str = "redis";

/// The name of the Unix socket in the server's folder.
const UNIX_SOCKET: &str = "redis.sock";

/// A private Redis server.
///
/// The user `app` signs in with a password and may use all keys and commands. The administrator is
/// the user `default`.
#[derive(Debug)]
pub struct Redis {
    server: Supervised,
    port: u16,
    /// The port for an administrator, if `port` is for TLS.
    plain_port: u16,
}

/// The settings of a [`Redis`] server before it starts.
#[derive(Debug, Default)]
#[must_use]
pub struct RedisBuilder {
    settings: Vec<OsString>,
    tls: bool,
    unix_socket: bool,
}

impl RedisBuilder {
    /// Sets a parameter of the server, as in `redis.conf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings
            .extend([format!("--{name}").into(), value.into()]);
        self
    }

    /// Accepts the function's connections over TLS only, with a certificate for 127.0.0.1.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Listens on a Unix socket, too.
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// If Redis is not installed, or does not start.
    pub async fn start(self) -> Redis {
        let folder = folder_of(USER);
        let (port, plain_port) = (free_port(), free_port());
        let at = folder.path().display().to_string();
        let mut settings = Self::default()
            .setting("bind", "127.0.0.1")
            .setting("dir", &at)
            .setting("save", "")
            .setting("appendonly", "no");
        if self.tls {
            let files = Certificate::issue(folder.path(), USER);
            settings = settings
                .setting("port", &plain_port.to_string())
                .setting("tls-port", &port.to_string())
                .setting("tls-cert-file", &files.certificate.display().to_string())
                .setting("tls-key-file", &files.key.display().to_string())
                .setting("tls-auth-clients", "no");
        } else {
            settings = settings.setting("port", &port.to_string());
        }
        if self.unix_socket {
            settings = settings.setting("unixsocket", &format!("{at}/{UNIX_SOCKET}"));
        }
        let mut command = vec![program("redis-server", "redis-server", &[]).into_os_string()];
        command.extend(settings.settings);
        command.extend(self.settings);
        for user in ["default", "app"] {
            let rights = ["on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"];
            command.extend(["--user".into(), user.into()]);
            command.extend(rights.map(OsString::from));
        }
        let signals = Signals {
            end: "KILL",
            stop: "TERM",
        };
        let redis = Redis {
            server: Supervised::new(folder, USER, signals, command),
            port,
            plain_port: if self.tls { plain_port } else { port },
        };
        redis.start_again().await;
        redis
    }
}

impl Redis {
    /// Starts the server with the default settings.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Returns a builder for a server with other settings.
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// Returns the URL of the user `app` at a port, such as a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        let scheme = if self.port == self.plain_port {
            "redis"
        } else {
            "rediss"
        };
        format!("{scheme}://app:{PASSWORD}@127.0.0.1:{port}")
    }

    /// Returns the URL of the user `app` on the Unix socket.
    pub fn unix_url(&self) -> String {
        let socket = self.server.folder().join(UNIX_SOCKET);
        format!("redis+unix://{}?user=app&pass={PASSWORD}", socket.display())
    }

    /// Returns the address on which the server listens for functions.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the file with the authority's certificate, if the server uses TLS.
    pub fn authority(&self) -> PathBuf {
        authority(self.server.folder())
    }

    /// Stops the server.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Starts a stopped server on the same port.
    pub async fn start_again(&self) {
        self.server
            .start(async || {
                let mut administrator = self.connect().await?;
                cmd("PING").exec_async(&mut administrator).await
            })
            .await;
    }

    /// Starts a stopped server on the same port, and waits until it loads its data.
    pub async fn start_loading(&self) {
        self.server
            .start(async || match self.connect().await {
                Ok(mut administrator) => match cmd("PING").exec_async(&mut administrator).await {
                    Err(error) if error.code() == Some("LOADING") => Ok(()),
                    Err(error) => Err(error.to_string()),
                    Ok(()) => Err("it has loaded its data before".to_owned()),
                },
                Err(error) => Err(error.to_string()),
            })
            .await;
    }

    /// Stops the server and starts it again.
    pub async fn restart(&self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Connects as the administrator.
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", self.plain_port);
        Client::open(url)?.get_multiplexed_async_connection().await
    }

    /// Runs a command as the administrator, and returns its answer.
    ///
    /// # Panics
    ///
    /// If the server rejects the command.
    pub async fn execute(&self, command: &[&str]) -> redis::Value {
        let mut administrator = self.connect().await.expect("a connection");
        let mut request = cmd(command[0]);
        request.arg(&command[1..]);
        let answer = request.query_async(&mut administrator).await;
        answer.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Returns the server's name and version.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn version(&self) -> String {
        let mut administrator = self.connect().await.expect("a connection");
        let info: String = cmd("INFO")
            .arg("server")
            .query_async(&mut administrator)
            .await
            .expect("an answer");
        let version = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        format!("Redis {}", version.unwrap_or_default())
    }

    /// Returns the lines of CLIENT LIST for the sessions of the user `app`.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn sessions(&self) -> Vec<String> {
        let mut administrator = self.connect().await.expect("a connection");
        let list: String = cmd("CLIENT")
            .arg("LIST")
            .query_async(&mut administrator)
            .await
            .expect("a list");
        let sessions = list.lines().filter(|line| line.contains(" user=app "));
        sessions.map(str::to_owned).collect()
    }

    /// Ends the sessions of the user `app`, and returns their number.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn end_sessions(&self) -> usize {
        let mut administrator = self.connect().await.expect("a connection");
        cmd("CLIENT")
            .arg(&["KILL", "USER", "app"])
            .query_async(&mut administrator)
            .await
            .expect("a number")
    }
}
