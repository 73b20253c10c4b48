//! Redis and Valkey, by redis-rs.

mod command;
mod conversation;
pub(crate) mod error;
mod frames;
mod stream;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult, Value, cmd};

use self::conversation::{Conversation, Observed};
use self::stream::Address;
use super::boxed;
use super::io_task::IoTask;
use crate::connect::{
    Answer, Attempt, Connect, Driver, DriverConnect, Finish, FromConnection, Link, Reset,
};
use crate::environment;
use crate::error::Error;
use crate::response::Outcome;
use crate::source::{ServerLoad, Source};
use crate::telemetry::{Counters, HandlerName, events};

/// The limit of a command that redis-rs sets by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection that is kept for handlers that take `&mut MultiplexedConnection`.
#[derive(Debug)]
pub struct RedisConnection {
    client: MultiplexedConnection,
    /// A clone for one invocation, whose handler may change or replace it.
    lent: MultiplexedConnection,
    conversation: Conversation,
    /// Reads and writes the stream. A clone of the client may outlive it.
    task: IoTask,
}

impl RedisConnection {
    async fn open(source: &Source, attempt: &Attempt) -> Result<(Self, Link), Error> {
        if source.on_connect.is_some() {
            return Err(Error::rejected("`on_connect` of the `Source` is for SQL"));
        }
        let address = Address::of(source)?;
        let (stream, socket) = stream::open(&address, source, attempt).await?;
        let mut settings = address.info.redis_settings().clone();
        if let Some(credentials) = &attempt.credentials {
            if !credentials.user().is_empty() {
                settings = settings.set_username(credentials.user());
            }
            settings = settings.set_password(credentials.password());
        }
        // Some proxies hang up on CLIENT SETINFO.
        let settings = settings.set_skip_set_lib_name();
        let conversation = Conversation::default();
        let stream = Observed::new(stream, conversation.clone());
        // Each use of this client has a limit of its own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let explained = |error| {
            let answer = conversation.take_error();
            let answer = answer.map(|it| error::without_secrets(&it, settings.password()));
            let error = error::connecting(error, answer);
            if error.rejects_sign_in() && address.lacks_password() && attempt.credentials.is_none()
            {
                source.problem(format!(
                    "names a user and no password; write `redis://:password@host` for a password \
                     alone: {error}"
                ))
            } else {
                error
            }
        };
        let opened = MultiplexedConnection::new_with_config(&settings, stream, config).await;
        let (client, work) = opened.map_err(explained)?;
        let mut connection = Self {
            lent: client.clone(),
            client,
            conversation: conversation.clone(),
            task: IoTask::spawn(work),
        };
        // The sign-in alone succeeds while the server loads its data, or without a password.
        connection.probe().await.map_err(explained)?;
        conversation.begin();
        if source.read_write {
            connection.expect_primary().await?;
        }
        let link = Link {
            socket,
            session: None,
        };
        Ok((connection, link))
    }

    /// Sends PING. Any answer is a sign of life, even that the user has no right to ping. The
    /// exception is an answer after which no command is answered.
    async fn probe(&mut self) -> RedisResult<()> {
        let answer: RedisResult<Value> = cmd("PING").query_async(&mut self.client).await;
        match answer {
            Err(error) if error::is_answer(&error) && !error::serves_nobody(&error) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Fails if the server is a replica, which rejects writes. A server that does not report its
    /// role counts as a primary.
    async fn expect_primary(&mut self) -> Result<(), Error> {
        let role: RedisResult<Value> = cmd("ROLE").query_async(&mut self.client).await;
        match role {
            Ok(Value::Array(role)) => match role.first() {
                Some(Value::BulkString(role)) if role != b"master" => Err(Error::unavailable(
                    "the server is a replica: it rejects writes",
                )),
                _ => Ok(()),
            },
            Err(error) if error::is_answer(&error) && !error::serves_nobody(&error) => Ok(()),
            Err(error) => Err(error::connecting(error, None)),
            Ok(_) => Ok(()),
        }
    }

    /// Waits for the answers to requests that a handler has abandoned, and ends a transaction that
    /// it has left open. Does nothing if there is neither. Returns `true` if there was a
    /// transaction.
    async fn settle(&mut self) -> Result<bool, Error> {
        self.expect_usable()?;
        if self.conversation.is_blocked() {
            // It would take an element that nobody gets.
            return Err(Error::broken(
                "an abandoned command still waits at the server",
            ));
        }
        if self.conversation.is_unfinished() {
            // The server answers in order: this answer is the last one.
            self.probe().await.map_err(Error::broken)?;
        }
        let end = self.conversation.end_of_transaction();
        if let Some(end) = end {
            let ended: RedisResult<()> = cmd(end).exec_async(&mut self.client).await;
            ended.map_err(Error::broken)?;
        }
        self.expect_usable()?;
        if self.conversation.is_unfinished() || self.conversation.end_of_transaction().is_some() {
            return Err(Error::broken("its answers do not match its requests"));
        }
        Ok(end.is_some())
    }

    /// Sends the requests that are queued, and reads the answers that have arrived. Fails if no
    /// further handler may use the connection.
    fn expect_usable(&self) -> Result<(), Error> {
        if !self.conversation.reading_little(|| self.task.catch_up()) {
            return Err(Error::broken("its stream has ended"));
        }
        match self.conversation.defect() {
            Some(defect) => Err(Error::broken(defect)),
            None => Ok(()),
        }
    }
}

impl Connect for RedisConnection {
    const DRIVER: Option<Driver<Self>> = Some(Driver::of());

    fn connect(source: &Source) -> impl Future<Output = Result<Self, Error>> + Send {
        boxed(async move {
            let attempt = Attempt::single(source, Counters::of_process()).await?;
            let (connection, _link) = Self::open(source, &attempt).await?;
            Ok(connection)
        })
    }

    fn check(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        let expects_primary = source.read_write;
        boxed(async move {
            // A task may have used it while it was idle. After MULTI the answer would be QUEUED.
            self.settle().await?;
            if expects_primary {
                self.expect_primary().await?;
            } else {
                self.probe().await.map_err(Error::broken)?;
            }
            self.expect_usable()
        })
    }

    fn needs_quiesce(&self) -> bool {
        self.expect_usable().is_err()
            || self.conversation.is_unfinished()
            || self.conversation.end_of_transaction().is_some()
    }

    fn quiesce(&mut self, _: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        boxed(async move {
            if self.settle().await? {
                events::left_open(&environment::function(), HandlerName::UNKNOWN);
            }
            Ok(())
        })
    }
}

impl DriverConnect for RedisConnection {
    const IS_EXCLUSIVE: bool = true;

    fn resets_all(_: &Source) -> bool {
        true
    }

    /// Returns `true` if its stream has ended while it was idle, or if a task has used it.
    fn is_doubtful(&self) -> bool {
        self.needs_quiesce()
    }

    fn clear(&mut self) -> Answer<'_, ()> {
        // redis-rs prepares nothing.
        Box::pin(std::future::ready(Ok(())))
    }

    fn connect_attempt<'a>(source: &'a Source, attempt: &'a Attempt) -> Answer<'a, (Self, Link)> {
        Box::pin(Self::open(source, attempt))
    }

    fn reset<'a>(&'a mut self, source: &'a Source) -> Answer<'a, Reset> {
        Box::pin(async {
            self.check(source).await?;
            Ok(if self.conversation.has_changed_session() {
                Reset::Changed
            } else {
                Reset::Complete
            })
        })
    }

    fn server_load<'a>(
        &'a mut self,
        _: &'a Source,
        _least_idle: Duration,
    ) -> Answer<'a, Option<ServerLoad>> {
        Box::pin(async {
            let info: RedisResult<String> = cmd("INFO")
                .arg("clients")
                .query_async(&mut self.client)
                .await;
            match info {
                Ok(info) => Ok(load(&info)),
                // A user without the right to ask, or a server without the command.
                Err(error) if error::is_answer(&error) => Ok(None),
                Err(error) => Err(Error::broken(error)),
            }
        })
    }
}

