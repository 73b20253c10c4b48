//! The servers, the proxy and the function of a cell.

use std::cell::Cell as Flag;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Outcome, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::{LIMIT, until, within};
use tokio::time::{Instant, sleep};

use super::Plan;
use super::cell::{Cell, Wanted};
use super::fault::Fault;
use super::process::sockets_to;
use super::server::Server;
use crate::stress::Length;

/// A freeze longer than the function's `verify_after` of 50 ms.
pub(super) const FREEZE: Duration = Duration::from_millis(60);

pub(super) struct Stage<'a, S> {
    /// The server that accepts writes. A failover exchanges it with `reader`.
    pub(super) writer: &'a S,
    pub(super) reader: Option<&'a S>,
    pub(super) proxy: Proxy,
    pub(super) sandbox: Sandbox,
    path: &'static str,
    pub(super) cell: Cell,
    /// The greatest number that other cells have written before.
    before: i64,
    /// The number that was written last.
    last: i64,
}

impl<'a, S: Server> Stage<'a, S> {
    /// Starts the function and invokes it once. It then has a connection and is frozen.
    pub(super) async fn start(
        plan: Plan<'_>,
        writer: &'a S,
        reader: Option<&'a S>,
        fault: Fault,
        (handle, path): (&'static str, &'static str),
    ) -> Self {
        let bound = (plan.length == Length::Long).then(|| fault.bound());
        let proxy = Proxy::start(writer.addr()).await;
        let sandbox = Sandbox::builder(plan.program)
            .env("DATABASE_URL", writer.url_at(proxy.port()))
            .timeout(fault.timeout())
            .start()
            .await;
        if let Some(reader) = reader {
            reader.set_read_only(true).await;
        }
        let mut stage = Self {
            writer,
            reader,
            proxy,
            sandbox,
            path,
            cell: Cell::new(S::NAME, fault.name(), handle, bound),
            before: 0,
            last: 0,
        };
        stage.before = stage.notes().await.into_iter().max().unwrap_or(0);
        stage.last = stage.before;
        stage.invoke(Wanted::Success).await;
        stage
    }

    /// Writes the next number, and waits for the freeze.
    pub(super) async fn invoke(&mut self, wanted: Wanted) {
        self.invoke_and(wanted, std::future::ready(())).await;
    }

    /// Writes the next number while `meanwhile` runs, and waits for the freeze.
    pub(super) async fn invoke_and(&mut self, wanted: Wanted, meanwhile: impl Future<Output = ()>) {
        let event = self.event("");
        let (answer, ()) = tokio::join!(self.sandbox.invoke(event), meanwhile);
        self.record(&answer, wanted).await;
    }

    /// Writes the next number and sends a query that takes 1 s.
    ///
    /// The handler waits for the answer for at most `patience`. `strike` runs once the server has
    /// begun the query.
    pub(super) async fn query(
        &mut self,
        patience: Duration,
        wanted: Wanted,
        strike: impl AsyncFnOnce(&Self),
    ) {
        let event = self.event(&format!("&patience={}", patience.as_millis()));
        // A server notices that its client has disconnected only when the query is over.
        let mut server = self.writer.administrator().await;
        within("the end of the previous query", async {
            while S::runs_query(&mut server).await {
                sleep(FREEZE).await;
            }
        })
        .await;
        let is_over = Flag::new(false);
        let invoke = async {
            let answer = self.sandbox.invoke(event).await;
            is_over.set(true);
            answer
        };
        let strike = async {
            until("the query", async || {
                is_over.get() || S::runs_query(&mut server).await
            })
            .await;
            strike(self).await;
        };
        let (answer, ()) = tokio::join!(invoke, strike);
        self.record(&answer, wanted).await;
    }

    /// Returns `true` if the handle is a pool, which may briefly have more than one connection.
    pub(super) fn is_pool(&self) -> bool {
        self.path == "/pool"
    }

    fn event(&mut self, more: &str) -> Event {
        self.last += 1;
        Event::get(&format!("{}?n={}{more}", self.path, self.last))
    }

    /// Records the answer and waits for the freeze.
    async fn record(&mut self, answer: &Answer, wanted: Wanted) {
        self.cell.record(answer, wanted, self.last);
        // A process that has ended does not freeze.
        if matches!(answer.outcome, Outcome::Http(_) | Outcome::Failed(_)) {
            self.sandbox.frozen().await;
        }
    }

    /// Waits until the next invocation has to check its connection.
    pub(super) async fn stay_frozen(&self) {
        sleep(FREEZE).await;
    }

    /// Waits until one connection is left, and returns the figures of the cell.
    pub(super) async fn end(mut self, rounds: usize) -> Cell {
        self.cell.rounds = rounds;
        let since = Instant::now();
        loop {
            self.cell.sessions = Some(self.sessions().await);
            self.cell.sockets = sockets_to(self.sandbox.pid(), self.proxy.port());
            if self.cell.keeps_one() || since.elapsed() > LIMIT {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        let notes = self.notes().await;
        let own: Vec<i64> = notes.into_iter().filter(|n| *n > self.before).collect();
        self.cell.compare(&own);
        self.cell.look_for_secrets(&self.sandbox.output());
        self.sandbox.kill().await;
        self.proxy.close().await;
        self.writer.end_sessions().await;
        if let Some(reader) = self.reader {
            reader.end_sessions().await;
            reader.set_read_only(false).await;
        }
        self.cell
    }

    async fn sessions(&self) -> usize {
        let of_reader = match self.reader {
            Some(reader) => reader.sessions().await.len(),
            None => 0,
        };
        self.writer.sessions().await.len() + of_reader
    }

    async fn notes(&self) -> Vec<i64> {
        let mut notes = self.writer.notes().await;
        if let Some(reader) = self.reader {
            notes.extend(reader.notes().await);
        }
        notes
    }
}
