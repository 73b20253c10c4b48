//! Handlers of `lambda_http`, `lambda_runtime` and axum, as their services call them.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use lambda_http::http::StatusCode;
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::tower::{Service as _, ServiceExt as _};
use lambda_http::{Body, Error, Request, Response};
use reuse_db::reuse_db;
use sqlx::{SqliteConnection, SqlitePool};

use super::{MEMORY, NONE, counts};

#[tokio::test]
async fn a_request_of_lambda_http() {
    #[reuse_db(source = MEMORY)]
    async fn handler(request: Request, db: &mut SqliteConnection) -> Result<Response<Body>, Error> {
        let sum: i64 = sqlx::query_scalar("select 40 + $1")
            .bind(i64::try_from(request.uri().path().len())?)
            .fetch_one(&mut *db)
            .await?;
        Ok(Response::new(sum.to_string().into()))
    }

    let mut service = lambda_http::service_fn(handler);
    for (path, sum) in [("/", "41"), ("/a", "42"), ("/ab", "43")] {
        let request = axum::http::Request::get(path)
            .body(Body::Empty)
            .expect("a request");
        let response = service.call(request).await.expect("a response");
        assert_eq!(response.body().as_ref(), sum.as_bytes());
    }
    assert_eq!(counts(HANDLER_DB.stats()), (1, 2, 0));
}

#[tokio::test]
async fn an_event_of_lambda_runtime() {
    #[reuse_db(source = MEMORY)]
    async fn handler(
        event: LambdaEvent<Vec<i64>>,
        db: &mut SqliteConnection,
    ) -> Result<i64, Error> {
        let mut sum = 0;
        for number in event.payload {
            let next = sqlx::query_scalar("select $1 + $2").bind(sum).bind(number);
            sum = next.fetch_one(&mut *db).await?;
        }
        Ok(sum)
    }

    let mut service = lambda_http::lambda_runtime::tower::service_fn(handler);
    for numbers in [vec![1, 2, 3], vec![4, 2]] {
        let event = LambdaEvent::new(numbers, Context::default());
        assert_eq!(service.call(event).await.expect("a sum"), 6);
    }
    assert_eq!(counts(HANDLER_DB.stats()), (1, 1, 0));
}

/// An error of the user's own, as axum wants it.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        (StatusCode::BAD_GATEWAY, self.0).into_response()
    }
}

async fn get_from(router: &Router, path: &str) -> (StatusCode, String) {
    let request = axum::http::Request::get(path).body("!".to_owned());
    let response = router.clone().oneshot(request.expect("a request")).await;
    let (parts, body) = response.expect("a response").into_parts();
    let body = axum::body::to_bytes(body, 1000).await.expect("a body");
    (parts.status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn an_axum_handler_with_extractors_patterns_and_state() {
    #[derive(Clone)]
    struct App {
        greeting: &'static str,
    }

    #[reuse_db(source = MEMORY)]
    async fn greet(
        State(App { greeting }): State<App>,
        Path((name, times)): Path<(String, u8)>,
        #[db] db: &mut SqliteConnection,
        Query(query): Query<Vec<(String, String)>>,
        _: axum::http::Method,
        mut body: String,
    ) -> Result<impl axum::response::IntoResponse, Failure> {
        let greeting: String = sqlx::query_scalar("select $1 || ', ' || $2")
            .bind(greeting)
            .bind(name.repeat(times.into()))
            .fetch_one(db)
            .await?;
        body.push_str(&query.len().to_string());
        Ok((StatusCode::CREATED, greeting + &body))
    }

    let router = Router::new()
        .route("/{name}/{times}", get(greet))
        .with_state(App { greeting: "hello" });
    for times in 1..=3 {
        let (status, text) = get_from(&router, &format!("/you/{times}?a=b&c=d")).await;
        assert_eq!(
            (status.as_u16(), text),
            (201, format!("hello, {}!2", "you".repeat(times)))
        );
    }
    assert_eq!(counts(GREET_DB.stats()), (1, 2, 0));
}

#[tokio::test]
async fn an_axum_handler_without_a_database_says_so_by_its_own_error() {
    #[reuse_db(source = NONE)]
    async fn handler(pool: &SqlitePool) -> Result<String, Failure> {
        let n: i64 = sqlx::query_scalar("select 1").fetch_one(pool).await?;
        Ok(n.to_string())
    }

    let router = Router::new().route("/", get(handler));
    let (status, text) = get_from(&router, "/").await;
    assert_eq!(status, 502);
    assert!(text.starts_with("/no/such/folder/no.db: "), "{text}");
}

/// Rule 6: equal sources share.
#[tokio::test]
async fn twenty_routes_with_one_connection() {
    macro_rules! routes {
        ($($handler:ident $static:ident)*) => {{
            $(
                #[reuse_db(source = MEMORY)]
                async fn $handler(#[db(name = $static)] db: &mut SqliteConnection) -> Result<String, Failure> {
                    let name = sqlx::query_scalar("select $1").bind(stringify!($handler));
                    Ok(name.fetch_one(db).await?)
                }
            )*
            let router = Router::new()$(.route(concat!("/", stringify!($handler)), get($handler)))*;
            (router, [$(stringify!($handler)),*], [$(&$static),*])
        }};
    }
    let (router, names, statics) = routes! {
        a A b B c C d D e E f F g G h H i I j J k K l L m M n N o O p P q Q r R s S t T
    };
    for _ in 0..2 {
        for name in names {
            assert_eq!(
                get_from(&router, &format!("/{name}")).await,
                (StatusCode::OK, name.to_owned())
            );
        }
    }
    let stats = statics.map(|handler| counts(handler.stats()));
    assert_eq!((stats[0], stats[1]), ((1, 1, 0), (0, 2, 0)));
    assert_eq!(stats.iter().map(|(opened, _, _)| opened).sum::<u64>(), 1);
}
