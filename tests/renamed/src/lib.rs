//! A framework on top of reuse-db, which has another name here. The attribute finds the crate by
//! its argument `crate = …` only.

/// The re-export for crates that depend on the framework only.
pub use kept;

/// Defines a handler of the framework.
#[macro_export]
macro_rules! handler {
    ($(#[$attribute:meta])* async fn $name:ident($db:ident: $of:ty) -> $output:ty $body:block) => {
        #[$crate::kept::reuse_db(
            crate = $crate::kept,
            source = $crate::kept::Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:")
        )]
        $(#[$attribute])*
        async fn $name($db: $of) -> $output $body
    };
}
