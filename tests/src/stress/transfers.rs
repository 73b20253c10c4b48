//! Money is neither lost nor made: transfers between accounts, in sandboxes that panic, fail, time
//! out and are killed, on a server that restarts.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use lambda_bench::lambda::{Answer, Event, Outcome, Sandbox};
use lambda_bench::servers::{Mysql, Postgres};
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tokio::time::sleep;

use super::{Length, Programs};

const SANDBOXES: usize = 8;
const ACCOUNTS: i64 = 20;
const BALANCE: i64 = 1_000;
/// A fault hits an invocation of so many.
const FAULT: i64 = 10;

const SCHEMA: [&str; 2] = [
    "create table accounts (id bigint primary key, balance bigint not null)",
    "create table transfers (id bigint primary key, payer bigint not null, payee bigint not null, \
     amount bigint not null)",
];

/// A database, with what a test does to it.
enum Database {
    Postgres(Postgres),
    Mysql(Mysql),
    Sqlite(tempfile::TempDir),
}

impl Database {
    async fn start(name: &str) -> Self {
        match name {
            "PostgreSQL" => Self::Postgres(Postgres::start().await),
            "MariaDB" => Self::Mysql(Mysql::start().await),
            _ => Self::Sqlite(tempfile::tempdir().expect("a folder")),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url(),
            Self::Mysql(server) => server.url(),
            Self::Sqlite(folder) => {
                let file: PathBuf = folder.path().join("bank.db");
                format!("sqlite://{}?mode=rwc", file.display())
            }
        }
    }

    async fn restart(&self) {
        match self {
            Self::Postgres(server) => server.restart().await,
            Self::Mysql(server) => server.restart().await,
            Self::Sqlite(_) => {}
        }
    }

    async fn connect(&self) -> AnyConnection {
        install_default_drivers();
        AnyConnection::connect(&self.url())
            .await
            .expect("a connection")
    }
}

/// The end of an invocation for its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum End {
    /// A 201: it is committed.
    Done,
    /// A response or an error from before the COMMIT: it is not committed.
    NotDone,
    /// No answer, or one that says that the outcome of the COMMIT is unknown.
    Unknown,
}

impl End {
    /// Returns the end of an invocation whose handler may have been asked to sleep before COMMIT.
    fn of(answer: &Answer, sleeps: bool) -> Self {
        match &answer.outcome {
            Outcome::Http(http) if http.status == 504 && sleeps => Self::NotDone,
            Outcome::Http(http) if http.status == 201 => Self::Done,
            // The handler was ended while it waited for the answer to COMMIT.
            Outcome::Http(http) if http.status == 504 => Self::Unknown,
            Outcome::Http(_) => Self::NotDone,
            Outcome::Failed(error) if error.message.contains("COMMIT") => Self::Unknown,
            Outcome::Failed(error) if error.error_type == "Runtime.ExitError" => Self::Unknown,
            Outcome::Failed(_) => Self::NotDone,
            Outcome::TimedOut | Outcome::Crashed(_) | Outcome::Payload(_) => Self::Unknown,
        }
    }
}

/// A source of numbers that differ from run to run.
fn random(below: u64) -> u64 {
    getrandom::u64().expect("the system has random numbers") % below
}

/// Runs the transfers on each database by each client.
///
/// # Panics
///
/// If a balance is not what the transfers say, if a transfer that was answered with 201 is missing,
/// or if one is there that was not.
pub async fn run(programs: &Programs, length: Length) -> String {
    let transfers = match length {
        Length::Short => 120,
        Length::Long => 4_000,
    };
    let mut report = format!(
        "{transfers} transfers in {SANDBOXES} sandboxes. One of {FAULT} is hit by a fault.\n\n\
         | database | client | 201 | not done | unknown, and of these done | starts |\n\
         |---|---|--:|--:|--:|--:|\n"
    );
    for (database, client) in [
        ("PostgreSQL", "postgres"),
        ("MariaDB", "mysql"),
        ("SQLite", "sqlite"),
        ("PostgreSQL", "sea-orm"),
        ("MariaDB", "sea-orm"),
        ("PostgreSQL", "tokio-postgres"),
        ("PostgreSQL", "diesel-async"),
        ("MariaDB", "diesel-async-mysql"),
    ] {
        let row = on(programs, database, client, transfers).await;
        writeln!(report, "| {database} | `{client}` | {row} |").expect("a text takes all");
    }
    report
}

