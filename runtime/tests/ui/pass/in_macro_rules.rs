#![deny(warnings)]

mod handlers {
    macro_rules! handlers {
        ($($(#[$attribute:meta])* $vis:vis $name:ident($id:ident: $id_ty:ty, $db:ident: $ty:ty) $static:ident $output:ty $body:block)*) => {
            $(
                #[reuse_db::reuse_db(source = $crate::MEMORY, crate = $crate::handlers::runtime)]
                $(#[$attribute])*
                $vis async fn $name($id: $id_ty, #[db(name = $static)] $db: $ty) -> $output $body
            )*
        };
    }

    pub(crate) use handlers;
    pub use reuse_db as runtime;
}

pub const MEMORY: reuse_db::Source =
    reuse_db::Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

handlers::handlers! {
    /// Its output is used.
    #[must_use]
    pub exclusive(id: i64, db: &mut sqlx::SqliteConnection) EXCLUSIVE Result<i64, sqlx::Error> {
        sqlx::query_scalar("select $1").bind(id).fetch_one(db).await
    }
    pub(crate) borrowed(id: i64, db: &sqlx::SqlitePool) BORROWED Result<i64, sqlx::Error> {
        sqlx::query_scalar("select $1").bind(id).fetch_one(db).await
    }
    owned(id: i64, db: sqlx::SqlitePool) OWNED Result<i64, sqlx::Error> {
        sqlx::query_scalar("select $1").bind(id).fetch_one(&db).await
    }
}

/// Each argument from a fragment, of which some come in groups.
macro_rules! with_arguments {
    ($env:literal, $source:expr, $path:path, $krate:path, $inject:ident, $name:ident) => {
        #[reuse_db::reuse_db(source = $source, crate = $krate, with = $inject)]
        async fn from_source(#[db(name = $name)] db: &mut $path) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 7").fetch_one(db).await
        }

        #[reuse_db::reuse_db(env = $env)]
        async fn from_env(_db: &mut $path) -> Result<i64, sqlx::Error> {
            Ok(7)
        }
    };
}

with_arguments!("NO_SUCH_VARIABLE", MEMORY.keep(1), sqlx::SqliteConnection, reuse_db, with_it, IT);

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(exclusive(7).await?, 7);
    assert_eq!(borrowed(7).await?, 7);
    assert_eq!(owned(7).await?, 7);
    assert_eq!(from_source().await?, 7);
    assert!(from_env().await.is_err());
    assert_eq!(EXCLUSIVE.stats().opened + BORROWED.stats().opened, 2);
    assert_eq!(OWNED.stats().reused, 1);
    assert_eq!(IT.stats().opened, 1);
    let _ = (exclusive_with, borrowed_with, owned_with, with_it);
    Ok(())
}
