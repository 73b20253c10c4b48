//! Secrets, from the extension beside the function.

use std::time::Duration;

use lambda_http::http::{StatusCode, Uri};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use tokio::time::timeout;

use super::keys;
use super::sign::RESERVED;
use crate::error::{BoxError, Error};
use crate::local_http;

/// The limit of one question. The extension itself waits for ever for a service that it cannot
/// reach.
const LIMIT: Duration = Duration::from_millis(1500);

/// The variable with the extension's port.
const PORT: &str = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT";

/// The extension's answer before the first invocation, and while it is busy.
pub(crate) const NOT_READY: &str = "not ready to serve traffic";

/// The errors of the service that a repeated question does not cure.
const PERMANENT: [&str; 6] = [
    "AccessDenied",
    "ResourceNotFound",
    "DecryptionFailure",
    "InvalidParameter",
    "InvalidRequest",
    "ValidationException",
];

/// The version of a secret, among those that a rotation makes.
///
/// The extension keeps an answer for up to 300 s, by the secret's name and the version that was
/// asked for, and cannot be told to ask again. So another way of asking gets past what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Current,
    /// The current version, by its stage.
    NamedCurrent,
    /// The version that a rotation is making: its password is valid at the server before it is the
    /// current one.
    Pending,
}

/// A secret of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) user: Option<String>,
    pub(crate) password: String,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) database: Option<String>,
    /// The names by which the extension can be asked for the secret: its ARN and its name.
    pub(crate) names: Vec<String>,
}

/// The answer of the extension.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "ARN")]
    arn: Option<String>,
    #[serde(rename = "Name")]
    name: Option<String>,
    #[serde(rename = "SecretString")]
    text: Option<String>,
}

/// The JSON of a secret. RDS itself stores user and password alone.
#[derive(Deserialize)]
struct Fields {
    username: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<Port>,
    #[serde(alias = "database")]
    dbname: Option<String>,
}

/// A port, which is a text in older secrets.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

/// Asks the AWS Parameters and Secrets Lambda Extension for a secret, by its name or its ARN. An
/// error shows the name as `shown`.
pub(crate) async fn secret(name: &str, shown: &str, version: Version) -> Result<Secret, Error> {
    const THE_EXTENSION: &str = "the AWS Parameters and Secrets Lambda Extension";
    let Ok(answer) = timeout(LIMIT, ask(name, version)).await else {
        return Err(Error::unavailable(format!(
            "no secret {shown} from {THE_EXTENSION}: no answer in time; in a VPC, add an endpoint \
             for Secrets Manager"
        )));
    };
    match answer {
        Ok((StatusCode::OK, text)) => parse(shown, &text),
        Ok((status, text)) => {
            let text = String::from_utf8_lossy(&text);
            let text = if text.contains("SecretString") {
                "a secret, which is not shown".into()
            } else {
                text
            };
            let error = format!("the extension for secrets answered {status} to {shown}: {text}");
            let is_permanent =
                status.is_client_error() && PERMANENT.iter().any(|error| text.contains(error));
            Err(if is_permanent {
                Error::rejected(error)
            } else {
                Error::unavailable(error)
            })
        }
        Err(error) => Err(match error.downcast::<Error>() {
            // It was not asked.
            Ok(error) => *error,
            Err(error) => Error::unavailable(format!(
                "no secret {shown} from {THE_EXTENSION}: {error}; add its layer to the function"
            )),
        }),
    }
}

/// Returns `true` for a text that may be the name or the ARN of a secret.
pub(crate) fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:!".contains(c);
    !text.is_empty() && text.chars().all(is_allowed)
}

async fn ask(name: &str, version: Version) -> Result<(StatusCode, Vec<u8>), BoxError> {
    // Under SnapStart the environment has no token.
    let token = keys::session_token().await?;
    let port = keys::set(PORT);
    let port = port.unwrap_or_else(|| "2773".to_owned());
    if port.parse::<u16>().is_err() {
        return Err(Box::new(Error::Variable {
            name: PORT,
            problem: "is no port".to_owned(),
        }));
    }
    let base: Uri = format!("http://localhost:{port}").parse()?;
    let name = utf8_percent_encode(name, RESERVED);
    let stage = match version {
        Version::Current => "",
        Version::NamedCurrent => "&versionStage=AWSCURRENT",
        Version::Pending => "&versionStage=AWSPENDING",
    };
    let path = format!("/secretsmanager/get?secretId={name}{stage}");
    let header = ("X-Aws-Parameters-Secrets-Token", token.as_str());
    let answer = local_http::get(base, &path, header).await;
    let answer = answer.map_err(|error| format!("port {port}: {error}"))?;
    Ok((answer.status(), answer.body().to_vec()))
}

