//! The matrix as a table in Markdown.

use std::fmt::Write as _;

use super::cell::Cell;

const HEAD: &str = "\
| fault | handle | rounds | invocations | failed | hit by the fault | worst latency \
| sessions at the end | sockets or files at the end | writes lost or doubled |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// Returns the table of a database, with the cells of a fault one below the other.
pub(super) fn of(database: &str, cells: &[Cell]) -> String {
    let mut faults: Vec<&str> = Vec::new();
    for cell in cells {
        if !faults.contains(&cell.fault) {
            faults.push(cell.fault);
        }
    }
    let mut table = format!("## {database}\n\n{HEAD}");
    let of_fault = |fault| cells.iter().filter(move |cell| cell.fault == fault);
    for cell in faults.into_iter().flat_map(of_fault) {
        let sessions = cell.sessions.map_or("–".into(), |n| n.to_string());
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} ms | {sessions} | {} | {} |",
            cell.fault,
            cell.handle,
            cell.rounds,
            cell.invocations,
            cell.wrong.len(),
            cell.hit,
            cell.worst.as_millis(),
            cell.sockets,
            cell.writes
        );
    }
    table
}
