//! A function whose handlers report a failure inside a successful value.
//!
//! The event's `form` selects the type of the value, and its `status` the status. The form
//! `endless` never returns.

use lambda_http::aws_lambda_events::alb::AlbTargetGroupResponse;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::{Error, LambdaEvent, service_fn};
use reuse_db::{HasOutcome, Outcome, reuse_db};
use serde_json::{Value, json};

/// A response of GraphQL, which has no status.
struct GraphQl {
    errors: Vec<i64>,
}

impl HasOutcome for GraphQl {
    fn outcome(&self) -> Outcome {
        if self.errors.is_empty() {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    }
}

/// Defines the handlers for a database.
macro_rules! handlers {
    ($module:ident, $database:ident) => {
        mod $module {
            use lambda_http::aws_lambda_events::lambda_function_urls::LambdaFunctionUrlResponse;
            use sqlx::{$database, Transaction};

            use super::*;

            async fn insert(tx: &mut Transaction<'_, $database>) -> Result<(), Error> {
                let insert = sqlx::query("insert into notes values ('a note')");
                insert.execute(&mut **tx).await?;
                Ok(())
            }

            #[reuse_db]
            async fn json(
                status: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<Value, Error> {
                insert(tx).await?;
                Ok(json!({"statusCode": status}))
            }

            #[reuse_db]
            async fn result(
                status: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<Value, sqlx::Error> {
                let insert = sqlx::query("insert into notes values ('a note')");
                insert.execute(&mut **tx).await?;
                Ok(json!({"statusCode": status.to_string()}))
            }

            #[reuse_db]
            async fn api_gateway(
                status_code: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<ApiGatewayV2httpResponse, Error> {
                insert(tx).await?;
                let mut response = ApiGatewayV2httpResponse::default();
                response.status_code = status_code;
                Ok(response)
            }

            #[reuse_db]
            async fn load_balancer(
                status_code: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<AlbTargetGroupResponse, Error> {
                insert(tx).await?;
                let mut response = AlbTargetGroupResponse::default();
                response.status_code = status_code;
                Ok(response)
            }

            #[reuse_db]
            async fn function_url(
                status_code: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<LambdaFunctionUrlResponse, Error> {
                insert(tx).await?;
                let mut response = LambdaFunctionUrlResponse::default();
                response.status_code = status_code;
                Ok(response)
            }

            #[reuse_db]
            async fn graphql(
                status: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<GraphQl, Error> {
                insert(tx).await?;
                let errors = [status].into_iter().filter(|status| *status >= 400);
                Ok(GraphQl {
                    errors: errors.collect(),
                })
            }

            #[reuse_db]
            async fn endless(tx: &mut Transaction<'_, $database>) -> Result<Value, Error> {
                insert(tx).await?;
                std::future::pending().await
            }

            pub(super) async fn route(form: &str, status: i64) -> Result<Value, Error> {
                Ok(match form {
                    "json" => json(status).await?,
                    "endless" => endless().await?,
                    "result" => result(status).await?,
                    "api-gateway" => serde_json::to_value(api_gateway(status).await?)?,
                    "load-balancer" => serde_json::to_value(load_balancer(status).await?)?,
                    "function-url" => serde_json::to_value(function_url(status).await?)?,
                    "graphql" => json!({"errors": graphql(status).await?.errors}),
                    _ => return Err(format!("no form {form}").into()),
                })
            }
        }
    };
}

handlers! { postgres, Postgres }
handlers! { mysql, MySql }

async fn route(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let form = event.payload["form"].as_str().unwrap_or_default();
    let status = event.payload["status"].as_i64().unwrap_or_default();
    match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("mysql") => mysql::route(form, status).await,
        _ => postgres::route(form, status).await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run_events(service_fn(route)).await
}
