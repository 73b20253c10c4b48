//! Handlers of an axum `Router`.

use axum::extract::{Path, Query, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body};
use lambda_http::tower::ServiceExt as _;
use reuse_db::reuse_db;
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{MEMORY, counts, one_connection};

struct Failure(reuse_db::BoxError);

impl<E: Into<reuse_db::BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

#[derive(Clone)]
struct Prefix(&'static str);

#[reuse_db(source = MEMORY)]
async fn add(
    State(Prefix(prefix)): State<Prefix>,
    Path((list, n)): Path<(String, i64)>,
    Json(body): Json<Value>,
    tx: &mut Transaction<'_, Sqlite>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let text = format!(
        "{prefix}{list}/{n}: {}",
        body["text"].as_str().unwrap_or_default()
    );
    sqlx::query("insert into notes values (?)")
        .bind(&text)
        .execute(&mut **tx)
        .await?;
    Ok((StatusCode::CREATED, Json(json!(text))))
}

#[reuse_db(source = MEMORY)]
async fn find(
    Query(mut pairs): Query<Vec<(String, String)>>,
    #[db] db: &mut SqliteConnection,
    _: State<Prefix>,
) -> Result<Json<Value>, Failure> {
    let (_, like) = pairs.pop().unwrap_or_default();
    let notes: Vec<String> = sqlx::query_scalar("select text from notes where text like ?")
        .bind(like)
        .fetch_all(db)
        .await?;
    Ok(Json(json!(notes)))
}

#[reuse_db(source = MEMORY)]
async fn remove(Path(text): Path<String>, tx: &mut Transaction<'_, Sqlite>) -> Response {
    let removed = sqlx::query("delete from notes where text <> ?")
        .bind(text)
        .execute(&mut **tx)
        .await;
    match removed {
        Ok(_) => StatusCode::CONFLICT.into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

#[reuse_db(source = MEMORY)]
async fn fail(db: &mut SqliteConnection) -> Result<impl IntoResponse, Failure> {
    sqlx::query("select * from no_such_table")
        .execute(db)
        .await?;
    Ok(StatusCode::OK)
}

fn router() -> Router {
    Router::new()
        .route("/{list}/{n}", post(add))
        .route("/find", get(find))
        .route("/remove/{text}", post(remove))
        .route("/fail", get(fail))
        .with_state(Prefix("to do: "))
}

async fn call(router: &Router, method: &str, uri: &str, body: &Value) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(body.to_string())
        .unwrap_or_default();
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status().as_u16();
    let body = body::to_bytes(response.into_body(), 1 << 16)
        .await
        .unwrap_or_default();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_router_calls_handlers_with_extractors_and_state() {
    let router = router();
    let milk = json!({ "text": "milk" });
    let added = call(&router, "POST", "/shop/7", &milk).await;
    assert_eq!(added, (201, "\"to do: shop/7: milk\"".to_owned()));
    // The extractor fails before the handler leases a connection.
    assert_eq!(call(&router, "POST", "/shop/seven", &milk).await.0, 400);
    let found = call(&router, "GET", "/find?like=%25milk", &Value::Null).await;
    assert_eq!(found, (200, "[\"to do: shop/7: milk\"]".to_owned()));
    // A response of 409 rolls back.
    assert_eq!(
        call(&router, "POST", "/remove/x", &Value::Null).await.0,
        409
    );
    let (status, error) = call(&router, "GET", "/fail", &Value::Null).await;
    assert!(
        status == 500 && error.contains("no_such_table"),
        "{status} {error}"
    );
    assert_eq!(
        call(&router, "GET", "/find?like=%25milk", &Value::Null).await,
        found
    );

    // Four statics of one source share the connection, which the first one opened.
    assert_eq!(counts(ADD_TX.stats()), one_connection(1));
    let reused = [FIND_DB.stats(), REMOVE_TX.stats(), FAIL_DB.stats()]
        .map(|stats| (stats.opened, stats.reused));
    assert_eq!(reused, [(0, 2), (0, 1), (0, 1)]);
}
