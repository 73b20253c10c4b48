//! The server's certificate: the roots of RDS, and the advice for one that does not verify.

/// Returns the roots that sign the certificate of a host of RDS, in PEM format.
#[cfg(feature = "aws")]
pub(super) fn roots_of_rds(host: &str) -> Option<&'static str> {
    crate::aws::roots(host)
}

/// Returns `None`: the feature `aws` has the roots of RDS.
#[cfg(not(feature = "aws"))]
pub(super) fn roots_of_rds(_: &str) -> Option<&'static str> {
    None
}

/// Returns those that most likely sign it, for a client that reads one root only.
#[cfg(all(feature = "aws", feature = "_sqlx"))]
pub(super) fn likely_roots_of_rds(host: &str) -> Option<&'static str> {
    crate::aws::likely_roots(host)
}

/// Returns `None`: the feature `aws` has the roots of RDS.
#[cfg(all(not(feature = "aws"), feature = "_sqlx"))]
pub(super) fn likely_roots_of_rds(_: &str) -> Option<&'static str> {
    None
}

/// Returns the advice for an error of TLS, by the texts of rustls and OpenSSL.
pub(super) fn advice(error: &str, host: &str) -> Option<String> {
    let is = |texts: &[&str]| texts.iter().any(|text| error.contains(text));
    if is(&[
        "not valid for name",
        "NotValidForName",
        "ostname mismatch",
        "IP address mismatch",
    ]) {
        return Some(format!(
            "the server's certificate is for another name than `{host}`: write the server's own \
             name into the URL, no alias (CNAME) and no address"
        ));
    }
    if is(&["CaUsedAsEndEntity"]) {
        return Some(
            "the server shows the certificate of an authority as its own, as a self-signed one is \
             by default: let the authority sign a certificate for the server, or make it with \
             `basicConstraints=CA:FALSE`"
                .into(),
        );
    }
    if is(&["BadEncoding"]) {
        return Some(
            "a certificate is unreadable: the server's, or one in the file that the URL names"
                .into(),
        );
    }
    if is(&["built without TLS support"]) {
        return Some("add the feature `tls-rustls` to sqlx".into());
    }
    if is(&["server does not support TLS"]) {
        return Some("turn TLS on at the server".into());
    }
    if is(&["certificate expired", "certificate has expired"]) {
        return Some("the server's certificate has expired: renew it, or correct the clock".into());
    }
    if is(&[
        "UnknownIssuer",
        // Of another authority with the name of one that is trusted.
        "BadSignature",
        "self-signed certificate",
        "self signed",
        "local issuer certificate",
    ]) {
        return Some(unknown_authority(host));
    }
    None
}

fn unknown_authority(host: &str) -> String {
    #[cfg(feature = "aws")]
    if let Some(advice) = crate::aws::advice(host) {
        return advice;
    }
    let of_rds = if cfg!(not(feature = "aws")) && host.ends_with(".rds.amazonaws.com") {
        "turn on the feature `aws` of reuse-db, which brings the roots of RDS, or "
    } else {
        ""
    };
    format!(
        "no authority that is trusted has signed the server's certificate: {of_rds}name the file of \
         its authority in the URL (`sslrootcert`, for MySQL `ssl-ca`), or in `SSL_CERT_FILE` where \
         the client reads that"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_advice() {
        for (error, expected) in [
            (
                "invalid peer certificate: UnknownIssuer",
                "no authority that is trusted",
            ),
            (
                "invalid peer certificate: BadSignature",
                "no authority that is trusted",
            ),
            (
                "certificate verify failed: (self-signed certificate in certificate chain)",
                "no authority",
            ),
            (
                "certificate verify failed: (unable to get local issuer certificate)",
                "no authority",
            ),
            (
                "invalid peer certificate: certificate not valid for name \"x\"",
                "another name than `h`",
            ),
            (
                "certificate verify failed: (hostname mismatch)",
                "another name than `h`",
            ),
            (
                "invalid peer certificate: certificate expired: verification time 1",
                "has expired",
            ),
            (
                "certificate verify failed: (certificate has expired)",
                "has expired",
            ),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "`basicConstraints=CA:FALSE`",
            ),
            ("invalid peer certificate: BadEncoding", "is unreadable"),
            ("server does not support TLS", "turn TLS on"),
            (
                "TLS upgrade required by connect options but SQLx was built without TLS support \
                 enabled",
                "`tls-rustls`",
            ),
        ] {
            let advice = advice(error, "h").expect(error);
            assert!(advice.contains(expected), "{advice}");
        }
        assert_eq!(advice("connection refused", "h"), None);
    }
}
