//! The changes to a session of MySQL or MariaDB that no SQL undoes. The server counts them.

use sqlx::{ColumnIndex, Database, Decode, Row as _, Type};

use crate::drivers::mysql::limits;
use crate::drivers::target;
use crate::source::Source;
use crate::sync::Mutex;

/// Returns the number of the session's statements that change what SQL cannot reset, less those of
/// load queries. A variable that is set by SELECT is not counted.
///
/// The server adds up its status for it, which takes about half a millisecond.
pub(super) const COUNT: &str = "show session status where variable_name in ( \
        'Com_set_option', 'Com_change_db', 'Com_prepare_sql', \
        'Com_create_table', 'Com_create_temporary_table'); \
    select 'Com_reuse_db', cast(-coalesce(@reuse_db_sets, 0) as char)";

/// The changes that sqlx makes to a new session.
const BY_SQLX: i64 = 1;

/// The changes of the sources whose sessions were counted, or are to be counted.
static COUNTED: Mutex<Vec<(Source, Changes)>> = Mutex::new(Vec::new());

/// The changes that the set-up of a source makes to a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    Known(i64),
    /// They are to be counted in the next session: the source or the server has SQL of its own, the
    /// server in `init_connect`.
    Unknown,
    /// The server does not count.
    Uncounted,
}

impl Changes {
    /// Returns the changes that the set-up of a source makes.
    pub(super) fn of_set_up(source: &Source) -> Self {
        let all = COUNTED.lock();
        match all.iter().find(|(known, _)| known == source) {
            Some((_, changes)) => *changes,
            None if source.on_connect.is_some() => Self::Unknown,
            None => {
                let has_limits = limits::has_any(source) && !target::rejects_limits(source);
                Self::Known(BY_SQLX + i64::from(has_limits))
            }
        }
    }
}

/// Remembers the changes that the set-up of a source makes, or that its server does not count.
pub(super) fn remember(source: &Source, changes: Changes) {
    let mut all = COUNTED.lock();
    all.retain(|(known, _)| known != source);
    all.push((*source, changes));
}

/// Lets the changes be counted in the next session of a source, unless they were counted before: a
/// session has more of them than expected.
pub(super) fn doubt(source: &Source) {
    let mut all = COUNTED.lock();
    if all.iter().all(|(known, _)| known != source) {
        all.push((*source, Changes::Unknown));
    }
}

/// Returns the number in the answer to [`COUNT`], which may have further rows.
pub(super) fn counted<DB>(answer: &[DB::Row]) -> i64
where
    DB: Database,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let counter = |row: &DB::Row| -> Option<i64> {
        let name: String = row.try_get(0).ok()?;
        let value: String = row.try_get(1).ok()?;
        let is_counter = name.starts_with("Com_");
        is_counter.then(|| value.parse().ok()).flatten()
    };
    answer.iter().filter_map(counter).sum()
}
