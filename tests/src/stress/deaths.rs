//! The things that a dead or frozen sandbox holds at its server, and for how long.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::servers::{Mysql, Postgres, Session};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::{Length, Programs};
use crate::function::Function;
use crate::function::server::Server;

/// The time in which a lock and a statement must end after the function's time-out.
const BEYOND_TIME_OUT: Duration = Duration::from_secs(2);

/// The shortest idle limit by default.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// The idle limit of the source `idle_2`.
const SHORT_IDLE_LIMIT: Duration = Duration::from_secs(2);

/// The time between two looks at the server, and that of a look.
const LOOK: Duration = Duration::from_secs(1);

/// A thing that a sandbox holds when it dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    /// A row lock of an open transaction, after an UPDATE.
    Lock,
    /// A running statement.
    Statement,
    /// An idle session. The sandbox is frozen.
    Session,
    /// The row lock of a task that was not awaited. The sandbox stays frozen.
    Spawned,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    held: Held,
    form: &'static str,
    source: &'static str,
    time_out: Duration,
    /// The longest time that it may be held.
    limit: Duration,
}

/// Returns the cases of a run.
fn cases(length: Length) -> Vec<Case> {
    let time_outs: &[u64] = match length {
        Length::Short => &[2],
        Length::Long => &[3, 29, 900],
    };
    let mut cases = Vec::new();
    for time_out in time_outs {
        let time_out = Duration::from_secs(*time_out);
        let (source, idle) = match length {
            Length::Short => ("idle_2", SHORT_IDLE_LIMIT),
            Length::Long => ("plain", IDLE_LIMIT.max(time_out + Duration::from_secs(1))),
        };
        for (held, form) in [
            (Held::Lock, "/tx"),
            (Held::Lock, "/lease-tx"),
            (Held::Lock, "/conn"),
            (Held::Statement, "/conn"),
            (Held::Statement, "/tx"),
            (Held::Statement, "/pool"),
            (Held::Statement, "/any"),
            (Held::Session, "/conn"),
            (Held::Session, "/pool"),
            (Held::Spawned, "/tx"),
        ] {
            let (source, limit) = match held {
                Held::Session => (source, idle),
                _ => ("plain", time_out + BEYOND_TIME_OUT),
            };
            cases.push(Case {
                held,
                form,
                source,
                time_out,
                limit,
            });
        }
    }
    cases
}

/// Runs each case on PostgreSQL and on MariaDB, all at once.
///
/// # Panics
///
/// If something is held for longer than its limit.
pub async fn run(programs: &Programs, length: Length) -> String {
    let (postgres, mysql) = tokio::join!(on_postgres(programs, length), on_mysql(programs, length));
    postgres + &mysql
}

/// Runs each case on PostgreSQL, as [`run`] does.
pub async fn on_postgres(programs: &Programs, length: Length) -> String {
    on::<Postgres>(programs, length).await
}

/// Runs each case on MySQL or MariaDB, as [`run`] does.
pub async fn on_mysql(programs: &Programs, length: Length) -> String {
    on::<Mysql>(programs, length).await
}

async fn on<S: Server + 'static>(programs: &Programs, length: Length) -> String {
    let mut report = String::new();
    let server = Rc::new(S::launch().await);
    let _ = writeln!(
        report,
        "## {}\n\n| held | form | time-out | limit | held for |\n|---|---|--:|--:|--:|",
        server.name()
    );
    let all = LocalSet::new();
    let run = all.run_until(async {
        // MySQL has no limit for a transaction that the crate has not begun.
        let is_limited = |case: &Case| (case.held, case.form) != (Held::Lock, "/conn");
        let cases = cases(length)
            .into_iter()
            .filter(|case| server.name() != "mysql" || is_limited(case))
            .enumerate();
        let tasks = cases.map(|(n, case)| {
            let (server, programs) = (Rc::clone(&server), programs.clone());
            let held_for = async move { held_for(n, case, &*server, &programs).await };
            (case, spawn_local(held_for))
        });
        let tasks: Vec<_> = tasks.collect();
        for (case, task) in tasks {
            let held_for = task.await.expect("a time");
            let Case { held, form, .. } = case;
            let [time_out, limit] = [case.time_out, case.limit].map(|time| time.as_secs());
            let _ = writeln!(
                report,
                "| {held:?} | `{form}` | {time_out} s | {limit} s | {:.1} s |",
                held_for.as_secs_f64()
            );
            assert!(held_for <= case.limit + LOOK, "{report}");
        }
    });
    run.await;
    report
}

/// Returns the time for which something is held.
async fn held_for(n: usize, case: Case, server: &impl Server, programs: &Programs) -> Duration {
    let Case { held, form, .. } = case;
    let is_postgres = server.url().starts_with("postgres");
    let function = Function::start_sandbox(
        programs.path("field_function"),
        server,
        &[("SOURCE", case.source)],
        |sandbox| sandbox.timeout(case.time_out),
    )
    .await;
    let table = format!("raw create table held_{n} (v int)\nraw insert into held_{n} values (1)");
    function.script("/conn", &table).await.ok();
    let (own, slow) = if is_postgres {
        (
            "raw select pg_backend_pid()::text",
            "raw select pg_sleep(2000)",
        )
    } else {
        (
            "raw select cast(connection_id() as char)",
            "raw select sleep(2000)",
        )
    };
    let rows = function.rows(form, own).await;
    let pid: i64 = rows[0]
        .as_str()
        .expect("a number")
        .parse()
        .expect("a number");
    function.proxy.swallow_client_end(true);
    let begin = if form == "/conn" { "raw begin\n" } else { "" };
    let update = format!("{begin}raw update held_{n} set v = 2\nsleep 2000000");
    match held {
        Held::Lock => killed_in(&function, form, &update).await,
        Held::Statement => killed_in(&function, form, slow).await,
        Held::Session => drop(function.sandbox.kill().await),
        Held::Spawned => {
            let path = format!("{form}?spawn=yes");
            function.script(&path, &update).await.ok();
        }
    }
    let begun = Instant::now();
    let is_held = |session: &Session| match held {
        Held::Lock | Held::Spawned => session.in_transaction,
        Held::Statement => matches!(&*session.state, "active" | "Query"),
        Held::Session => true,
    };
    let is_held = |session: &Session| session.pid == pid && is_held(session);
    let mut has_seen = false;
    while server.sessions().await.iter().any(is_held) {
        has_seen = true;
        assert!(
            begun.elapsed() < case.limit * 2 + LOOK,
            "{case:?} is still held"
        );
        sleep(LOOK / 4).await;
    }
    assert!(has_seen, "{case:?} is not held");
    begun.elapsed()
}

/// Kills the sandbox in the middle of a script.
async fn killed_in(function: &Function, form: &str, script: &str) {
    let kill = async {
        sleep(Duration::from_millis(500)).await;
        function.sandbox.kill().await;
    };
    tokio::join!(function.sandbox.invoke(Event::post(form, script)), kill);
}
