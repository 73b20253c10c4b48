//! The host names of AWS's databases, and the region in them.

use super::keys::set;
use crate::error::Error;

/// A database of AWS, by its host's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// An instance or a cluster of RDS or Aurora. Its certificate is signed by a root of RDS.
    Rds,
    /// RDS Proxy. Its certificate is signed by a public root.
    RdsProxy,
    /// Aurora DSQL. Its certificate is signed by a public root.
    Dsql,
}

/// Returns the service and the region of a host's name.
///
/// The names are `NAME.ID.REGION.rds.amazonaws.com`, in China
/// `NAME.ID.rds.REGION.amazonaws.com.cn`, and `ID.dsql.REGION.on.aws`. The ID of a proxy begins
/// with `proxy-`, and of an endpoint of it with `endpoint.proxy-`.
pub(crate) fn of_host(host: &str) -> Option<(Service, &str)> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is = |label: &str, expected: &str| label.eq_ignore_ascii_case(expected);
    // The endpoint of a cluster in a VPC is `ID.dsql-SERVICE.REGION.on.aws`.
    let is_private = |label: &str| label.get(..5).is_some_and(|begin| is(begin, "dsql-"));
    let labels: Vec<&str> = host.split('.').collect();
    let (rest, region) = match labels[..] {
        [ref rest @ .., dsql, region, on, aws]
            if (is(dsql, "dsql") || is_private(dsql)) && is(on, "on") && is(aws, "aws") =>
        {
            return (!rest.is_empty()).then_some((Service::Dsql, region));
        }
        [ref rest @ .., region, rds, amazonaws, com]
            if is(rds, "rds") && is(amazonaws, "amazonaws") && is(com, "com") =>
        {
            (rest, region)
        }
        [ref rest @ .., one, two, amazonaws, com, cn]
            if is(amazonaws, "amazonaws") && is(com, "com") && is(cn, "cn") =>
        {
            // Older names have the region first.
            match (one, two) {
                (rds, region) if is(rds, "rds") => (rest, region),
                (region, rds) if is(rds, "rds") => (rest, region),
                _ => return None,
            }
        }
        _ => return None,
    };
    let id = rest.last()?;
    let is_proxy = id.get(..6).is_some_and(|begin| is(begin, "proxy-"));
    let service = if is_proxy {
        Service::RdsProxy
    } else {
        Service::Rds
    };
    Some((service, region))
}

/// Returns the region of a host, or that of the function.
pub(super) fn region(host: &str) -> Result<String, Error> {
    // The writer of a global database may be in any region.
    if let Some((_, region)) = of_host(host).filter(|(_, region)| *region != "global") {
        return Ok(region.to_ascii_lowercase());
    }
    set("AWS_REGION")
        .or_else(|| set("AWS_DEFAULT_REGION"))
        .ok_or_else(|| Error::Variable {
            name: "AWS_REGION",
            problem: "is not set, and the host's name has no region of AWS: write the \
                          endpoint's own name into the URL, or set the variable"
                .to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_host_comes_before_that_of_the_function() {
        // `global` is no region, and the test's environment need not have one.
        let of_global = region("db.global-abc.global.rds.amazonaws.com");
        assert_ne!(of_global.ok().as_deref(), Some("global"));
        let of_instance = region("db.abc.EU-West-3.rds.amazonaws.com");
        assert_eq!(of_instance.ok().as_deref(), Some("eu-west-3"));
    }

    #[test]
    fn a_host_tells_its_service_and_region() {
        use Service::{Dsql, Rds, RdsProxy};

        for (host, expected) in [
            (
                "db.abc.us-east-1.rds.amazonaws.com",
                Some((Rds, "us-east-1")),
            ),
            (
                "DB.Abc.US-East-1.RDS.amazonaws.com",
                Some((Rds, "US-East-1")),
            ),
            (
                "db.abc.eu-central-1.rds.amazonaws.com.",
                Some((Rds, "eu-central-1")),
            ),
            (
                "app.cluster-abc.us-gov-west-1.rds.amazonaws.com",
                Some((Rds, "us-gov-west-1")),
            ),
            (
                "app.cluster-ro-abc.us-east-1.rds.amazonaws.com",
                Some((Rds, "us-east-1")),
            ),
            (
                "app.cluster-custom-abc.us-east-1.rds.amazonaws.com",
                Some((Rds, "us-east-1")),
            ),
            (
                "app.proxy-abc.us-east-1.rds.amazonaws.com",
                Some((RdsProxy, "us-east-1")),
            ),
            (
                "app.endpoint.proxy-abc.us-east-1.rds.amazonaws.com",
                Some((RdsProxy, "us-east-1")),
            ),
            (
                "db.abc.rds.cn-north-1.amazonaws.com.cn",
                Some((Rds, "cn-north-1")),
            ),
            (
                "db.abc.cn-north-1.rds.amazonaws.com.cn",
                Some((Rds, "cn-north-1")),
            ),
            (
                "app.proxy-abc.rds.cn-north-1.amazonaws.com.cn",
                Some((RdsProxy, "cn-north-1")),
            ),
            ("abc.dsql.us-east-1.on.aws", Some((Dsql, "us-east-1"))),
            ("abc.dsql-fnh4.us-east-1.on.aws", Some((Dsql, "us-east-1"))),
            ("dsql.us-east-1.on.aws", None),
            ("us-east-1.rds.amazonaws.com", None),
            ("db.example.com", None),
            ("rds.amazonaws.com.example.com", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(of_host(host), expected, "{host}");
        }
    }
}
