//! The pages in `docs` agree with the code.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The level and the fields of each event, by its name.
type Events = BTreeMap<String, (String, BTreeSet<String>)>;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).expect("a file of the package")
}

/// Reads the calls of tracing's macros. A message may go on after its name and a colon.
fn events_in_code(code: &str) -> Events {
    let mut events = Events::new();
    for call in code.split("tracing::").skip(1) {
        let Some((level, rest)) = call.split_once("!(") else {
            continue;
        };
        let (arguments, _) = rest.split_once(");").expect("the end of the call");
        // The message is the last argument, and may contain commas.
        let arguments = arguments.replacen("target: \"reuse_db\"", "", 1);
        let (arguments, message) = arguments.split_once('"').expect("a message");
        let name = message.split([':', '"']).next().map(str::to_owned);
        let mut fields = BTreeSet::new();
        for argument in arguments.split(',').map(str::trim) {
            if !argument.is_empty() {
                let field = argument.split('=').next().unwrap_or(argument);
                fields.insert(field.trim().trim_start_matches(['?', '%']).to_owned());
            }
        }
        let event = events.entry(name.expect("a message")).or_default();
        event.0 = level.to_owned();
        event.1.extend(fields);
    }
    events
}

/// Reads the rows of the table "Events": name, level, meaning, fields.
fn events_in_table(page: &str) -> Events {
    let (_, table) = page.split_once("## Events").expect("the section");
    let (table, _) = table.split_once("\n## ").expect("the next section");
    let quoted = |cell: &str| -> BTreeSet<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    let mut events = Events::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`').to_owned();
        events.insert(name, (cells[2].to_owned(), quoted(cells[4])));
    }
    events
}

#[test]
fn the_table_of_events_is_complete() {
    let code = events_in_code(&file("src/telemetry/events.rs"));
    let table = events_in_table(&file("docs/logging.md"));
    assert!(code.len() > 10, "{code:#?}");
    assert_eq!(code, table);
}

#[test]
fn events_are_logged_in_one_file() {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            files.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if !path.ends_with("telemetry/events.rs") {
            let text = fs::read(&path).expect("a file");
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains("target: \"reuse_db\""), "{}", path.display());
        }
    }
}

#[test]
fn the_embedded_picture_is_the_one_in_the_readme() {
    let definition = file("docs/invocation.uri.md");
    let (_, encoded) = definition.trim().split_once("base64,").expect("a data URI");
    let picture = BASE64_STANDARD.decode(encoded).expect("base64");
    assert!(
        picture == file("docs/invocation.svg").into_bytes(),
        "write docs/invocation.uri.md again: `[invocation-life]: data:image/svg+xml;base64,` and \
         the output of `base64 -w0 docs/invocation.svg`"
    );
}