/// Returns the load by the section `clients` of INFO. Redis before 6.2 does not report its limit.
fn load(info: &str) -> Option<ServerLoad> {
    let number = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line?.strip_prefix(':')?.trim().parse().ok()
    };
    // The connections between the nodes of a cluster count, too.
    let of_cluster: u64 = number("cluster_connections").unwrap_or(0);
    Some(ServerLoad {
        connections: number("connected_clients")?.saturating_add(of_cluster),
        limit: number("maxclients")?,
        newer: 0,
    })
}

/// A handler that takes `&mut MultiplexedConnection` gets the client of a connection that is kept.
#[diagnostic::do_not_recommend]
impl FromConnection for MultiplexedConnection {
    type Connection = RedisConnection;
    type Open<'c> = &'c mut Self;

    async fn open<'c>(
        connection: &'c mut RedisConnection,
        _: &Source,
    ) -> Result<&'c mut Self, Error> {
        connection.lent = connection.client.clone();
        connection.lent.set_response_timeout(RESPONSE_TIMEOUT);
        Ok(&mut connection.lent)
    }
}

#[diagnostic::do_not_recommend]
impl Finish for &mut MultiplexedConnection {
    async fn finish(self, _: Outcome) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_that_of_the_section_clients() {
        let info = "# Clients\r\nconnected_clients:3\r\ncluster_connections:0\r\nmaxclients:10\r\n";
        let wanted = ServerLoad {
            connections: 3,
            limit: 10,
            newer: 0,
        };
        assert_eq!(load(info), Some(wanted));
        assert_eq!(load("# Clients\r\nconnected_clients:3\r\n"), None);
    }
}
