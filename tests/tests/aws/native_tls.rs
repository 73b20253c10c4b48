//! With native-tls, verified TLS rejects each wrong certificate as well.

use std::fs;
use std::path::Path;

use lambda_bench::aws::{Authority, Gate};
use lambda_bench::servers::{Mysql, Postgres};
use tokio::process::Command;

const PROGRAM: &str = include_str!("native_tls/program.rs");

/// The packages of the program, in the versions of this workspace.
fn manifest(reuse_db: &Path) -> String {
    format!(
        r#"
[package]
name = "native-tls-program"
edition = "2024"

[workspace]

[dependencies]
reuse-db = {{ path = {reuse_db:?}, features = ["aws", "mysql", "postgres"] }}
tokio = {{ version = "1", features = ["macros", "rt"] }}

[dependencies.sqlx]
version = "0.9"
default-features = false
features = ["mysql", "postgres", "runtime-tokio", "tls-native-tls"]

[profile.dev]
debug = false
"#
    )
}

/// Runs the program, and returns the outcome of each URL.
async fn outcomes(urls: &[String]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().expect("a workspace");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("our folder");
        fs::write(file, text).expect("our folder");
    };
    write("src/main.rs", PROGRAM);
    write("Cargo.toml", &manifest(&root.join("runtime")));
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("the lock file");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--"])
        .args(urls)
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", root.join("target/native-tls"))
        .output()
        .await
        .expect("cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let outcomes = String::from_utf8(output.stdout).expect("a text");
    outcomes.lines().map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_certificate_is_named_with_native_tls() {
    let (postgres, mysql) = tokio::join!(Gate::postgres(), Mysql::start());
    let (authority, other) = (Authority::new(), Authority::new());
    let mut urls = Vec::new();
    let mut gates = Vec::new();
    for identity in [
        authority.issue(&["localhost"]),
        authority.issue(&["db.example"]),
        authority.issue_expired(&["localhost"]),
    ] {
        gates.push(gate_of_postgres(&postgres, identity.clone()).await);
        gates.push(Gate::before_mysql(&mysql, identity).await);
    }
    let file = authority.file().display().to_string();
    for pair in gates.chunks(2) {
        urls.push(format!(
            "postgres://app@localhost:{}/app?sslrootcert={file}",
            pair[0].port()
        ));
        urls.push(format!(
            "mysql://app@localhost:{}/app?ssl-ca={file}",
            pair[1].port()
        ));
    }
    let of_another = |url: &String| url.replace(&file, &other.file().display().to_string());
    urls.extend([of_another(&urls[0]), of_another(&urls[1])]);
    // Each of the three roots of a region is tried, and none has signed it.
    let of_rds = format!(
        "postgres://app@db.abc.us-east-1.rds.amazonaws.com:{}/app?hostaddr=127.0.0.1",
        gates[0].port()
    );
    urls.extend([of_rds.clone(), of_rds]);

    let causes = [
        "connected",
        "for another name than `localhost`",
        "the server's certificate has expired",
        "no authority that is trusted has signed",
        "no authority that is trusted has signed",
    ];
    let outcomes = outcomes(&urls).await;
    assert_eq!(outcomes.len(), 2 * causes.len(), "{outcomes:?}");
    for (pair, cause) in outcomes.chunks(2).zip(causes) {
        for outcome in pair {
            assert!(outcome.contains(cause), "{cause}: {outcome}");
            let is_permanent = outcome.starts_with("Some(Rejected)");
            assert!(is_permanent || cause == "connected", "{outcome}");
        }
    }
}

async fn gate_of_postgres(server: &Postgres, identity: lambda_bench::aws::Identity) -> Gate {
    Gate::before_postgres(server, identity).await
}
