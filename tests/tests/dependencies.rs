//! The packages that reuse-db adds to a user's build.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The dependencies of a handler with sqlx, without reuse-db.
const DEPENDENCIES: &str = r#"
lambda_http = { version = "1.3", default-features = false, features = ["apigw_http"] }
sqlx = { version = "0.9", default-features = false, features = ["postgres", "runtime-tokio"] }
tokio = { version = "1.44", features = ["macros"] }
"#;

#[test]
fn the_macro_crate_has_three_dependencies() {
    let root = root();
    let packages = tree(root, &["-p", "reuse-db-macros", "--depth", "1"]);
    let names: Vec<_> = packages
        .iter()
        .filter_map(|package| package.split(' ').next())
        .collect();
    assert_eq!(names, ["proc-macro2", "quote", "reuse-db-macros", "syn"]);
}

#[test]
fn a_user_gets_no_second_version_of_anything() {
    let root = root();
    let folder = tempfile::tempdir().expect("a folder");
    let reuse_db = root.join("runtime");
    package(folder.path(), "without", DEPENDENCIES);
    package(
        folder.path(),
        "with",
        &format!("{DEPENDENCIES}reuse-db = {{ path = {reuse_db:?}, features = [\"postgres\"] }}\n"),
    );
    write(
        &folder.path().join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"with\", \"without\"]\n",
    );
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("the lock file");

    let without = tree(folder.path(), &["-p", "without"]);
    let with = tree(folder.path(), &["-p", "with"]);
    let duplicates = tree(
        folder.path(),
        &["-p", "with", "--duplicates", "--depth", "0"],
    );
    let ours: Vec<_> = duplicates.difference(&without).collect();
    assert!(ours.is_empty(), "{ours:?}");
    // reuse-db and its macros; the packages that tokio needs for SIGTERM; rustix, with its
    // constants of Linux, for the sockets.
    let more = with
        .difference(&without)
        .filter_map(|package| package.split(' ').next());
    assert_eq!(
        more.collect::<Vec<_>>(),
        [
            "errno",
            "linux-raw-sys",
            "reuse-db",
            "reuse-db-macros",
            "rustix",
            "signal-hook-registry",
            "with"
        ]
    );
}

#[test]
fn a_feature_brings_its_own_client_alone() {
    let clients = [
        "diesel-async",
        "mysql_async",
        "redis",
        "rustls",
        "sea-orm",
        "sqlx-mysql",
        "sqlx-postgres",
        "sqlx-sqlite",
        "tokio-postgres",
    ];
    for (features, wanted) in [
        ("", &[][..]),
        ("local", &[]),
        ("postgres", &["sqlx-postgres"]),
        ("mysql", &["sqlx-mysql"]),
        ("sqlite", &["sqlx-sqlite"]),
        ("redis", &["redis"]),
        ("redis-tls", &["redis", "rustls"]),
        ("postgres,sea-orm", &["sea-orm", "sqlx-postgres"]),
        ("tokio-postgres", &["tokio-postgres"]),
        ("tokio-postgres-tls", &["rustls", "tokio-postgres"]),
        ("diesel-async", &["diesel-async", "tokio-postgres"]),
        ("diesel-async-mysql", &["diesel-async", "mysql_async"]),
        (
            "diesel-async-mysql-tls",
            &["diesel-async", "mysql_async", "rustls"],
        ),
    ] {
        let names = names_of(features);
        let found: Vec<_> = clients
            .into_iter()
            .filter(|name| names.contains(*name))
            .collect();
        assert_eq!(found, wanted, "{features}");
    }
}

/// No SDK of AWS: its signer alone would bring 17 packages.
#[test]
fn the_feature_aws_adds_few_packages() {
    let with_sqlx_for_mysql = ["cmov", "ctutils", "hmac", "humantime"];
    for (driver, wanted) in [
        ("postgres", &["humantime"][..]),
        ("tokio-postgres", &["humantime"]),
        ("mysql", &with_sqlx_for_mysql),
    ] {
        let (without, with) = (names_of(driver), names_of(&format!("{driver},aws")));
        let more: Vec<_> = with.difference(&without).collect();
        assert_eq!(more, wanted, "{driver}");
    }
}

/// Returns the names of the packages of reuse-db with features.
fn names_of(features: &str) -> BTreeSet<String> {
    let arguments = [
        "-p",
        "reuse-db",
        "--no-default-features",
        "--features",
        features,
    ];
    let packages = tree(root(), &arguments);
    let names = packages
        .iter()
        .filter_map(|package| package.split(' ').next());
    names.map(ToOwned::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
}

fn package(folder: &Path, name: &str, dependencies: &str) {
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("src")).expect("a folder");
    write(&folder.join("src/main.rs"), "fn main() {}\n");
    write(
        &folder.join("Cargo.toml"),
        &format!("[package]\nname = {name:?}\nedition = \"2024\"\n\n[dependencies]{dependencies}"),
    );
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
}

/// Returns the packages of a build, each as `name vVERSION`.
fn tree(folder: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    text.lines()
        .filter(|line| !line.is_empty())
        .map(words)
        .collect()
}
