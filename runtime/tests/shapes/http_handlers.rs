//! Handlers of `lambda_http`.

use lambda_http::{Body, Error, IntoResponse, Request, RequestExt as _, Response, service_fn};
use lambda_http::{http, tower::ServiceExt as _};
use reuse_db::reuse_db;
use sqlx::SqliteConnection;

use crate::{MEMORY, counts, one_connection};

fn request(path_and_query: &str) -> Request {
    let request = http::Request::builder().uri(path_and_query);
    request.body(Body::Empty).unwrap_or_default()
}

#[reuse_db(source = MEMORY)]
async fn note(request: Request, db: &mut SqliteConnection) -> Result<Response<Body>, Error> {
    sqlx::query("insert into notes values (?)")
        .bind(request.uri().path())
        .execute(&mut *db)
        .await?;
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await?;
    Ok(Response::new(notes.to_string().into()))
}

#[tokio::test]
async fn a_handler_takes_a_request_and_returns_a_response() {
    let service = service_fn(note);
    for notes in 1..=3 {
        let response = service.oneshot(request("/a")).await.expect("a response");
        assert_eq!(response.body(), &Body::from(notes.to_string()));
    }
    assert_eq!(counts(NOTE_DB.stats()), one_connection(3));
}

#[reuse_db(source = MEMORY)]
async fn greet(request: Request, db: &mut SqliteConnection) -> Result<impl IntoResponse, Error> {
    let name = request.query_string_parameters();
    let greeting: String = sqlx::query_scalar("select 'hello, ' || ?")
        .bind(name.first("name").unwrap_or("nobody"))
        .fetch_one(db)
        .await?;
    Ok(greeting)
}

#[tokio::test]
async fn a_handler_returns_an_opaque_response() {
    for name in ["Ann", "Bob"] {
        let query = [("name".to_owned(), vec![name.to_owned()])];
        let request = request("/").with_query_string_parameters(
            query
                .into_iter()
                .collect::<std::collections::HashMap<_, _>>(),
        );
        let response = greet(request)
            .await
            .expect("a response")
            .into_response()
            .await;
        assert_eq!(response.body(), &Body::from(format!("hello, {name}")));
    }
    assert_eq!(counts(GREET_DB.stats()), one_connection(2));
}

#[reuse_db(source = MEMORY)]
async fn status(request: Request, db: &mut SqliteConnection) -> Response<Body> {
    let found: Result<u16, _> = sqlx::query_scalar("select length(?)")
        .bind(request.uri().path())
        .fetch_one(db)
        .await;
    let mut response = Response::new(Body::Empty);
    if let Some(status) = found
        .ok()
        .and_then(|length| http::StatusCode::from_u16(200 + length).ok())
    {
        *response.status_mut() = status;
    }
    response
}

#[tokio::test]
async fn a_handler_returns_a_response_without_a_result() {
    assert_eq!(status(request("/")).await.status(), 201);
    assert_eq!(status(request("/123")).await.status(), 204);
    assert_eq!(counts(STATUS_DB.stats()), one_connection(2));
}

#[reuse_db(source = MEMORY)]
async fn takes_nothing(db: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select 'nothing'").fetch_one(db).await
}

/// Requires the bounds of `Router` and `run`.
fn served<S, F>(service: S) -> S
where
    S: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<String, sqlx::Error>> + Send + 'static,
{
    service
}

#[tokio::test]
async fn a_closure_drops_the_request_and_calls_a_handler() {
    let service = service_fn(served(|_| takes_nothing()));
    assert_eq!(
        service.oneshot(request("/")).await.expect("an answer"),
        "nothing"
    );
    assert_eq!(counts(TAKES_NOTHING_DB.stats()), one_connection(1));
}