async fn on(programs: &Programs, name: &str, client: &str, transfers: i64) -> String {
    let database = Database::start(name).await;
    let mut db = database.connect().await;
    for sql in SCHEMA {
        sqlx::raw_sql(sql).execute(&mut db).await.expect("a table");
    }
    for account in 0..ACCOUNTS {
        let sql = format!("insert into accounts values ({account}, {BALANCE})");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut db)
            .await
            .expect("an account");
    }
    db.close().await.expect("an end");

    let next = AtomicI64::new(0);
    let mut sandboxes = Vec::new();
    for _ in 0..SANDBOXES {
        let sandbox = Sandbox::builder(programs.path("transfer_function"))
            .env("DATABASE_URL", database.url())
            .env("CLIENT", client)
            .timeout(Duration::from_secs(2))
            .start()
            .await;
        sandboxes.push(sandbox);
    }
    let restart_twice = async {
        for part in 1..=2 {
            while next.load(Ordering::Relaxed) < transfers * part / 3 {
                sleep(Duration::from_millis(5)).await;
            }
            database.restart().await;
        }
    };
    let pay_all = join_all(
        sandboxes
            .iter()
            .map(|sandbox| pay(sandbox, &next, transfers)),
    );
    let (ends, ()) = tokio::join!(pay_all, restart_twice);
    let ends: HashMap<i64, End> = ends.into_iter().flatten().collect();
    let starts: usize = sandboxes.iter().map(Sandbox::starts).sum();
    assert_eq!(ends.len() as i64, transfers);
    let of_unknown = compare(
        &mut database.connect().await,
        &ends,
        &format!("{name}, {client}"),
    )
    .await;
    let count = |end| ends.values().filter(|other| **other == end).count();
    let (done, unknown) = (count(End::Done), count(End::Unknown));
    // Contention fails some on SQLite, whose writers wait for each other.
    assert!(
        done as i64 > transfers / 2,
        "{name}, {client}: {done} of {transfers}"
    );
    format!(
        "{done} | {} | {unknown}, {of_unknown} | {starts}",
        count(End::NotDone)
    )
}

/// Asks for the next transfer until all are done. Returns their ends.
async fn pay(sandbox: &Sandbox, next: &AtomicI64, transfers: i64) -> Vec<(i64, End)> {
    let mut ends = Vec::new();
    loop {
        let id = next.fetch_add(1, Ordering::Relaxed);
        if id >= transfers {
            return ends;
        }
        ends.push((id, transfer(sandbox, id).await));
    }
}

/// Asks for a transfer, perhaps with a fault.
async fn transfer(sandbox: &Sandbox, id: i64) -> End {
    let payer = random(ACCOUNTS as u64) as i64;
    let payee = (payer + 1 + random(ACCOUNTS as u64 - 1) as i64) % ACCOUNTS;
    let amount = 1 + random(10);
    let mut path = format!("/?id={id}&payer={payer}&payee={payee}&amount={amount}");
    let is_hit = random(FAULT as u64) == 0;
    let kills = is_hit && random(3) == 0;
    let how = ["panic", "fail", "sleep"][random(3) as usize];
    if is_hit && !kills {
        write!(path, "&how={how}&at={}", random(3)).expect("a text takes all");
    }
    let invocation = sandbox.invoke(Event::get(&path));
    let answer = if kills {
        let kill = async {
            sleep(Duration::from_micros(random(15_000))).await;
            sandbox.kill().await;
        };
        tokio::join!(invocation, kill).0
    } else {
        invocation.await
    };
    let end = End::of(&answer, is_hit && !kills && how == "sleep");
    // A killed sandbox is not frozen.
    let _ = tokio::time::timeout(Duration::from_secs(5), sandbox.frozen()).await;
    end
}

/// Compares the tables with each other and with the answers. Returns the number of transfers that
/// were done without an answer.
async fn compare(db: &mut AnyConnection, ends: &HashMap<i64, End>, place: &str) -> usize {
    let accounts: Vec<(i64, i64)> = sqlx::query_as("select id, balance from accounts")
        .fetch_all(&mut *db)
        .await
        .expect("accounts");
    let transfers: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("select id, payer, payee, amount from transfers")
            .fetch_all(&mut *db)
            .await
            .expect("transfers");
    let sum: i64 = accounts.iter().map(|(_, balance)| balance).sum();
    assert_eq!(sum, ACCOUNTS * BALANCE, "{place}: the sum of the balances");
    for (account, balance) in &accounts {
        let moved: i64 = transfers
            .iter()
            .map(|(_, payer, payee, amount)| {
                amount * (i64::from(payee == account) - i64::from(payer == account))
            })
            .sum();
        assert_eq!(*balance, BALANCE + moved, "{place}: account {account}");
    }
    let found: HashSet<i64> = transfers.iter().map(|(id, ..)| *id).collect();
    let mut done_without_an_answer = 0;
    for (id, end) in ends {
        match (end, found.contains(id)) {
            (End::Done, true) | (End::NotDone, false) | (End::Unknown, false) => {}
            (End::Unknown, true) => done_without_an_answer += 1,
            (end, is_found) => panic!("{place}: transfer {id} is {end:?}, and found: {is_found}"),
        }
    }
    done_without_an_answer
}
