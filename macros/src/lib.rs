//! The attribute of [reuse-db](https://docs.rs/reuse-db), which re-exports it and documents it.

mod args;
mod attributes;
mod database;
mod errors;
mod expand;
mod handler;
mod item;
mod lifetimes;
mod marks;
mod opaque_output;

use proc_macro::TokenStream;

/// The features of reuse-db that are on, which improve messages only.
const FEATURES: &[&str] = &[
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "mysql")]
    "mysql",
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "any")]
    "any",
    #[cfg(feature = "diesel-async")]
    "diesel-async",
    #[cfg(feature = "diesel-async-mysql")]
    "diesel-async-mysql",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "sea-orm")]
    "sea-orm",
    #[cfg(feature = "tokio-postgres")]
    "tokio-postgres",
];

/// Hoists a handler's database parameter into a static that connects on first use and survives
/// the invocation.
#[proc_macro_attribute]
pub fn reuse_db(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(args.into(), item.into(), FEATURES).into()
}
