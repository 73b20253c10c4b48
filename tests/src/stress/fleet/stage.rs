use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::wait::until;
use tokio::time::Instant;

use super::counters::Counters;
use super::server::Scarce;
use super::sessions::Sessions;
use super::sockets::Watch;
use super::traffic::{Life, Traffic};
use super::way::Way;
use crate::stress::{Length, Programs};

/// The default time-out of Lambda.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);

/// A server with few connections, and the function in front of it.
pub(super) struct Stage<S: Scarce> {
    program: PathBuf,
    pub(super) server: S,
    /// An administrator's connection, beside the slots.
    pub(super) watcher: S::Connection,
    pub(super) slots: usize,
    pub(super) length: Length,
}

/// A fleet after its traffic. Dropping it ends its processes.
pub(super) struct Fleet {
    pub(super) lives: Vec<Life>,
    /// The sessions at the server once all sandboxes are frozen.
    pub(super) kept: usize,
    /// The most connections of a process: the kernel's and the server's count.
    pub(super) most: [usize; 2],
    /// The number of sessions at the server at each look, and the time of the look.
    pub(super) sessions: Vec<(Duration, usize)>,
}

impl<S: Scarce> Stage<S> {
    pub(super) async fn start(programs: &Programs, length: Length, slots: usize) -> Self {
        let (server, watcher) = S::with(slots).await;
        Self {
            program: programs.path("fleet_function"),
            server,
            watcher,
            slots,
            length,
        }
    }

    pub(super) fn is_long(&self) -> bool {
        self.length == Length::Long
    }

    pub(super) async fn sessions(&mut self) -> usize {
        S::sessions(&mut self.watcher).await.len()
    }

    /// Starts sandboxes and waits for their initialization, which is not measured.
    pub(super) async fn sandboxes(&self, count: usize, way: Way) -> Vec<Sandbox> {
        let mut sandboxes = Vec::new();
        for nth in 0..count {
            sandboxes.push(self.sandbox(nth, way, self.server.address()).await);
        }
        for sandbox in &sandboxes {
            sandbox.invoke(Event::get("/nothing")).await.ok();
        }
        sandboxes
    }

    /// Starts the sandbox of this number. It reaches the server at `address`.
    pub(super) async fn sandbox(&self, nth: usize, way: Way, address: SocketAddr) -> Sandbox {
        let mut builder = Sandbox::builder(&self.program)
            .env(
                "DATABASE_URL",
                self.server.url_of(nth, address.port()).await,
            )
            .env(
                "AWS_LAMBDA_LOG_STREAM_NAME",
                format!("2026/01/01/[$LATEST]{nth:08x}"),
            )
            .timeout(TIMEOUT);
        if way.is_by_hand() {
            builder = builder.env("BY_HAND", "1");
        }
        builder.start().await
    }

    /// Invokes `count` new sandboxes, all at the same time.
    pub(super) async fn fleet(&mut self, count: usize, traffic: Traffic) -> Fleet {
        let sandboxes = self.sandboxes(count, traffic.way).await;
        let pids = sandboxes.iter().map(Sandbox::pid).collect();
        let watch = Watch::start(pids, self.server.address().port());
        let begun = Instant::now();
        let lives: Vec<_> = sandboxes
            .into_iter()
            .map(|sandbox| tokio::spawn(Life::of(sandbox, traffic, begun)))
            .collect();
        let ends = async {
            let mut ended = Vec::new();
            for life in lives {
                ended.push(life.await.expect("a life does not panic"));
            }
            ended
        };
        let (mut lives, sessions) = Sessions::during::<S, _>(&mut self.watcher, ends).await;
        let most = [watch.most(), sessions.most];
        for life in &mut lives {
            life.settle().await;
        }
        let kept = self.sessions().await;
        for life in &mut lives {
            life.counters = Counters::of(&life.sandbox.invoke(Event::get("/nothing")).await);
        }
        Fleet {
            lives,
            kept,
            most,
            sessions: sessions.counts,
        }
    }

    /// Waits until the server has ended the sessions of sandboxes that are gone.
    pub(super) async fn clear(&mut self) {
        until("the end of all sessions", async || {
            self.sessions().await == 0
        })
        .await;
    }
}