/// Reads a secret. A text that does not begin with `{` is the password. No error shows a part of
/// it.
fn parse(shown: &str, answer: &[u8]) -> Result<Secret, Error> {
    let unusable = |problem: &str| Error::rejected(format!("the secret {shown} {problem}"));
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| {
        let error = format!("the extension for secrets has not answered {shown} with whole JSON");
        Error::unavailable(error)
    })?;
    let names = Vec::from_iter([answer.arn, answer.name].into_iter().flatten());
    let text = answer.text.ok_or_else(|| unusable("is binary, not text"))?;
    if !text.trim_start().starts_with('{') {
        return Ok(Secret {
            // A console may have added it.
            password: text.trim_end_matches(['\r', '\n']).to_owned(),
            names,
            ..Secret::default()
        });
    }
    let fields: Fields =
        serde_json::from_str(&text).map_err(|_| unusable("is not the JSON of a database"))?;
    let password = fields
        .password
        .ok_or_else(|| unusable("has no field `password`"))?;
    let port = match fields.port {
        None => None,
        Some(Port::Number(port)) => Some(port),
        Some(Port::Text(text)) if text.is_empty() => None,
        Some(Port::Text(text)) => Some(
            text.parse()
                .map_err(|_| unusable("has an unusable `port`"))?,
        ),
    };
    let (host, port) = match fields.host {
        Some(host) => with_port(host, port),
        None => (None, port),
    };
    Ok(Secret {
        user: fields.username,
        password,
        host,
        port,
        database: fields.dbname,
        names,
    })
}

/// Takes the port out of a host. Some tools name both in one, as Terraform's `endpoint` does.
fn with_port(host: String, port: Option<u16>) -> (Option<String>, Option<u16>) {
    if let Some((name, rest)) = host.split_once(':')
        && let Ok(of_host) = rest.parse()
    {
        return (Some(name.to_owned()), port.or(Some(of_host)));
    }
    (Some(host), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Secret, String> {
        let answer = serde_json::json!({ "ARN": "arn:1", "Name": "app", "SecretString": text });
        parse("`app`", answer.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_read_in_the_forms_of_rds() {
        let full = Secret {
            user: Some("app".into()),
            password: "p%/:@".into(),
            host: Some("db.example".into()),
            port: Some(5433),
            database: Some("shop".into()),
            names: vec!["arn:1".into(), "app".into()],
        };
        let managed = Secret {
            user: Some("app".into()),
            password: "p".into(),
            names: vec!["arn:1".into(), "app".into()],
            ..Secret::default()
        };
        for (text, expected) in [
            (
                r#"{"engine":"postgres","host":"db.example","port":5433,"username":"app","password":"p%/:@","dbname":"shop","dbInstanceIdentifier":"x"}"#,
                full.clone(),
            ),
            (
                r#"{"host":"db.example","port":"5433","username":"app","password":"p%/:@","database":"shop"}"#,
                full,
            ),
            (r#"{"username":"app","password":"p"}"#, managed.clone()),
            (
                r#"{"host":"db.example:5433","username":"app","password":"p"}"#,
                Secret {
                    host: Some("db.example".into()),
                    port: Some(5433),
                    ..managed.clone()
                },
            ),
            (
                r#"{"host":"::1","port":"5433","username":"app","password":"p"}"#,
                Secret {
                    host: Some("::1".into()),
                    port: Some(5433),
                    ..managed.clone()
                },
            ),
            (
                "p",
                Secret {
                    user: None,
                    ..managed
                },
            ),
        ] {
            assert_eq!(of(text), Ok(expected));
        }
    }

    #[test]
    fn a_secret_in_place_of_its_name_is_recognized() {
        for name in [
            "prod/shop",
            "arn:aws:secretsmanager:eu-central-1:1:secret:rds!cluster-0361984b970e-BeNcH0",
        ] {
            assert!(is_name(name), "{name}");
        }
        for value in ["", r#"{"password":"p"}"#, "p%w", "p w", "p\n"] {
            assert!(!is_name(value), "{value}");
        }
    }

    #[test]
    fn an_unusable_secret_is_named_and_not_shown() {
        for (text, expected) in [
            (r#"{"username":"s3cret"}"#, "has no field `password`"),
            (
                r#"{"password":"s3cret","port":"s3cret"}"#,
                "unusable `port`",
            ),
            (r#"{"password":["s3cret"]}"#, "not the JSON"),
            (r#"{"password":"s3cret""#, "not the JSON"),
        ] {
            let error = of(text).expect_err(text);
            assert!(
                error.contains(expected) && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}
