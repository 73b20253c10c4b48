//! The keys of the function's role, from where Lambda puts them.

use std::env::var;
use std::fmt::Display;
use std::time::{Duration, SystemTime};

use lambda_http::http::{StatusCode, Uri};
use serde::Deserialize;
use tokio::time::timeout;
use url::{Host, Url};

use crate::error::{BoxError, Error};
use crate::local_http;
use crate::sync::Mutex;

const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// The limit of the question for keys.
const LIMIT: Duration = Duration::from_millis(1500);

/// The time before their end after which keys are asked for again. A token must outlive a sign-in.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// The keys that requests are signed with.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) session_token: Option<String>,
}

impl Keys {
    pub(super) fn new(id: &str, secret: &str, session_token: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            session_token: session_token.map(ToOwned::to_owned),
        }
    }
}

/// The answer of the endpoint for credentials.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

/// The last keys from the endpoint, and their end.
static ASKED: Mutex<Option<(Keys, SystemTime)>> = Mutex::new(None);

/// Returns the last keys if they are valid for some time more.
fn known(at_least: Duration) -> Option<Keys> {
    let asked = ASKED.lock();
    let (keys, end) = asked.as_ref()?;
    let left = end.duration_since(SystemTime::now()).ok()?;
    (left > at_least).then(|| keys.clone())
}

/// Returns the value of a variable, unless that is empty.
pub(super) fn set(variable: &str) -> Option<String> {
    var(variable).ok().filter(|value| !value.is_empty())
}

/// Returns the keys in the environment, or those of the endpoint that Lambda names.
///
/// With SnapStart Lambda sets no keys, which would be older than the snapshot, but an endpoint.
pub(super) async fn keys() -> Result<Keys, Error> {
    if let (Some(id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        let session_token = set("AWS_SESSION_TOKEN");
        if id.starts_with("ASIA") && session_token.is_none() {
            return Err(Error::rejected(
                "`AWS_SESSION_TOKEN` is not set, which the temporary keys in `AWS_ACCESS_KEY_ID` \
                 need: set all three",
            ));
        }
        return Ok(Keys::new(&id, &secret, session_token.as_deref()));
    }
    let Some(uri) = set(URI) else {
        return Err(no_keys());
    };
    let uri = address(&uri)?;
    if let Some(keys) = known(RENEW_BEFORE) {
        return Ok(keys);
    }
    let answer = timeout(LIMIT, ask(uri)).await;
    match answer.unwrap_or_else(|_| Err("no answer in time".into())) {
        Ok((keys, end)) => {
            *ASKED.lock() = Some((keys.clone(), end));
            Ok(keys)
        }
        Err(error) => known(Duration::ZERO).ok_or_else(|| {
            Error::unavailable(format!(
                "no keys of AWS from the address in `{URI}`: {error}"
            ))
        }),
    }
}

/// Returns the error of an environment without keys.
fn no_keys() -> Error {
    let name = match set("AWS_ACCESS_KEY_ID") {
        None => "AWS_ACCESS_KEY_ID",
        Some(_) => "AWS_SECRET_ACCESS_KEY",
    };
    Error::Variable {
        name,
        problem: "is not set, so there are no keys of AWS to sign with: Lambda sets it, and on \
                  your own machine `aws configure export-credentials --format env` prints it"
            .to_owned(),
    }
}

/// Returns the address of the endpoint for keys. It must be on this machine, or on a link of it,
/// because the answer is secret, and so is the question.
fn address(uri: &str) -> Result<Uri, Error> {
    let problem = |problem: &str| Error::Variable {
        name: URI,
        problem: format!("{problem}: Lambda sets it to an `http:` URL of this machine"),
    };
    let parsed = Url::parse(uri).map_err(|_| problem("is no URL"))?;
    let is_near = match parsed.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        None => false,
    };
    if parsed.scheme() != "http" || !is_near {
        return Err(problem("is no `http:` URL of this machine"));
    }
    uri.parse().map_err(|_| problem("is no URL"))
}

/// Returns the token of the function's session, with which it asks its extensions.
pub(super) async fn session_token() -> Result<String, Error> {
    const TOKEN: &str = "AWS_SESSION_TOKEN";
    if let Some(token) = set(TOKEN) {
        return Ok(token);
    }
    if set(URI).is_none() {
        return Err(Error::Variable {
            name: TOKEN,
            problem: "is not set, which the extension for secrets asks for: Lambda sets it; on \
                      your own machine, leave the secret out and write the password into the URL"
                .to_owned(),
        });
    }
    Ok(keys().await?.session_token.unwrap_or_default())
}

/// Forgets the keys of the endpoint, after the server has rejected what they signed.
pub(super) fn forget() {
    *ASKED.lock() = None;
}

async fn ask(uri: Uri) -> Result<(Keys, SystemTime), BoxError> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut base = uri.clone().into_parts();
    base.path_and_query = Some("/".parse()?);
    let base = Uri::from_parts(base)?;
    let authorization = authorization()?;
    let header = ("Authorization", authorization.as_str());
    let answer = local_http::get(base, path, header).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer was {}", answer.status()).into());
    }
    // The error of a parser would show a part of the keys.
    let answer: Answer = serde_json::from_slice(answer.body())
        .map_err(|_| "the answer has not the form of credentials")?;
    let until = answer.expiration.as_deref();
    let until = until.and_then(|until| humantime::parse_rfc3339(until).ok());
    let keys = Keys::new(
        &answer.access_key_id,
        &answer.secret_access_key,
        answer.token.as_deref(),
    );
    // Without a time they are asked for again.
    Ok((keys, until.unwrap_or(SystemTime::UNIX_EPOCH)))
}

fn authorization() -> Result<String, BoxError> {
    const FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    if let Some(file) = set(FILE) {
        let problem = |text: &dyn Display| format!("the file in `{FILE}`: {text}");
        if std::fs::metadata(&file).is_ok_and(|found| !found.is_file()) {
            return Err(problem(&"it is none").into());
        }
        let token = std::fs::read_to_string(file).map_err(|error| problem(&error))?;
        return Ok(token.trim_end().to_owned());
    }
    Ok(var("AWS_CONTAINER_AUTHORIZATION_TOKEN").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_asked_for_on_this_machine_only() {
        for near in [
            "http://127.0.0.1:9001/credentials?a=b",
            "http://localhost/x",
            "http://169.254.170.23/v1/credentials",
            "http://[::1]:80/",
            "http://[fd00:ec2::23]/v1",
        ] {
            let address = address(near).expect(near);
            assert!(near.starts_with(&address.to_string()), "{address}");
        }
        for far in [
            "https://127.0.0.1/x",
            "http://192.0.2.2/x",
            "http://example.com",
            "blub",
            "",
        ] {
            let text = address(far).expect_err(far).to_string();
            assert!(text.contains("`http:` URL of this machine"), "{text}");
        }
    }
}
