//! The statements of a request, and the end of the handler that runs them.

use std::error::Error as StdError;
use std::fmt;

use lambda_http::{Body, Error, Request, Response};
use reuse_db_tests::query::word;
use serde_json::json;
use sqlx::{ColumnIndex, Decode, Row, Type};

/// The statements of a request.
pub(crate) struct Script {
    pub(crate) statements: Vec<String>,
    pub(crate) is_persistent: bool,
    error: String,
    end: String,
}

/// The first column of the last statement's rows, and the errors that were swallowed.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) rows: Vec<Option<String>>,
    pub(crate) swallowed: Vec<String>,
}

impl Script {
    pub(crate) fn of(request: &Request) -> Self {
        let body = String::from_utf8_lossy(request.body().as_ref()).into_owned();
        Self {
            statements: body.lines().map(str::to_owned).collect(),
            is_persistent: word(request, "persistent") != "no",
            error: word(request, "error"),
            end: word(request, "end"),
        }
    }

    pub(crate) fn swallows(&self) -> bool {
        self.error == "swallow"
    }

    /// Returns what the handler returns.
    pub(crate) fn conclude(
        &self,
        result: Result<Findings, sqlx::Error>,
    ) -> Result<Response<Body>, Error> {
        let findings = match result {
            Ok(findings) => findings,
            Err(error) => return self.failed(error),
        };
        let status = match self.end.as_str() {
            "" => 200,
            "fail" => return Err("the handler failed".into()),
            "not-found" => return Err(NotFound.into()),
            "panic" => std::panic::resume_unwind(Box::new("the handler panicked")),
            status => status.parse()?,
        };
        let stats = reuse_db::stats();
        let body = json!({
            "rows": findings.rows,
            "swallowed": findings.swallowed,
            "stats": {
                "opened": stats.opened, "reused": stats.reused, "checked": stats.checked,
                "stale": stats.stale, "discarded": stats.discarded, "closed": stats.closed,
                "unavailable": stats.unavailable, "retried": stats.retried,
                "inspected": stats.inspected, "load_queries": stats.load_queries,
                "shed": stats.shed,
            },
        });
        let response = Response::builder().status(status);
        Ok(response.body(body.to_string().into())?)
    }

    fn failed(&self, error: sqlx::Error) -> Result<Response<Body>, Error> {
        match self.error.as_str() {
            "enum" => Err(Failure::Database(error).into()),
            "anyhow" => Err(anyhow::Error::new(error).context("in a handler").into()),
            "text" => Err(error.to_string().into()),
            "response" => Ok(Response::builder()
                .status(500)
                .body(error.to_string().into())?),
            _ => Err(error.into()),
        }
    }
}

/// An error of the handler's own that holds the database's.
#[derive(Debug)]
enum Failure {
    Database(sqlx::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler's own words")
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let Self::Database(error) = self;
        Some(error)
    }
}

/// An error of the handler's own that has nothing to do with the database.
#[derive(Debug)]
struct NotFound;

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not found")
    }
}

impl StdError for NotFound {}

/// Returns the first column of a row as text.
pub(crate) fn first_column<R>(row: &R) -> Option<String>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i32: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = row.try_get::<Option<String>, _>(0);
    let text = text.or_else(|_| Ok(row.try_get::<Option<i64>, _>(0)?.map(|n| n.to_string())));
    let text =
        text.or_else(|_: sqlx::Error| Ok(row.try_get::<Option<i32>, _>(0)?.map(|n| n.to_string())));
    let text = text.or_else(|_: sqlx::Error| {
        Ok::<_, sqlx::Error>(row.try_get::<Option<bool>, _>(0)?.map(|b| b.to_string()))
    });
    text.unwrap_or_else(|error| Some(error.to_string()))
}

/// Runs a script on a database, one statement after the other.
macro_rules! run {
    ($script:expr, $db:expr) => {
        async {
            #[allow(unused_imports, reason = "a pool begins by a method of its own")]
            use sqlx::{AssertSqlSafe, Connection as _};

            let mut findings = crate::script::Findings::default();
            for statement in &$script.statements {
                let (kind, rest) = statement.split_once(' ').unwrap_or_default();
                let sql = |sql: &str| AssertSqlSafe(sql.to_owned());
                let bound = |rest: &str| {
                    let (value, text) = rest.split_once(' ').unwrap_or_default();
                    let query = sqlx::query(sql(text)).persistent($script.is_persistent);
                    (query, value.to_owned())
                };
                let result = match kind {
                    "raw" => sqlx::raw_sql(sql(rest)).fetch_all($db).await,
                    // Abandoned after 100 ms.
                    "cut" => {
                        let limit = std::time::Duration::from_millis(100);
                        let query = sqlx::raw_sql(sql(rest)).fetch_all($db);
                        tokio::time::timeout(limit, query)
                            .await
                            .unwrap_or(Ok(Vec::new()))
                    }
                    "cut-prepared" | "cut-preparing" => {
                        let limit = if kind == "cut-prepared" { 100 } else { 10 };
                        let limit = std::time::Duration::from_millis(limit);
                        let query = sqlx::query(sql(rest)).fetch_all($db);
                        tokio::time::timeout(limit, query)
                            .await
                            .unwrap_or(Ok(Vec::new()))
                    }
                    "cut-begin" => {
                        let limit = std::time::Duration::from_millis(rest.parse().unwrap_or(0));
                        match tokio::time::timeout(limit, $db.begin()).await {
                            Ok(Ok(begun)) => begun.rollback().await.map(|()| Vec::new()),
                            Ok(Err(error)) => Err(error),
                            Err(_) => Ok(Vec::new()),
                        }
                    }
                    "int" => {
                        let (query, value) = bound(rest);
                        let value: i32 = value.parse().unwrap_or_default();
                        query.bind(value).fetch_all($db).await
                    }
                    "text" => {
                        let (query, value) = bound(rest);
                        query.bind(value).fetch_all($db).await
                    }
                    "sleep" => {
                        let millis = rest.parse().unwrap_or_default();
                        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
                        Ok(Vec::new())
                    }
                    "block" => {
                        let millis = rest.parse().unwrap_or_default();
                        std::thread::sleep(std::time::Duration::from_millis(millis));
                        Ok(Vec::new())
                    }
                    "nested" => {
                        let mut inner = $db.begin().await?;
                        let result = sqlx::raw_sql(sql(rest)).fetch_all(&mut *inner).await;
                        if result.is_ok() {
                            inner.commit().await?;
                        }
                        result
                    }
                    _ => {
                        let query = sqlx::query(AssertSqlSafe(statement.clone()));
                        query.persistent($script.is_persistent).fetch_all($db).await
                    }
                };
                match result {
                    Ok(rows) => {
                        findings.rows = rows.iter().map(crate::script::first_column).collect();
                    }
                    Err(error) if $script.swallows() => findings.swallowed.push(error.to_string()),
                    Err(error) => return Err(error),
                }
            }
            Ok(findings)
        }
        .await
    };
}
pub(crate) use run;
