//! The certificate authorities of RDS, which no store of public ones has.

#[cfg(feature = "_sqlx")]
use super::endpoint::region;
use super::endpoint::{Service, of_host};

/// The roots of the regions, each under a line with its region: those of AWS's bundles
/// `global-bundle.pem` and `us-gov-west-1-bundle.pem`. The first of them ends in 2061.
const ROOTS: &str = include_str!("rds_roots.pem");

/// Returns the roots that sign the certificate of a host of RDS, in PEM format: those of its
/// region, or all for a host without a region, such as the writer of a global database.
///
/// Returns `None` for any other host, and for a region that this version does not know.
pub(crate) fn roots(host: &str) -> Option<&'static str> {
    match of_host(host)? {
        (Service::Rds, "global") => Some(ROOTS),
        (Service::Rds, region) => of_region(&region.to_ascii_lowercase()),
        (Service::RdsProxy | Service::Dsql, _) => None,
    }
}

/// Returns the roots that most likely sign the certificate of a host of RDS. They are those of its
/// region, or of the function's region for a host without one.
#[cfg(feature = "_sqlx")]
pub(crate) fn likely_roots(host: &str) -> Option<&'static str> {
    match of_host(host)? {
        (Service::Rds, "global") => of_region(&region(host).ok()?),
        _ => roots(host),
    }
}

fn of_region(region: &str) -> Option<&'static str> {
    let (_, rest) = ROOTS.split_once(&format!("# {region}\n"))?;
    Some(rest.split("# ").next().unwrap_or_default())
}

/// Returns the advice for a host of RDS whose certificate nobody that is trusted has signed.
pub(crate) fn advice(host: &str) -> Option<String> {
    let (service, region) = of_host(host)?;
    // China has a store of its own:
    // https://docs.amazonaws.cn/en_us/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
    let store = if region.starts_with("cn-") {
        "rds-truststore.s3.cn-north-1.amazonaws.com.cn"
    } else {
        "truststore.pki.rds.amazonaws.com"
    };
    (service == Service::Rds && roots(host).is_none()).then(|| {
        format!(
            "this version has no root of RDS for the region `{region}`: add \
             https://{store}/{region}/{region}-bundle.pem to the deployment, and name the file in \
             the URL (`sslrootcert`, for MySQL `ssl-ca`)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pem: Option<&str>) -> usize {
        pem.map_or(0, |pem| pem.matches("BEGIN CERTIFICATE").count())
    }

    #[test]
    fn a_host_of_rds_has_the_three_roots_of_its_region() {
        for (host, expected) in [
            ("db.abc.us-east-1.rds.amazonaws.com", 3),
            ("DB.abc.EU-West-3.rds.amazonaws.com", 3),
            ("db.abc.us-gov-east-1.rds.amazonaws.com", 3),
            ("db.global-abc.global.rds.amazonaws.com", 102),
            ("app.proxy-abc.us-east-1.rds.amazonaws.com", 0),
            ("abc.dsql.us-east-1.on.aws", 0),
            ("db.abc.us-east-99.rds.amazonaws.com", 0),
            ("db.example.com", 0),
        ] {
            assert_eq!(count(roots(host)), expected, "{host}");
        }
        let regions = ROOTS.lines().filter_map(|line| line.strip_prefix("# "));
        for region in regions {
            assert_eq!(count(of_region(region)), 3, "{region}");
        }
        let unknown = advice("db.abc.us-east-99.rds.amazonaws.com").expect("advice");
        assert!(unknown.contains("/us-east-99/us-east-99-bundle.pem"));
        let of_china = advice("db.abc.rds.cn-north-1.amazonaws.com.cn").expect("advice");
        assert!(of_china.contains(".amazonaws.com.cn/cn-north-1/cn-north-1-bundle.pem"));
        assert_eq!(advice("db.abc.us-east-1.rds.amazonaws.com"), None);
    }
}
