//! The table of the guarantees in the documents, which lists what this suite runs.

use std::fs;
use std::path::Path;

use crate::{BACKENDS, GUARANTEES};

#[test]
fn the_page_lists_what_runs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/docs/clients.md");
    let text = fs::read_to_string(&page).expect("a page");
    let is_row = |line: &&str| line.starts_with("| ");
    let found: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("## Guarantees"))
        .filter(is_row)
        .collect();
    let wanted = table();
    if std::env::var_os("TABLE").is_some_and(|value| value == "overwrite") {
        let old = found.join("\n");
        fs::write(&page, text.replace(&old, &wanted.join("\n"))).expect("a page");
        return;
    }
    assert_eq!(
        found, wanted,
        "run `TABLE=overwrite cargo test -p reuse-db-tests --test backends the_page`"
    );
}

fn table() -> Vec<String> {
    let mut names: Vec<&str> = BACKENDS.iter().map(|(name, _)| *name).collect();
    names.dedup();
    let servers = |name: &str| {
        let of = BACKENDS.iter().filter(|(other, _)| *other == name);
        let servers: Vec<_> = of
            .map(|(_, server)| server.replace("Mysql", "MariaDB"))
            .collect();
        servers.join(", ").replace("Postgres", "PostgreSQL")
    };
    let columns: Vec<_> = names
        .iter()
        .map(|name| format!("`{name}` on {}", servers(name)))
        .collect();
    let mut rows = vec![
        format!("| guarantee | {} |", columns.join(" | ")),
        "| --- |".to_owned(),
    ];
    rows[1] = format!("|{}", " --- |".repeat(names.len() + 1));
    for guarantee in GUARANTEES {
        rows.push(format!(
            "| {} |{}",
            guarantee.trim(),
            " yes |".repeat(names.len())
        ));
    }
    rows
}
