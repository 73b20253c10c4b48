//! A check of tokens as the database does it. The signature is that of AWS's own crate.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use percent_encoding::percent_decode_str;

use super::{Clock, Keys, Role};

/// The longest life of a token.
const LONGEST: Duration = Duration::from_secs(900);

/// The time by which the clock of a client may be ahead.
const SKEW: Duration = Duration::from_secs(300);

/// A service that checks tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// RDS, Aurora and RDS Proxy.
    Rds,
    /// Aurora DSQL.
    Dsql,
}

/// A database that accepts the tokens of a role.
#[derive(Clone, Debug)]
pub struct Iam {
    /// The service of the database.
    pub service: Service,
    /// The region of the database.
    pub region: String,
    /// The name of the database's endpoint.
    pub host: String,
    /// The port of the database's endpoint.
    pub port: u16,
    /// The role that may connect.
    pub role: Role,
    /// The clock of the database.
    pub clock: Clock,
}

impl Iam {
    /// Checks the token of a user.
    ///
    /// # Errors
    ///
    /// Returns the reason of a rejection. The real service does not tell it.
    pub fn check(&self, user: &str, token: &str) -> Result<(), String> {
        let (base, query) = token.split_once("/?").ok_or("it is no token")?;
        let expected = match self.service {
            Service::Rds => format!("{}:{}", self.host, self.port),
            Service::Dsql => self.host.clone(),
        };
        is("the host", base, &expected)?;
        let mut parameters = BTreeMap::new();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').ok_or("a parameter has no value")?;
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            if parameters.insert(name, value).is_some() {
                return Err(format!("{name} occurs twice"));
            }
        }
        let parameter = |name: &str| {
            let value = parameters.get(name).map(String::as_str);
            value.ok_or_else(|| format!("{name} is missing"))
        };
        let (action, name) = match (self.service, user) {
            (Service::Rds, _) => ("connect", "rds-db"),
            (Service::Dsql, "admin") => ("DbConnectAdmin", "dsql"),
            (Service::Dsql, _) => ("DbConnect", "dsql"),
        };
        is("the action", parameter("Action")?, action)?;
        let mut expected_parameters = 8;
        if self.service == Service::Rds {
            is("the user", parameter("DBUser")?, user)?;
            expected_parameters += 1;
        }
        is(
            "the algorithm",
            parameter("X-Amz-Algorithm")?,
            "AWS4-HMAC-SHA256",
        )?;
        is("the headers", parameter("X-Amz-SignedHeaders")?, "host")?;

        let text = parameter("X-Amz-Date")?;
        let date = date_of(text).ok_or_else(|| format!("the date {text} has another form"))?;
        let expires = parameter("X-Amz-Expires")?
            .parse()
            .map_err(|_| "a bad X-Amz-Expires")?;
        let expires = Duration::from_secs(expires);
        let now = self.clock.now();
        if expires > LONGEST {
            return Err(format!("it lives for {expires:?}"));
        }
        if date > now + SKEW {
            return Err(format!("it is of the future: {text}"));
        }
        if now > date + expires {
            return Err(format!("it has expired: {text}"));
        }

        let keys = self.role.keys();
        let (day, _) = text.split_once('T').ok_or("the date has no day")?;
        let scope = format!("{}/{day}/{}/{name}/aws4_request", keys.id, self.region);
        is("the credential", parameter("X-Amz-Credential")?, &scope)?;
        is(
            "the session token",
            parameter("X-Amz-Security-Token")?,
            &keys.session_token,
        )?;
        if parameters.len() != expected_parameters {
            return Err(format!("it has {} parameters", parameters.len()));
        }
        let request = match self.service {
            Service::Rds => format!("https://{base}/?Action={action}&DBUser={}", encoded(user)),
            Service::Dsql => format!("https://{base}/?Action={action}"),
        };
        let signature = signature(&request, name, &self.region, &keys, date, expires);
        is("the signature", parameter("X-Amz-Signature")?, &signature)
    }
}

fn is(what: &str, found: &str, expected: &str) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what} is `{found}`, not `{expected}`")),
    }
}

/// Reads a time such as `20150830T123600Z`.
fn date_of(text: &str) -> Option<SystemTime> {
    let part = |from, to| text.get(from..to);
    let long = format!(
        "{}-{}-{}{}:{}:{}",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 11)?,
        part(11, 13)?,
        part(13, 16)?
    );
    humantime::parse_rfc3339(&long).ok()
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn signature(
    request: &str,
    service: &str,
    region: &str,
    keys: &Keys,
    at: SystemTime,
    expires: Duration,
) -> String {
    let token = Some(keys.session_token.clone());
    let identity = Credentials::new(&keys.id, &keys.secret, token, None, "bench").into();
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(expires);
    settings.signature_location = SignatureLocation::QueryParams;
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(at)
        .settings(settings)
        .build()
        .expect("every parameter is set")
        .into();
    let request = SignableRequest::new("GET", request, std::iter::empty(), SignableBody::empty());
    let signed = sign(request.expect("a URL"), &params).expect("a request that can be signed");
    signed.signature().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token of botocore, of `runtime/src/aws/tokens.json`, would need its keys. So this test
    /// checks what is rejected before the signature.
    #[test]
    fn a_token_is_rejected_for_each_of_its_parts() {
        let iam = Iam {
            service: Service::Rds,
            region: "eu-central-1".into(),
            host: "db.example".into(),
            port: 5432,
            role: Role::default(),
            clock: Clock::default(),
        };
        let keys = iam.role.keys();
        let now = humantime::format_rfc3339_seconds(iam.clock.now()).to_string();
        let now = now.replace(['-', ':'], "");
        let scope = format!("{}/{}/eu-central-1/rds-db/aws4_request", keys.id, &now[..8]);
        let request = "https://db.example:5432/?Action=connect&DBUser=app";
        let date = date_of(&now).expect("a date");
        let signed = signature(request, "rds-db", "eu-central-1", &keys, date, LONGEST);
        let token = format!(
            "{}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={now}\
             &X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token={}\
             &X-Amz-Signature={signed}",
            &request[8..],
            encoded(&scope),
            encoded(&keys.session_token)
        );
        assert_eq!(iam.check("app", &token), Ok(()));
        for (from, to, problem) in [
            ("db.example:5432", "db.example:5433", "the host"),
            ("connect", "other", "the action"),
            ("DBUser=app", "DBUser=admin", "the user"),
            ("900", "901", "it lives"),
            ("900", "899", "the signature"),
            (
                &format!("Date={}", &now[..4]),
                "Date=2020",
                "it has expired",
            ),
            (
                &format!("Date={}", &now[..4]),
                "Date=2199",
                "it is of the future",
            ),
            ("rds%2Ddb", "dsql", "the credential"),
            ("eu%2Dcentral", "us%2Dcentral", "the credential"),
            ("Zm9v", "Zm9w", "the session token"),
            (&signed, "0", "the signature"),
            (
                "&X-Amz-SignedHeaders=host",
                "",
                "X-Amz-SignedHeaders is missing",
            ),
        ] {
            let changed = token.replacen(from, to, 1);
            let found = iam.check("app", &changed).expect_err(problem);
            assert!(found.starts_with(problem), "{found}");
        }
        assert!(iam.check("other", &token).is_err());
        iam.clock.advance(LONGEST + Duration::from_secs(2));
        assert!(
            iam.check("app", &token)
                .is_err_and(|it| it.starts_with("it has expired"))
        );
        iam.role.renew();
        assert!(iam.check("app", &token).is_err());
    }
}
