//! The layers of the crate: a room imports from the rooms above it in `src/lib.rs` only.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the foundation up, as `src/lib.rs` lists them. Rooms of one layer do not import
/// from each other.
const LAYERS: [&[&str]; 11] = [
    &["clock", "environment", "error", "random", "sync"],
    &["local_http"],
    &["aws"],
    &["telemetry"],
    &["socket"],
    &["invocation", "response"],
    &["source"],
    &["connect"],
    &["drivers", "pool"],
    &["lambda", "statics"],
    &["attribute"],
];

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}

/// Returns the problem of a path `crate::…` in `room`, if it has one.
fn problem(room: &str, path: &str) -> Option<String> {
    let first = path.split("::").next().unwrap_or_default();
    if first == room {
        return None;
    }
    let Some(imported) = layer_of(first) else {
        return Some(format!(
            "`crate::{path}` is no path into a room: import the item from its room"
        ));
    };
    let own = layer_of(room).unwrap_or(usize::MAX);
    (imported >= own).then(|| format!("`{room}` must not import `crate::{path}`"))
}

/// Returns the paths after each `crate::` in code, and the names in `use crate::{…}`.
fn paths(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(names) => found.extend(names.split([',', '}', ';']).map(str::trim)),
            None => found.extend(rest.split(|c: char| !is_in_path(c)).next()),
        }
    }
    found.retain(|path| !path.is_empty());
    found
}

fn is_in_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// Checks the code of one file before its unit tests.
fn problems(room: &str, code: &str) -> Vec<String> {
    code.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test"))
        .flat_map(paths)
        .filter_map(|path| problem(room, path))
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn imports_follow_the_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut found = Vec::new();
    for file in all {
        let path = file.strip_prefix(&src).expect("in src");
        let is_test = path.components().any(|part| {
            matches!(
                part.as_os_str().to_str(),
                Some("tests" | "tests.rs" | "testing.rs")
            )
        });
        let first = path.components().next().expect("a name");
        let room = first.as_os_str().to_str().expect("Unicode");
        let room = room.trim_end_matches(".rs");
        if is_test || room == "lib" {
            continue;
        }
        assert!(layer_of(room).is_some(), "`{room}` belongs to no layer");
        let code = fs::read_to_string(&file).expect("a file");
        for problem in problems(room, &code) {
            found.push(format!("{}: {problem}", path.display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_import_against_the_layers_is_found() {
    for (room, code, is_found) in [
        ("source", "use crate::pool::Pool;", true),
        (
            "source",
            "    let pool = crate::pool::registry::close_idle();",
            true,
        ),
        ("source", "use crate::{environment, pool};", true),
        ("drivers", "use crate::pool::Pool;", true),
        (
            "drivers",
            "            $crate::pool::Pool::new(source)",
            true,
        ),
        ("pool", "use crate::Source;", true),
        ("pool", "use crate::source::Source;", false),
        ("pool", "use crate::pool::registry;", false),
        ("pool", "use crate::{environment, error};", false),
        ("source", "/// See [`Pool`](crate::pool::Pool).", false),
        ("source", "#[cfg(test)]\nuse crate::pool::Pool;", false),
    ] {
        assert_eq!(!problems(room, code).is_empty(), is_found, "{room}: {code}");
    }
}
