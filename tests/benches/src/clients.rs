//! Warm invocations with other clients than sqlx's, each beside the same client in a static.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Redis;
use reuse_db_tests::stress::Programs;

use crate::Length;
use crate::figures::Spread;
use crate::output::Output;
use crate::stage::{Database, Place, Program, Stage};

/// The number of statements of an invocation.
const STATEMENTS: u64 = 3;

/// A client, with its way by hand and its way by reuse-db.
struct Client {
    name: &'static str,
    by_hand: &'static str,
    ours: &'static str,
    /// The round trips of an invocation by reuse-db.
    most_round_trips: u64,
}

const REDIS: Client = Client {
    name: "`&mut MultiplexedConnection`, Redis",
    by_hand: "held_redis",
    ours: "redis",
    most_round_trips: STATEMENTS,
};

/// Clients of databases. sqlx pings each connection that returns to a pool.
const OF_DATABASES: [(Database, Client); 4] = [
    (
        Database::Postgres,
        Client {
            name: "`&mut Client` of tokio-postgres",
            by_hand: "held_tokio_postgres",
            ours: "tokio_postgres",
            most_round_trips: STATEMENTS,
        },
    ),
    (
        Database::Postgres,
        Client {
            name: "`&mut AsyncPgConnection` of diesel-async",
            by_hand: "held_diesel",
            ours: "diesel",
            most_round_trips: STATEMENTS,
        },
    ),
    (
        Database::Postgres,
        Client {
            name: "`&DatabaseConnection`, PostgreSQL",
            by_hand: "static_sea_orm",
            ours: "sea_orm",
            most_round_trips: 2 * STATEMENTS,
        },
    ),
    (
        Database::Mysql,
        Client {
            name: "`&DatabaseConnection`, MariaDB",
            by_hand: "static_sea_orm",
            ours: "sea_orm",
            most_round_trips: 2 * STATEMENTS,
        },
    ),
];

pub(crate) async fn run(length: Length, output: &mut Output) {
    let (rounds, added): (usize, &[u64]) = match length {
        Length::Quick => (4, &[0]),
        Length::Long => (240, &[0, 500, 2_000]),
    };
    output.heading("Clients");
    output.text(&format!(
        "Warm invocations as above, plain: {STATEMENTS} statements or commands, {rounds} \
         invocations in turns. By hand means the same client in a static, as its documents show it."
    ));
    let mut head = "| client | round trips by hand | round trips |".to_owned();
    let mut rule = "|---|--:|--:|".to_owned();
    for micros in added {
        let millis = *micros as f64 / 1_000.0;
        let _ = write!(head, " {millis} ms added: by hand | reuse-db | ratio |");
        rule += "--:|--:|--:|";
    }
    let mut rows = vec![head, rule];

    let programs = Programs::built_of(env!("CARGO_PKG_NAME"), &["warm_function"]);
    let redis = Redis::start().await;
    output.server(&redis.version().await);
    let program = |way| Program {
        path: programs.path("warm_function"),
        script: None,
        way,
    };
    let start = async |way| {
        let address: SocketAddr = redis.addr();
        let proxy = Proxy::start(address).await;
        let url = redis.url_at(proxy.port());
        Stage::start(&program(way), proxy, url).await
    };
    let stages = [start(REDIS.by_hand).await, start(REDIS.ours).await];
    rows.push(measure(&REDIS, &stages, added, rounds).await);
    for (database, client) in OF_DATABASES {
        let place = Place::start(database, false).await;
        let stages = [
            place.start_sandbox(&program(client.by_hand)).await,
            place.start_sandbox(&program(client.ours)).await,
        ];
        rows.push(measure(&client, &stages, added, rounds).await);
    }
    output.text(&rows.join("\n"));
}

/// Returns a row of the table.
async fn measure(client: &Client, stages: &[Stage; 2], added: &[u64], rounds: usize) -> String {
    let path = format!("/?n={STATEMENTS}");
    let (mut trips, mut columns) = ([0.0; 2], String::new());
    for micros in added {
        let mut times = [Vec::new(), Vec::new()];
        let mut all = [Vec::new(), Vec::new()];
        for stage in stages {
            stage.proxy.delay(Duration::from_micros(micros / 2));
            // The first successes of a static are inspected.
            for _ in 0..4 {
                stage.invoke(&path).await;
            }
        }
        for round in 0..rounds {
            for nth in 0..2 {
                let nth = (nth + round) % 2;
                let (answer, round_trips) = stages[nth].invoke(&path).await;
                times[nth].push(answer.took);
                all[nth].push(round_trips);
            }
        }
        for (mean, all) in trips.iter_mut().zip(&mut all) {
            *mean = all.iter().sum::<u64>() as f64 / all.len() as f64;
            all.sort_unstable();
        }
        let median = all[1][rounds / 2];
        assert!(
            (STATEMENTS..=client.most_round_trips).contains(&median),
            "round trips: {}: {median}",
            client.name
        );
        let [by_hand, ours] = times.map(Spread::of);
        let ratio = ours.median / by_hand.median;
        let _ = write!(columns, " {by_hand} | {ours} | {ratio:.2} |");
    }
    format!(
        "| {} | {:.2} | {:.2} |{columns}",
        client.name, trips[0], trips[1]
    )
}
