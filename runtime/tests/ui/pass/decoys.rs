#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, unused_macros)]

// Whatever the expansion could name in place of what it means.
mod core {}
mod std {}
mod alloc {}
mod tokio {}
mod lambda_http {}
mod __private {}
mod reuse_db {}
mod handler {}
mod handler_with {}

struct Result;
struct Option;
struct Box;
struct String;
struct Ok;
struct Err;
struct Some;
struct None;
struct Exclusive;
struct Shared;
struct Source;
struct Lease;
struct SharedLease;
struct Judge;
struct bool;
struct u32;
struct str;

trait FromConnection {}
trait Finish {}
trait FromError {}
trait Future {}
trait Send {}
trait From {}
trait Into {}

macro_rules! assert {
    ($($tokens:tt)*) => {
        compile_error!("not this one")
    };
}
macro_rules! unreachable {
    ($($tokens:tt)*) => {
        compile_error!("not this one")
    };
}
macro_rules! matches {
    ($($tokens:tt)*) => {
        compile_error!("not this one")
    };
}

const MEMORY: ::reuse_db::Source = ::reuse_db::Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[::reuse_db::reuse_db(source = MEMORY)]
async fn handler(id: i64, db: &mut ::sqlx::SqliteConnection) -> ::core::result::Result<i64, ::sqlx::Error> {
    ::sqlx::query_scalar("select $1").bind(id).fetch_one(db).await
}

#[::reuse_db::reuse_db(source = MEMORY)]
async fn shared(id: i64, pool: &::sqlx::SqlitePool) -> ::core::result::Result<i64, ::sqlx::Error> {
    ::sqlx::query_scalar("select $1").bind(id).fetch_one(pool).await
}

fn main() -> ::core::result::Result<(), ::sqlx::Error> {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        assert_eq!(handler(7).await?, 7);
        assert_eq!(shared(7).await?, 7);
        ::core::result::Result::Ok(())
    })
}
