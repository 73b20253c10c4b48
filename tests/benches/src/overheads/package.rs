//! The packages, which differ in the way of a handler to its database.

use super::handler::{COUNT, Database, Handler, IN_A_MODULE};

/// A package.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Package {
    /// A static pool, from which each handler acquires a connection, as in tutorials.
    ByHand,
    /// The attribute.
    Annotated,
    /// The runtime without the attribute. The difference is the cost of the attribute itself.
    ByHandKept,
}

impl Package {
    pub(super) const ALL: [Self; 3] = [Self::ByHand, Self::Annotated, Self::ByHandKept];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Annotated => "annotated",
            Self::ByHandKept => "by_hand_kept",
        }
    }

    /// Returns the name in a table.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ByHand => "static pool by hand",
            Self::Annotated => "`#[reuse_db]`",
            Self::ByHandKept => "reuse-db's statics",
        }
    }

    /// Returns the source files, by name.
    pub(super) fn sources(self) -> Vec<(String, String)> {
        let modules = 0..COUNT / IN_A_MODULE;
        let module = |m| (format!("routes_{m}.rs"), self.module(m));
        let mut sources: Vec<_> = modules.clone().map(module).collect();
        sources.push(("main.rs".to_owned(), self.main()));
        if let Some(statics) = self.statics() {
            sources.push(("db.rs".to_owned(), statics.to_owned()));
        }
        sources
    }

    fn main(self) -> String {
        let statics = self.statics().map_or("", |_| "mod db;\n");
        let modules: String = (0..COUNT / IN_A_MODULE)
            .map(|m| format!("mod routes_{m};\n"))
            .collect();
        let arms: String = (0..COUNT)
            .map(|n| {
                let m = n / IN_A_MODULE;
                format!("        \"/{n}\" => routes_{m}::handler_{n}(request).await,\n")
            })
            .collect();
        let runtime = match self {
            Self::ByHand => "lambda_http",
            Self::Annotated | Self::ByHandKept => "reuse_db",
        };
        format!(
            "use lambda_http::{{Body, Error, Request, Response, service_fn}};

{statics}{modules}
async fn route(request: Request) -> Result<Response<Body>, Error> {{
    match request.uri().path() {{
{arms}        _ => Ok(Response::builder().status(404).body(Body::Empty)?),
    }}
}}

#[tokio::main]
async fn main() -> Result<(), Error> {{
    {runtime}::run(service_fn(route)).await
}}
"
        )
    }

    fn module(self, module: usize) -> String {
        let uses = match self {
            Self::ByHand => "use crate::db::pool;\n",
            Self::Annotated => {
                "use reuse_db::reuse_db;\nuse sqlx::{PgConnection, Postgres, Transaction};\n"
            }
            Self::ByHandKept => {
                "use reuse_db::{Finish, Lease, Outcome};\n\nuse crate::db::{CONNECTION, TRANSACTION};\n"
            }
        };
        let handlers: String = Handler::of_module(module)
            .map(|handler| self.handler(handler))
            .collect();
        format!("use lambda_http::{{Body, Error, Request, Response}};\n{uses}{handlers}")
    }

    fn handler(self, handler: Handler) -> String {
        let (opened, on, ended) = self.around(handler.database());
        let (attribute, parameter) = match (self, handler.database()) {
            (Self::ByHand | Self::ByHandKept, _) => ("", ""),
            (Self::Annotated, Database::Connection) => ("#[reuse_db]\n", ", db: &mut PgConnection"),
            (Self::Annotated, Database::Transaction) => {
                ("#[reuse_db]\n", ", tx: &mut Transaction<'_, Postgres>")
            }
        };
        let (n, statements) = (handler.0, handler.statements(on));
        let lines: String = [opened, &statements, ended, &handler.response()]
            .into_iter()
            .filter(|lines| !lines.is_empty())
            .map(|lines| format!("    {lines}\n"))
            .collect();
        format!(
            "
{attribute}pub(crate) async fn handler_{n}(request: Request{parameter}) -> Result<Response<Body>, Error> {{
{lines}}}
"
        )
    }

    /// Returns the code before the statements, their executor, and the code after.
    fn around(self, database: Database) -> (&'static str, &'static str, &'static str) {
        match (self, database) {
            (Self::Annotated, Database::Connection) => ("", "&mut *db", ""),
            (Self::Annotated, Database::Transaction) => ("", "&mut **tx", ""),
            (Self::ByHand, Database::Connection) => (
                "let mut db = pool().await?.acquire().await?;",
                "&mut *db",
                "",
            ),
            (Self::ByHand, Database::Transaction) => (
                "let mut tx = pool().await?.begin().await?;",
                "&mut *tx",
                "tx.commit().await?;",
            ),
            (Self::ByHandKept, Database::Connection) => (
                "let mut lease = CONNECTION.lease().await?;
    let db = Lease::open(&mut lease).await?;",
                "&mut *db",
                "Lease::settle(lease, Outcome::Success);",
            ),
            (Self::ByHandKept, Database::Transaction) => (
                "let mut lease = TRANSACTION.lease().await?;
    let mut tx = Lease::open(&mut lease).await?;",
                "&mut *tx",
                "tx.finish(Outcome::Success).await?;
    Lease::settle(lease, Outcome::Success);",
            ),
        }
    }

    /// Returns the statics of a module, or `None` if each handler has its own.
    fn statics(self) -> Option<&'static str> {
        match self {
            Self::Annotated => None,
            Self::ByHand => Some(
                r#"use lambda_http::Error;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::OnceCell;

static POOL: OnceCell<PgPool> = OnceCell::const_new();

pub(crate) async fn pool() -> Result<&'static PgPool, Error> {
    POOL.get_or_try_init(|| async {
        let url = std::env::var("DATABASE_URL")?;
        Ok(PgPoolOptions::new().max_connections(1).connect(&url).await?)
    })
    .await
}
"#,
            ),
            Self::ByHandKept => Some(
                r#"use reuse_db::{Exclusive, Source};
use sqlx::{PgConnection, Postgres, Transaction};

const SOURCE: Source = Source::env("DATABASE_URL");

pub(crate) static CONNECTION: Exclusive<PgConnection> = Exclusive::new(SOURCE);
pub(crate) static TRANSACTION: Exclusive<Transaction<'static, Postgres>> = Exclusive::new(SOURCE);
"#,
            ),
        }
    }
}
