//! Sockets between two invocations: connections that end, answers that nobody has read, and
//! descriptors that remain.

pub mod abandoned;
pub mod descriptors;
pub mod ended;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use lambda_bench::lambda::{Answer, Event, Outcome};
use lambda_bench::servers::{Mysql, Postgres};

use self::abandoned::Arrival;
use self::ended::Fault;
use super::{Length, Programs};
use crate::function::Function;
use crate::function::server::Server;

/// The number of rounds of a fault or an arrival in the long form.
const ROUNDS: usize = 50;

/// The number of connections of the long form of [`descriptors`].
const CONNECTIONS: u64 = 10_000;

/// The time limit of a function. It ends an invocation that hangs.
const TIME_OUT: Duration = Duration::from_secs(20);

/// Runs each round on PostgreSQL and MariaDB, plain and over TLS, all at once.
///
/// The long form has 50 rounds and 10,000 connections, the short form 2 rounds and 100 connections.
///
/// # Panics
///
/// If an invocation fails, reads an answer that is not its own, or loses its write; or if a
/// descriptor remains.
pub async fn run(programs: &Programs, length: Length) -> String {
    let (rounds, connections) = match length {
        Length::Short => (2, 100),
        Length::Long => (ROUNDS, CONNECTIONS),
    };
    let (postgres, postgres_over_tls, mariadb, mysql_over_tls) = tokio::join!(
        Box::pin(on::<Postgres>(
            "PostgreSQL",
            "",
            programs,
            rounds,
            connections
        )),
        Box::pin(on::<Postgres>(
            "PostgreSQL",
            "tls",
            programs,
            rounds,
            connections
        )),
        Box::pin(on::<Mysql>("MariaDB", "", programs, rounds, connections)),
        Box::pin(on::<Mysql>("MariaDB", "tls", programs, rounds, connections)),
    );
    postgres + &postgres_over_tls + &mariadb + &mysql_over_tls
}

async fn on<S: Server>(
    name: &str,
    place: &str,
    programs: &Programs,
    rounds: usize,
    connections: u64,
) -> String {
    let server = S::start_for(place).await;
    let name = if place.is_empty() {
        name.to_owned()
    } else {
        format!("{name} over TLS")
    };
    println!("{name}: started");
    let mut report = format!("## {name}\n\n| rounds | invocations | failed |\n|---|--:|--:|\n");
    let mut broken = Vec::new();
    let mut row = |what: &str, found: Found| {
        println!(
            "{name}: {what}: {} of {} failed",
            found.broken.len(),
            found.invocations
        );
        let _ = writeln!(
            report,
            "| {what} | {} | {} |",
            found.invocations,
            found.broken.len()
        );
        broken.extend(found.broken);
    };
    for fault in [
        Fault::SessionEnded,
        Fault::Close,
        Fault::Reset,
        Fault::Restart,
    ] {
        let found = ended::rounds(&server, programs, fault, rounds).await;
        row(&format!("{fault:?} within `verify_after`"), found);
    }
    for arrival in [
        Arrival::Unread,
        Arrival::BeforeFreeze,
        Arrival::DuringFreeze,
    ] {
        let found = abandoned::rounds(&server, programs, arrival, rounds).await;
        row(&format!("abandoned statement, answer {arrival:?}"), found);
    }
    let found = abandoned::begins(&server, programs, rounds).await;
    row("abandoned BEGIN", found);
    let found = descriptors::rounds(&server, programs, connections).await;
    row("connections opened and closed", found);
    assert!(broken.is_empty(), "{report}\n{}", broken.join("\n"));
    report + "\n"
}

/// Returns the name of the server's function that sleeps for some seconds.
fn sleeps(server: &impl Server) -> &'static str {
    if server.url().starts_with("postgres") {
        "pg_sleep"
    } else {
        "sleep"
    }
}

/// Returns a statement that selects `value` and takes 20 ms.
///
/// After it, a connection is older than the source `short_lived` allows, 10 ms. An age of zero
/// would make the maintenance task of sqlx's pool run without a pause.
pub fn aging(server: &impl Server, value: &str) -> String {
    format!("raw select '{value}', {}(0.02)", sleeps(server))
}

