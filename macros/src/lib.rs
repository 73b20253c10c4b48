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

/// Hoists a handler's database parameter into a static, connected on first use and kept across
/// invocations.
#[proc_macro_attribute]
pub fn reuse_db(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(args.into(), item.into()).into()
}
