//! A framework on top of `reuse-db`, which is not called that here: no path that the attribute
//! writes leads there unless it begins with `crate = …`.

/// For those who know the framework alone.
pub use kept;

/// A handler of the framework's.
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
