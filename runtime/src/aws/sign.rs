//! Tokens to sign in with: requests for a session, signed by Signature Version 4.
//!
//! A token is the URL of such a request without its scheme, byte for byte as botocore writes it,
//! and with it the AWS CLI. The crates `hmac` and `sha2` are in the tree of sqlx. AWS's own crate
//! for this, `aws-sigv4`, would bring 17 more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::keys::Keys;

/// The life of a token. RDS accepts no longer one.
const EXPIRES: u64 = 900;

/// The time for which each sandbox with the same keys signs the same token. RDS throttles tokens
/// that it has not seen.
const SAME_TOKEN: u64 = 300;

/// Every character but those that RFC 3986 calls unreserved.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request for a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    /// The host, and its port if the service signs that.
    pub(super) host: &'a str,
    /// Names and values, sorted by name. Each sorts before `X-Amz-`.
    pub(super) query: &'a [(&'a str, &'a str)],
}

/// Returns the token of a request. It is valid from the last full five minutes before `now`, for
/// 15 minutes.
pub(super) fn token(request: &Request<'_>, keys: &Keys, now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let begin = Duration::from_secs(now.as_secs() / SAME_TOKEN * SAME_TOKEN);
    signed_at(request, keys, UNIX_EPOCH + begin)
}

/// Returns the token of a request that is signed at a time.
fn signed_at(request: &Request<'_>, keys: &Keys, at: SystemTime) -> String {
    let Request {
        service,
        region,
        host,
        query,
    } = *request;
    // As 20150830T123600Z.
    let time = humantime::format_rfc3339_seconds(at).to_string();
    let time = time.replace(['-', ':'], "");
    let date = time.split('T').next().unwrap_or_default();
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let credential = format!("{}/{scope}", keys.id);
    let expires = EXPIRES.to_string();
    let mut parameters = query.to_vec();
    parameters.extend([
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", credential.as_str()),
        ("X-Amz-Date", time.as_str()),
        ("X-Amz-Expires", expires.as_str()),
    ]);
    let signed_headers = ("X-Amz-SignedHeaders", "host");
    let security_token = keys.session_token.as_deref();
    let security_token = security_token.map(|token| ("X-Amz-Security-Token", token));

    // The signature is over sorted parameters.
    let canonical = parameters.iter().copied().chain(security_token);
    let canonical = encoded(canonical.chain([signed_headers]));
    let no_body = hex(&Sha256::digest(b""));
    // The port of HTTPS is never a part of the header.
    let signed_host = host
        .strip_suffix(":443")
        .unwrap_or(host)
        .to_ascii_lowercase();
    let canonical = format!("GET\n/\n{canonical}\nhost:{signed_host}\n\nhost\n{no_body}");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let secret = format!("AWS4{}", keys.secret);
    let key = [date, region, service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part));
    let signature = hex(&hmac(&key, &to_sign));

    let parameters = parameters.into_iter().chain([signed_headers]);
    let parameters = parameters.chain(security_token);
    let parameters = encoded(parameters.chain([("X-Amz-Signature", signature.as_str())]));
    format!("{host}/?{parameters}")
}

fn encoded<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded: Vec<String> = parameters
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, RESERVED)))
        .collect();
    encoded.join("&")
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is valid: this library calls no other function of the trait.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        service: String,
        id: String,
        secret: String,
        session_token: Option<String>,
        region: String,
        host: String,
        query: Vec<(String, String)>,
        seconds: u64,
        token: String,
    }

    /// The tokens are botocore's (1.44.8), by `generate_db_auth_token`,
    /// `generate_db_connect_auth_token` and `generate_db_connect_admin_auth_token`.
    #[test]
    fn a_token_equals_that_of_botocore() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("tokens.json")).expect("cases");
        assert_eq!(cases.len(), 14);
        for case in cases {
            let query: Vec<(&str, &str)> = case.query.iter().map(|(a, b)| (&**a, &**b)).collect();
            let request = Request {
                service: &case.service,
                region: &case.region,
                host: &case.host,
                query: &query,
            };
            let keys = Keys::new(&case.id, &case.secret, case.session_token.as_deref());
            let at = UNIX_EPOCH + Duration::from_secs(case.seconds);
            assert_eq!(signed_at(&request, &keys, at), case.token);
        }
    }

    #[test]
    fn sandboxes_sign_the_same_token_for_five_minutes() {
        let request = Request {
            service: "rds-db",
            region: "eu-central-1",
            host: "db.example:5432",
            query: &[("Action", "connect"), ("DBUser", "app")],
        };
        let keys = Keys::new("akid", "secret", Some("session"));
        let token = |seconds| token(&request, &keys, UNIX_EPOCH + Duration::from_secs(seconds));
        let first = token(1_724_709_600);
        assert_eq!(first, token(1_724_709_899));
        assert_ne!(first, token(1_724_709_900));
        // 23:59:59 and midnight.
        assert!(token(1_724_716_799).contains("%2F20240826%2F"));
        assert!(token(1_724_716_800).contains("%2F20240827%2F"));
    }
}
