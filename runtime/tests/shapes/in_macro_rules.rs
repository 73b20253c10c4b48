//! Handlers from a `macro_rules!`, with a fragment of every kind.

use reuse_db::{Source, reuse_db};
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{MEMORY, counts, one_connection};

macro_rules! handler {
    (
        [$($key:ident = $value:expr),*]
        $(#[$meta:meta])*
        $vis:vis fn $name:ident<$life:lifetime, $n:ident>(
            $arg:pat => $of:ty,
            $db:ident: $db_ty:ty
        ) -> $output:ty $body:block
    ) => {
        $(#[$meta])*
        #[reuse_db($($key = $value),*)]
        $vis async fn $name<$life, $n: Into<i64>>(
            $arg: $of,
            _: &$life str,
            _: $n,
            $db: $db_ty,
        ) -> $output $body
    };
}

handler! {
    [source = MEMORY]
    /// With a doc comment.
    #[must_use = "it is a sum"]
    #[allow(clippy::needless_lifetimes, reason = "for the fragment")]
    pub(crate) fn whole<'a, N>(
        (a, b) => (i64, i64),
        db: &mut SqliteConnection
    ) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select ? + ?").bind(a).bind(b).fetch_one(db).await
    }
}

#[tokio::test]
async fn a_macro_writes_a_whole_function() {
    assert_eq!(whole((1, 2), "", 0_u8).await.expect("a sum"), 3);
    assert_eq!(whole((3, 4), "", 0_u32).await.expect("a sum"), 7);
    assert_eq!(counts(WHOLE_DB.stats()), one_connection(2));
}

/// The `&` of the parameter is inside a fragment.
macro_rules! forms {
    ($source:expr; $($name:ident: $db:ty),*) => {$(
        #[reuse_db(source = $source)]
        async fn $name(_db: $db) -> Result<(), sqlx::Error> {
            Ok(())
        }
    )*};
}

forms! {
    MEMORY.max_connections(1);
    exclusive: &mut SqliteConnection,
    transaction: &mut Transaction<'_, Sqlite>,
    borrowed: &SqlitePool,
    owned: SqlitePool
}

#[tokio::test]
async fn the_form_of_a_parameter_is_in_a_fragment() {
    exclusive().await.expect("nothing");
    transaction().await.expect("nothing");
    borrowed().await.expect("nothing");
    owned().await.expect("nothing");
    let opened = [
        EXCLUSIVE_DB.stats(),
        TRANSACTION_DB.stats(),
        BORROWED_DB.stats(),
        OWNED_DB.stats(),
    ];
    assert_eq!(
        opened.map(|stats| (stats.opened, stats.reused)),
        [(1, 0), (0, 1), (1, 0), (0, 1)]
    );
}

macro_rules! named {
    ($env:literal, $with:ident, $static:ident, $runtime:path, $tt:tt, $param:ident) => {
        #[reuse_db(env = $env, with = $with, crate = $runtime)]
        async fn named(
            #[db(name = $static)] $param: &mut SqliteConnection,
            n: i64,
        ) -> Result<i64, sqlx::Error> {
            let sql = $tt;
            sqlx::query_scalar(sql).bind(n).fetch_one($param).await
        }
    };
}

named!(
    "NO_SUCH_VARIABLE",
    given,
    KEPT_AS,
    ::reuse_db,
    { "select ?" },
    connection
);

#[tokio::test]
async fn arguments_are_fragments() {
    let error = named(1).await.expect_err("there is no such variable");
    assert!(
        error.to_string().contains("`NO_SUCH_VARIABLE` is not set"),
        "{error}"
    );
    assert_eq!(KEPT_AS.stats().unavailable, 1);
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(given(&mut db, 7).await.expect("a number"), 7);
}

/// The macro's own names, and a body of the caller that does not see them.
macro_rules! hygienic {
    ($name:ident, $source:expr, |$other:ident, $db:ident| $body:expr) => {
        #[reuse_db(source = $source)]
        async fn $name(
            n: i64,
            other: i64,
            $other: i64,
            $db: &mut SqliteConnection,
        ) -> Result<i64, sqlx::Error> {
            let sum: i64 = $body;
            Ok(sum + n - other)
        }
    };
}

const SOURCE: Source = MEMORY;

hygienic!(hygienic, SOURCE, |other, n| {
    let ten: i64 = sqlx::query_scalar("select 10").fetch_one(n).await?;
    ten * other
});

#[tokio::test]
async fn names_of_the_macro_and_of_its_caller_do_not_collide() {
    assert_eq!(hygienic(5, 1, 3).await.expect("a number"), 34);
    assert_eq!(counts(HYGIENIC_N.stats()), one_connection(1));
}

macro_rules! item {
    ($item:item) => {
        $item
    };
}

item! {
    #[reuse_db(source = MEMORY)]
    async fn as_an_item(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select 1").fetch_one(db).await
    }
}

macro_rules! twice {
    ($($module:ident: $sql:literal),*) => {$(
        mod $module {
            #[::reuse_db::reuse_db(source = $crate::MEMORY)]
            pub(crate) async fn handler(
                db: &mut ::sqlx::SqliteConnection,
            ) -> Result<i64, ::sqlx::Error> {
                ::sqlx::query_scalar($sql).fetch_one(db).await
            }
        }
    )*};
}

twice!(first: "select 1", second: "select 2");

#[tokio::test]
async fn a_macro_passes_on_an_item_or_writes_several() {
    assert_eq!(as_an_item().await.expect("a number"), 1);
    assert_eq!(
        (
            first::handler().await.expect("a number"),
            second::handler().await.expect("a number")
        ),
        (1, 2)
    );
    let all = [
        AS_AN_ITEM_DB.stats(),
        first::HANDLER_DB.stats(),
        second::HANDLER_DB.stats(),
    ];
    assert_eq!(
        all.map(|stats| (stats.opened, stats.reused)),
        [(1, 0), (0, 1), (0, 1)]
    );
}
