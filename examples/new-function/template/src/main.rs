{%- if sign_in == "dsql" %}{% assign database = "postgres" %}{% endif -%}
{%- if database == "mysql" -%}
{%- assign connection = "MySqlConnection" %}{% assign text = "cast(now() as char)" -%}
{%- else -%}
{%- assign connection = "PgConnection" %}{% assign text = "now()::text" -%}
{%- endif -%}
//! The function. `cargo run` serves it at `http://localhost:3000`.

use lambda_http::{Body, Error, Request, Response, service_fn, tracing};
use reuse_db::{Source, reuse_db};
use sqlx::{{ connection }};

{% case sign_in -%}
{% when "rds_iam" -%}
/// The function signs in by IAM. The URL names user, host and database.
const DATABASE: Source = Source::env("DATABASE_URL").rds_iam();
{% when "dsql" -%}
/// The function signs in by IAM. The URL names user and host.
const DATABASE: Source = Source::env("DATABASE_URL").dsql();
{% when "secret" -%}
/// User and password come from the secret that `SECRET_ARN` names. The URL has the rest.
const DATABASE: Source = Source::env("DATABASE_URL")
    .secret_env("SECRET_ARN")
    .verified_tls();
{% else -%}
/// The URL has user and password.
const DATABASE: Source = Source::env("DATABASE_URL").verified_tls();
{% endcase %}
#[reuse_db(source = DATABASE)]
async fn handler(_request: Request, db: &mut {{ connection }}) -> Result<Response<Body>, Error> {
    let query = sqlx::query_scalar("select {{ text }}");
    let time: String = query.fetch_one(db).await?;
    Ok(Response::new(time.into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run(service_fn(handler)).await
}
