//! A function whose handler runs the commands in its request's body, one a line.
//!
//! | line | does |
//! |---|---|
//! | a command of Redis | adds its answer to the response, as redis-rs prints it |
//! | `abandon COMMAND` | waits for 20 ms only |
//! | `ignore COMMAND` | waits for 200 ms, and ignores an error |
//! | `script LUA` | runs a script |
//! | `unreadable` | runs a command whose answer redis-rs cannot read, and ignores the error |
//! | `time-out MILLISECONDS` | sets the limit of a command |
//! | `number KEY` | reads a value as a number |
//! | `atomic-script LUA` | runs a script in a transaction, and ignores its error |
//! | `later MILLISECONDS` | a task does `unreadable` that much later |
//! | `later-multi MILLISECONDS` | a task sends MULTI that much later |
//! | `fail`, `panic` | ends the handler |

#![expect(clippy::panic, reason = "the handler is asked to panic")]

use std::sync::Mutex;
use std::time::Duration;

use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use reuse_db::{BoxError, Credentials, LoadShedding, Source, reuse_db};
use reuse_db_tests::query::word;
use tokio::time::{sleep, timeout};

const SOURCE: Source = Source::env("DATABASE_URL");
const READ_WRITE: Source = Source::env("DATABASE_URL").read_write();
const QUICK_SHEDDING: Source = Source::env("DATABASE_URL")
    .load_shedding(LoadShedding::new().interval(Duration::from_millis(200)));

/// A handler's own time for an answer.
const PATIENCE: Duration = Duration::from_millis(20);

fn command(line: &str) -> redis::Cmd {
    let mut words = line.split_whitespace();
    let mut command = redis::cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    command
}

/// Runs a command whose answer redis-rs cannot read.
async fn unreadable(redis: &mut MultiplexedConnection) {
    let mut command = redis::cmd("EVAL");
    command.arg(&b"return {err='\xff'}"[..]).arg(0);
    let _ = command.exec_async(redis).await;
}

async fn commands(
    request: &Request,
    redis: &mut MultiplexedConnection,
) -> Result<Response<Body>, Error> {
    let body = std::str::from_utf8(request.body())?;
    let mut answers = Vec::new();
    for line in body.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "abandon" => {
                let command = command(rest);
                let answer = command.exec_async(redis);
                if timeout(PATIENCE, answer).await.is_ok() {
                    return Err("the answer came in time".into());
                }
            }
            "ignore" => {
                let command = command(rest);
                let answer = command.exec_async(redis);
                let _ = timeout(Duration::from_millis(200), answer).await;
            }
            "script" => {
                let mut command = redis::cmd("EVAL");
                command.arg(rest).arg(0).exec_async(redis).await?;
            }
            "unreadable" => unreadable(redis).await,
            "number" => {
                let number: i64 = redis::cmd("GET").arg(rest).query_async(redis).await?;
                answers.push(number.to_string());
            }
            "atomic-script" => {
                let mut both = redis::pipe();
                both.atomic().cmd("EVAL").arg(rest).arg(0);
                let _ = both.exec_async(redis).await;
            }
            "later" => {
                let (pause, mut redis) = (Duration::from_millis(rest.parse()?), redis.clone());
                tokio::spawn(async move {
                    sleep(pause).await;
                    unreadable(&mut redis).await;
                });
            }
            "later-multi" => {
                let (pause, mut redis) = (Duration::from_millis(rest.parse()?), redis.clone());
                tokio::spawn(async move {
                    sleep(pause).await;
                    let _ = redis::cmd("MULTI").exec_async(&mut redis).await;
                });
            }
            "time-out" => redis.set_response_timeout(Duration::from_millis(rest.parse()?)),
            "fail" => return Err("a failure".into()),
            "panic" => panic!("a panic"),
            _ => {
                let answer: RedisResult<Value> = command(line).query_async(redis).await;
                answers.push(format!("{:?}", answer?));
            }
        }
    }
    Ok(Response::new(answers.join("\n").into()))
}

#[reuse_db(source = SOURCE)]
async fn plain(
    request: &Request,
    redis: &mut MultiplexedConnection,
) -> Result<Response<Body>, Error> {
    commands(request, redis).await
}

/// Returns the error of redis-rs.
#[reuse_db(source = SOURCE)]
async fn typed(redis: &mut MultiplexedConnection) -> RedisResult<Response<Body>> {
    redis::cmd("PING").exec_async(redis).await?;
    Ok(Response::new(Body::Empty))
}

#[reuse_db(source = READ_WRITE)]
async fn read_write(
    request: &Request,
    redis: &mut MultiplexedConnection,
) -> Result<Response<Body>, Error> {
    commands(request, redis).await
}

#[reuse_db(source = QUICK_SHEDDING)]
async fn shedding(
    request: &Request,
    redis: &mut MultiplexedConnection,
) -> Result<Response<Body>, Error> {
    commands(request, redis).await
}

/// The password of the last request.
static PASSWORD: Mutex<String> = Mutex::new(String::new());

/// Returns the password of the last request, and once the one before, as a cache does.
async fn password() -> Result<Credentials, BoxError> {
    static KNOWN: Mutex<String> = Mutex::new(String::new());
    let current = PASSWORD.lock().map_err(|error| error.to_string())?.clone();
    let mut known = KNOWN.lock().map_err(|error| error.to_string())?;
    let last = std::mem::replace(&mut *known, current.clone());
    let answer = if last.is_empty() { current } else { last };
    Ok(Credentials::new("app", answer))
}

const CREDENTIALS: Source = Source::env("DATABASE_URL").credentials(&password);

#[reuse_db(source = CREDENTIALS)]
async fn with_credentials(
    request: &Request,
    redis: &mut MultiplexedConnection,
) -> Result<Response<Body>, Error> {
    commands(request, redis).await
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    match request.raw_http_path() {
        "/read-write" => read_write(&request).await,
        "/shedding" => shedding(&request).await,
        "/typed" => Ok(typed().await?),
        "/credentials" => {
            let password = word(&request, "password");
            *PASSWORD.lock().map_err(|error| error.to_string())? = password;
            with_credentials(&request).await
        }
        _ => plain(&request).await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    reuse_db::run(service_fn(route)).await
}
