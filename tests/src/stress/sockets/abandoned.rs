//! Statements that a handler abandons before it succeeds. Nobody else reads their answers.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::{Fleet, Found, sleeps};
use crate::function::server::Server;
use crate::stress::Programs;

/// The forms of a handler that can abandon a statement and succeed.
const FORMS: [&str; 4] = ["/conn", "/lease-once", "/pool", "/any"];

/// The time of a packet in each direction during a BEGIN that is abandoned after 10 ms.
const DELAY: Duration = Duration::from_millis(100);

/// The time at which the answer of an abandoned statement arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Before the handler's end. The answer is unread at the end.
    Unread,
    /// After the response and before the freeze.
    BeforeFreeze,
    /// During the freeze. The limit of the work after the response is 0.5 s.
    DuringFreeze,
}

/// The ways in which a handler abandons a statement, by the words of its script.
const WAYS: [&str; 3] = ["cut", "cut-prepared", "cut-preparing"];

impl Arrival {
    /// Returns the script of a handler that abandons a statement, and the time of a packet in each
    /// direction.
    ///
    /// The statement is abandoned after 0.1 s of its execution, or in the round trip in which it is
    /// prepared.
    fn script(self, way: &str, round: usize, sleeps: &str) -> (String, Duration) {
        let is_prepared_slowly = way == "cut-preparing";
        let (seconds, delay, rest) = match self {
            Self::Unread => (0.2, 100, 400),
            Self::BeforeFreeze => (0.15, 40, 0),
            Self::DuringFreeze => (0.8, 400, 0),
        };
        let (seconds, delay) = if is_prepared_slowly {
            (0.0, Duration::from_millis(delay))
        } else {
            (seconds, Duration::ZERO)
        };
        // sqlx keeps prepared statements, so each round has a text of its own.
        let select = format!("select 'abandoned {round}', {sleeps}({seconds:.2})");
        (format!("{way} {select}\nsleep {rest}"), delay)
    }
}

/// Abandons a statement in each round. The next two invocations must read their own answers.
pub async fn rounds(
    server: &impl Server,
    programs: &Programs,
    arrival: Arrival,
    rounds: usize,
) -> Found {
    let mut found = Found::default();
    let fleet = Fleet::start(server, programs, &FORMS, &mut found).await;
    let sleeps = sleeps(server);
    for n in 0..rounds {
        let way = WAYS[n % WAYS.len()];
        let (script, delay) = arrival.script(way, n, sleeps);
        fleet.delay(delay);
        let answers = fleet.invoke(|_| script.clone()).await;
        fleet.delay(Duration::ZERO);
        for ((form, _), answer) in fleet.functions.iter().zip(answers) {
            let what = format!("round {n}, {form}: a handler that abandons a statement");
            found.record(&answer, None, &what);
        }
        if arrival == Arrival::DuringFreeze {
            sleep(Duration::from_millis(400)).await;
        }
        let what = format!("after a statement by `{way}` with its answer {arrival:?}");
        fleet.ask(n, &format!("first {what}"), &mut found).await;
        fleet.ask(n, &format!("second {what}"), &mut found).await;
    }
    found
}

/// Abandons a BEGIN in each round, whose answer arrives before the handler's end. The write of the
/// next invocation must persist.
pub async fn begins(server: &impl Server, programs: &Programs, rounds: usize) -> Found {
    let mut found = Found::default();
    let fleet = Fleet::start(server, programs, &FORMS, &mut found).await;
    for n in 0..rounds {
        let note = |form: &str| format!("{form} {n} after an abandoned BEGIN");
        fleet.ask(n, "before an abandoned BEGIN", &mut found).await;
        fleet.delay(DELAY);
        let answers = fleet.invoke(|_| "cut-begin 10\nsleep 500".to_owned()).await;
        fleet.delay(Duration::ZERO);
        for ((form, _), answer) in fleet.functions.iter().zip(answers) {
            let what = format!("round {n}, {form}: a handler that abandons a BEGIN");
            found.record(&answer, None, &what);
        }
        let write = |form: &str| format!("raw insert into notes values ('{}')", note(form));
        let answers = fleet.invoke(write).await;
        let written = join_all(fleet.functions.iter().map(async |(form, _)| {
            let sql = format!("select count(*) from notes where text = '{}'", note(form));
            server.number(&sql).await
        }));
        let written = written.await;
        for (((form, _), answer), written) in fleet.functions.iter().zip(answers).zip(written) {
            let what = format!("round {n}, {form}: the write after an abandoned BEGIN");
            found.record(&answer, None, &what);
            if written != 1 {
                let text = format!("{what}: {written} rows by another connection, not 1");
                found.broken.push(text);
            }
        }
    }
    found
}
