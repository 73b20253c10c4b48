use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant};

use super::{Iam, Identity, mysql_gate, postgres_gate};
use crate::host::free_port;
use crate::servers::{Mysql, Postgres};

/// A database with TLS, and with IAM if the test sets it, in front of a real server.
///
/// The gate asks the client for its token in clear text and checks it. It answers as RDS does, and
/// passes everything else through. The real server's user `app` needs no password.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

/// A sign-in that a gate has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The user.
    pub user: String,
    /// The token, or another password.
    pub token: String,
    /// The reason of a rejection.
    pub result: Result<(), String>,
}

/// The state that the connections of a gate share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) server: SocketAddr,
    pub(super) identity: Identity,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    iam: Option<Iam>,
    sign_ins: Vec<SignIn>,
    seen: HashSet<String>,
    unseen_in_each_second: Option<usize>,
    /// The times at which tokens were accepted that the gate had not seen.
    unseen: Vec<Instant>,
    rejects_until: Option<Instant>,
}

/// The protocol that a gate speaks.
#[derive(Clone, Copy)]
enum Protocol {
    Postgres,
    Mysql,
}

impl Gate {
    /// Starts a gate in front of a PostgreSQL server of [`Gate::postgres`].
    pub async fn before_postgres(server: &Postgres, identity: Identity) -> Self {
        Self::start(server.addr(), identity, Protocol::Postgres).await
    }

    /// Starts a gate in front of a server of MySQL or MariaDB, whose user `app` loses its password.
    pub async fn before_mysql(server: &Mysql, identity: Identity) -> Self {
        server.execute("alter user app@'%' identified by ''").await;
        Self::start(server.addr(), identity, Protocol::Mysql).await
    }

    /// Starts a PostgreSQL server that trusts each of its clients. It starts once only.
    pub async fn postgres() -> Postgres {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hba.conf");
        std::fs::write(&file, "host all all all trust\n").expect("the folder is our own");
        for path in [folder.path(), &file] {
            let readable = PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(path, readable).expect("the folder is our own");
        }
        let file = file.display().to_string();
        // The server reads the file at its start.
        Postgres::builder().setting("hba_file", &file).start().await
    }

    async fn start(server: SocketAddr, identity: Identity, protocol: Protocol) -> Self {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.expect("a free port");
        let shared = Arc::new(Shared {
            server,
            identity,
            state: Mutex::default(),
        });
        let of_connections = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = of_connections.clone();
                tokio::spawn(async move {
                    let _ = client.set_nodelay(true);
                    // The error is the client's, which sees the end of its connection.
                    let _ = match protocol {
                        Protocol::Postgres => postgres_gate::serve(client, &shared).await,
                        Protocol::Mysql => mysql_gate::serve(client, &shared).await,
                    };
                });
            }
        });
        Self {
            port,
            shared,
            listener: accepting.abort_handle(),
        }
    }

    /// Checks a token in each sign-in from now on.
    pub fn require(&self, iam: Iam) {
        self.state().iam = Some(iam);
    }

    /// Returns the port on which the gate listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the sign-ins so far.
    pub fn sign_ins(&self) -> Vec<SignIn> {
        self.state().sign_ins.clone()
    }

    /// Returns the tokens of the sign-ins so far, each once.
    pub fn tokens(&self) -> HashSet<String> {
        let sign_ins = self.sign_ins().into_iter();
        sign_ins.map(|sign_in| sign_in.token).collect()
    }

    /// Returns the number of connections that are open.
    pub fn connections(&self) -> usize {
        // The listener and the gate itself hold the other two.
        Arc::strong_count(&self.shared) - 2
    }

    /// Accepts no more than `count` tokens in each second that the gate has not seen.
    pub fn throttle_unseen(&self, count: usize) {
        self.state().unseen_in_each_second = Some(count);
    }

    /// Rejects each sign-in for a time.
    pub fn reject_for(&self, time: Duration) {
        self.state().rejects_until = Some(Instant::now() + time);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if the gate asks for a token.
    pub(super) fn asks(&self) -> bool {
        self.state().iam.is_some()
    }

    /// Checks and records a sign-in. Returns `true` if it is accepted.
    pub(super) fn accepts(&self, user: &str, token: &str) -> bool {
        let mut state = self.state();
        let result = state.check(user, token);
        let is_accepted = result.is_ok();
        state.sign_ins.push(SignIn {
            user: user.to_owned(),
            token: token.to_owned(),
            result,
        });
        is_accepted
    }

    /// Connects to the real server.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let server = TcpStream::connect(self.server).await?;
        server.set_nodelay(true)?;
        Ok(server)
    }
}

impl State {
    fn check(&mut self, user: &str, token: &str) -> Result<(), String> {
        const SECOND: Duration = Duration::from_secs(1);
        let now = Instant::now();
        if self.rejects_until.is_some_and(|until| now < until) {
            return Err("each sign-in is rejected".into());
        }
        if let Some(limit) = self.unseen_in_each_second
            && !self.seen.contains(token)
        {
            self.unseen.retain(|at| now.duration_since(*at) < SECOND);
            if self.unseen.len() >= limit {
                return Err("too many tokens that were not seen before".into());
            }
            self.unseen.push(now);
        }
        if let Some(iam) = &self.iam {
            iam.check(user, token)?;
        }
        self.seen.insert(token.to_owned());
        Ok(())
    }
}

/// Passes everything through until one side ends.
pub(super) async fn pass<C>(mut client: C, mut server: TcpStream) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