/// The number of invocations of some rounds, and what was wrong with some of them.
#[derive(Debug, Default)]
pub struct Found {
    /// The number of invocations.
    pub invocations: usize,
    /// The text of each broken promise.
    pub broken: Vec<String>,
}

impl Found {
    /// Asserts that no promise was broken.
    ///
    /// # Panics
    ///
    /// With the number of broken promises and the text of each.
    pub fn assert_sound(&self) {
        assert!(
            self.broken.is_empty(),
            "{} broken promises in {} invocations:\n{}",
            self.broken.len(),
            self.invocations,
            self.broken.join("\n")
        );
    }

    /// Records an answer, which must be a success with `expected` as the only row, if there is an
    /// expected row.
    fn record(&mut self, answer: &Answer, expected: Option<&str>, what: &str) {
        self.invocations += 1;
        match &answer.outcome {
            Outcome::Http(http) if http.status == 200 => {}
            Outcome::Failed(error) => {
                return self.broken.push(format!("{what}: {}", error.message));
            }
            _ => return self.broken.push(format!("{what}: no success: {answer:?}")),
        }
        let rows = &answer.json()["rows"];
        if let Some(expected) = expected
            && *rows != serde_json::json!([expected])
        {
            let text = format!("{what}: read {rows}, which is not its own answer {expected:?}");
            self.broken.push(text);
        }
    }
}

/// A function for each form of a handler, each in a sandbox of its own.
struct Fleet {
    functions: Vec<(&'static str, Function)>,
    /// The first parameter of a statement.
    placeholder: &'static str,
    /// The number of questions so far.
    asked: AtomicUsize,
}

impl Fleet {
    /// Starts the function of scripts for each form, and lets each open its connection.
    ///
    /// Each of a static's first three successes is followed by an inspection, so there are four.
    async fn start(
        server: &impl Server,
        programs: &Programs,
        forms: &[&'static str],
        found: &mut Found,
    ) -> Self {
        let start = async |form: &&'static str| {
            let program = programs.path("field_function");
            let function =
                Function::start_sandbox(program, server, &[], |sandbox| sandbox.timeout(TIME_OUT));
            (*form, function.await)
        };
        let functions = join_all(forms.iter().map(start)).await;
        let placeholder = if server.url().starts_with("postgres") {
            "$1"
        } else {
            "?"
        };
        let fleet = Self {
            functions,
            placeholder,
            asked: AtomicUsize::new(0),
        };
        for n in 0..4 {
            fleet.ask(n, "warm", found).await;
        }
        fleet
    }

    /// Invokes all functions at once, and waits for their freezes. Returns the answers.
    async fn invoke(&self, script: impl Fn(&str) -> String) -> Vec<Answer> {
        let invoke = async |(form, function): &(&str, Function)| {
            let event = Event::post(form, script(form));
            let answer = function.sandbox.invoke(event).await;
            if !answer.timed_out() {
                function.sandbox.frozen().await;
            }
            answer
        };
        join_all(self.functions.iter().map(invoke)).await
    }

    /// Sets the time of a packet in each direction.
    fn delay(&self, each_way: Duration) {
        for (_, function) in &self.functions {
            function.proxy.delay(each_way);
        }
    }

    /// Asks for a value that no other invocation asks for, and records the answers.
    ///
    /// The statement is prepared in every second pair of rounds.
    async fn ask(&self, round: usize, what: &str, found: &mut Found) {
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        let value = |form: &str| format!("own-{nth}{form}");
        let script = |form: &str| {
            if (round / 2).is_multiple_of(2) {
                format!("raw select '{}'", value(form))
            } else {
                format!("text {} select {}", value(form), self.placeholder)
            }
        };
        let answers = self.invoke(script).await;
        for ((form, function), answer) in self.functions.iter().zip(answers) {
            let what = format!("round {round}, {form}, {what}");
            found.record(&answer, Some(&value(form)), &what);
            if function.sandbox.starts() != 1 {
                found
                    .broken
                    .push(format!("{what}: the process was replaced"));
            }
        }
    }
}
