//! A module in which each name that the expansion could use means something else.

use crate::{counts, one_connection};

mod decoys {
    #![allow(
        dead_code,
        non_camel_case_types,
        non_snake_case,
        non_upper_case_globals,
        unused_macros,
        clippy::module_inception,
        reason = "decoys"
    )]

    mod core {}
    mod std {}
    mod alloc {}
    mod reuse_db {}
    mod tokio {}
    mod tracing {}
    mod sqlx {}
    mod lambda_http {}
    mod __private {}
    mod exclusive {}
    mod exclusive_with {}

    struct Result;
    struct Option;
    struct Box;
    struct String;
    struct Vec;
    struct Exclusive;
    struct Shared;
    struct Lease;
    struct Source;
    struct Outcome;
    struct Error;
    struct SharedLease;
    struct Judge;
    struct bool;
    struct u32;
    struct str;
    trait Send {}
    trait Sync {}
    trait Future {}
    trait From {}
    trait Into {}
    trait Drop {}
    trait Fn {}
    trait FromError {}
    trait Finish {}
    trait Connect {}
    trait FromConnection {}
    fn Ok() {}
    fn Err() {}
    fn Some() {}
    fn drop() {}
    const None: () = ();

    macro_rules! assert {
        () => {};
    }
    macro_rules! unreachable {
        () => {};
    }
    macro_rules! matches {
        () => {};
    }
    macro_rules! panic {
        () => {};
    }

    /// Methods of every type, which the expansion must not call.
    trait Everything {
        fn is_ok(&self) {}
        fn outcome(&self) {}
        fn lease(&self) {}
        fn open(&self) {}
        fn settle(&self) {}
        fn finish(&self) {}
        fn get(&self) {}
        fn clone(&self) {}
        fn status(&self) {}
    }

    impl<T: ?Sized> Everything for T {}

    #[::reuse_db::reuse_db(source = crate::MEMORY)]
    pub(super) async fn exclusive(
        n: i64,
        #[db] db: &mut ::sqlx::SqliteConnection,
        #[db] tx: &mut ::sqlx::Transaction<'_, ::sqlx::Sqlite>,
    ) -> ::core::result::Result<i64, ::sqlx::Error> {
        ::sqlx::query("select 1").execute(db).await?;
        ::sqlx::query_scalar("select ?")
            .bind(n)
            .fetch_one(&mut **tx)
            .await
    }

    #[::reuse_db::reuse_db(source = crate::MEMORY.max_connections(1))]
    pub(super) async fn shared(
        n: i64,
        #[db] pool: &::sqlx::SqlitePool,
        #[db] own: ::sqlx::SqlitePool,
    ) -> ::core::result::Result<i64, ::sqlx::Error> {
        ::sqlx::query("select 1").execute(pool).await?;
        ::sqlx::query_scalar("select ?")
            .bind(n)
            .fetch_one(&own)
            .await
    }

    #[::reuse_db::reuse_db]
    pub(super) async fn by_default(
        _: &mut ::sqlx::SqliteConnection,
    ) -> ::lambda_http::Response<::std::string::String> {
        ::lambda_http::Response::default()
    }

    #[::reuse_db::reuse_db(env = "NO_SUCH_VARIABLE")]
    pub(super) async fn nowhere(
        _: &mut ::sqlx::SqliteConnection,
    ) -> ::lambda_http::Response<::std::string::String> {
        ::lambda_http::Response::default()
    }
}

#[tokio::test]
async fn the_expansion_ignores_every_decoy() {
    for _ in 0..2 {
        assert_eq!(decoys::exclusive(7).await.expect("a number"), 7);
        assert_eq!(decoys::shared(8).await.expect("a number"), 8);
    }
    let exclusive = [decoys::EXCLUSIVE_DB.stats(), decoys::EXCLUSIVE_TX.stats()];
    assert_eq!(exclusive.map(|stats| stats.discarded), [0, 0]);
    assert_eq!(counts(decoys::SHARED_POOL.stats()), one_connection(2));
    assert_eq!(decoys::nowhere().await.status(), 503);
    assert_eq!(decoys::BY_DEFAULT_DB.stats().opened, 0);
    drop(decoys::by_default());
}
