//! Statements per second of 1 to 64 tasks in one process, each with a lease for each statement.

use std::time::Duration;

use reuse_db::{Exclusive, Lease, Outcome};
use reuse_db_tests::statics::{exclusive, source};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Length;
use crate::output::Output;
use crate::stage::{Database, Place};

const SQL: &str = "select $1 + 1";

/// Something that runs a statement on a connection of its own.
#[derive(Clone)]
enum Way {
    /// The limit: each task holds a bare connection.
    Bare(String),
    Ours(&'static Exclusive<PgConnection>),
    Pool(PgPool),
}

pub(crate) async fn run(length: Length, output: &mut Output) {
    let (sizes, rounds, time): (&[usize], usize, Duration) = match length {
        Length::Quick => (&[1, 8], 1, Duration::from_millis(100)),
        Length::Long => (&[1, 2, 4, 8, 16, 32, 64], 5, Duration::from_millis(500)),
    };
    output.heading("Concurrency");
    output.text(
        "Statements per second of so many tasks in one process, each with a lease for each \
         statement, on connections of the same number: medians. PostgreSQL, plain, on the same \
         machine. At the limit, each task holds a bare connection.",
    );
    // Three ways hold as many connections as there are tasks.
    let place = Place::start_with_slots(Database::Postgres, 250).await;
    output.server(&place.version().await);
    let mut rows = vec![
        "| tasks | bare connections (limit) | `&mut` connection | sqlx's pool | `&mut` / sqlx's pool |"
            .to_owned(),
        "|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for &size in sizes {
        let url = place.url();
        let pool = PgPoolOptions::new()
            .max_connections(size as u32)
            .acquire_timeout(Duration::from_secs(60));
        let ways = [
            Way::Bare(url.clone()),
            Way::Ours(exclusive(
                source(url.clone()).max_connections(size).keep(size),
            )),
            Way::Pool(pool.connect(&url).await.expect("a pool")),
        ];
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..=rounds {
            for (way, rates) in ways.iter().zip(&mut rates) {
                rates.push(rate(way, size, time).await);
            }
        }
        let [bare, ours, pool] = rates.map(|mut rates| {
            // The first round opens the connections.
            rates.remove(0);
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        rows.push(format!(
            "| {size} | {bare:.0} | {ours:.0} | {pool:.0} | {:.2} |",
            ours / pool
        ));
        if let Way::Pool(pool) = &ways[2] {
            pool.close().await;
        }
        place.end_sessions().await;
    }
    output.text(&rows.join("\n"));
}

/// Returns the statements per second of `size` tasks.
async fn rate(way: &Way, size: usize, time: Duration) -> f64 {
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..size {
        let way = way.clone();
        tasks.spawn(async move { statements(way, begun + time).await });
    }
    let all: u64 = tasks.join_all().await.into_iter().sum();
    all as f64 / begun.elapsed().as_secs_f64()
}

async fn statements(way: Way, end: Instant) -> u64 {
    let mut count = 0;
    let mut bare = match &way {
        Way::Bare(url) => Some(PgConnection::connect(url).await.expect("a connection")),
        _ => None,
    };
    while Instant::now() < end {
        match (&way, &mut bare) {
            (Way::Ours(ours), _) => {
                let mut lease = ours.lease().await.expect("a lease");
                let db = Lease::open(&mut lease).await.expect("a connection");
                one(&mut *db).await;
                Lease::settle(lease, Outcome::Success);
            }
            (Way::Pool(pool), _) => one(pool).await,
            (Way::Bare(_), Some(bare)) => one(bare).await,
            (Way::Bare(_), None) => break,
        }
        count += 1;
    }
    count
}

async fn one(db: impl sqlx::PgExecutor<'_>) {
    let statement = sqlx::query_scalar::<_, i64>(SQL).bind(1_i64);
    statement.fetch_one(db).await.expect("an answer");
}
