//! The service of AWS behind a source, as far as drivers treat it in another way.

use super::Source;

impl Source {
    /// Returns `true` for Aurora DSQL.
    pub(crate) fn is_dsql(&self) -> bool {
        #[cfg(feature = "aws")]
        if self.is_declared_dsql() {
            return true;
        }
        false
    }

    /// Returns `true` for RDS Proxy, which its host's name tells. A proxy elsewhere has to reject a
    /// start-up parameter first.
    pub(crate) fn is_rds_proxy(&self) -> bool {
        #[cfg(feature = "aws")]
        if let Some(address) = self.target().as_ref().and_then(|target| target.address()) {
            return crate::aws::is_rds_proxy(&address.host);
        }
        false
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_name() {
        const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");
        for (host, expected) in [
            ("app.proxy-abc.us-east-1.rds.amazonaws.com", true),
            (
                "reader.endpoint.proxy-abc.us-east-1.rds.amazonaws.com",
                true,
            ),
            ("app.cluster-abc.us-east-1.rds.amazonaws.com", false),
            ("proxy-abc.example.com", false),
        ] {
            let url = format!("postgres://app@{host}/app").leak();
            assert_eq!(SOURCE.or(url).is_rds_proxy(), expected, "{host}");
        }
    }
}
