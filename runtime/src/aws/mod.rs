//! AWS without its SDK: tokens of IAM, secrets, and the roots of RDS.

mod endpoint;
mod keys;
#[cfg(feature = "_driver")]
mod roots;
mod secret;
mod sign;

#[cfg(feature = "_sqlx")]
pub(crate) use self::roots::likely_roots;
#[cfg(feature = "_driver")]
pub(crate) use self::roots::{advice, roots};
pub(crate) use self::secret::{NOT_READY, Secret, Version, is_name, secret};

use std::time::SystemTime;

use self::sign::Request;
use crate::error::Error;

/// Returns `true` for the name of an RDS Proxy.
#[cfg(feature = "_database")]
pub(crate) fn is_rds_proxy(host: &str) -> bool {
    endpoint::of_host(host).is_some_and(|(service, _)| service == endpoint::Service::RdsProxy)
}

/// Returns a token with which a user signs in to RDS or Aurora.
pub(crate) async fn rds_token(host: &str, port: u16, user: &str) -> Result<String, Error> {
    let keys = keys::keys().await?;
    let region = endpoint::region(host)?;
    let request = Request {
        service: "rds-db",
        region: &region,
        host: &format!("{}:{port}", host.to_ascii_lowercase()),
        query: &[("Action", "connect"), ("DBUser", user)],
    };
    Ok(sign::token(&request, &keys, SystemTime::now()))
}

/// Returns a token with which a user signs in to Aurora DSQL. The role of the function needs
/// another right for the user `admin`.
pub(crate) async fn dsql_token(host: &str, user: &str) -> Result<String, Error> {
    let keys = keys::keys().await?;
    let region = endpoint::region(host)?;
    let action = match user {
        "admin" => "DbConnectAdmin",
        _ => "DbConnect",
    };
    let request = Request {
        service: "dsql",
        region: &region,
        host: &host.to_ascii_lowercase(),
        query: &[("Action", action)],
    };
    Ok(sign::token(&request, &keys, SystemTime::now()))
}

/// Forgets the keys that tokens were signed with, because a server has rejected a token.
pub(crate) fn forget_keys() {
    keys::forget();
}
