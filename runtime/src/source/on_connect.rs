//! The SQL that sets up a new connection.

use super::Source;
use crate::error::Error;
use crate::invocation::tenant_id;

/// The place of the tenant's id in the SQL.
const TENANT: &str = "{tenant_id}";

impl Source {
    /// Sets SQL that runs on each new connection before the handler gets it. An error in it is an
    /// error of connecting. Default: none.
    ///
    /// On PostgreSQL it runs again after each reset of a session, so it must be idempotent. With
    /// [`transaction_pooler`](Self::transaction_pooler) it is not run again, because clients share
    /// the sessions.
    ///
    /// `{tenant_id}` in it stands for [the tenant](crate::tenant_id) of the sandbox, as a string in
    /// quotes. A row-level policy can then compare it:
    ///
    /// ```
    /// # use reuse_db::Source;
    /// const SOURCE: Source = Source::env("DATABASE_URL")
    ///     .on_connect("select set_config('app.tenant', {tenant_id}, false)");
    /// ```
    ///
    /// # Errors
    ///
    /// SQL with `{tenant_id}` fails in a function without tenant isolation, and before the first
    /// invocation.
    #[must_use]
    pub const fn on_connect(mut self, sql: &'static str) -> Self {
        self.on_connect = Some(sql);
        self
    }

    /// Returns the SQL of [`on_connect`](Self::on_connect) with the tenant's id, for
    /// implementations of [`Connect`](crate::Connect).
    ///
    /// # Errors
    ///
    /// The SQL names a tenant, and no invocation has told one ([`Error::rejected`]).
    pub fn on_connect_sql(&self) -> Result<Option<String>, Error> {
        match self.on_connect {
            Some(sql) if sql.contains(TENANT) => for_tenant(sql, tenant_id()).map(Some),
            sql => Ok(sql.map(ToOwned::to_owned)),
        }
    }
}

fn for_tenant(sql: &str, tenant: Option<&str>) -> Result<String, Error> {
    let Some(tenant) = tenant else {
        // Not retried: the initialization would wait for it in vain.
        return Err(Error::rejected(
            "`Source::on_connect` names the tenant, which the first invocation tells in a function \
             with tenant isolation: turn that on",
        ));
    };
    // Lambda allows no others. A quote would end the string.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/=+-@ ".contains(c);
    if !tenant.chars().all(is_plain) {
        return Err(Error::rejected(
            "the tenant's id has characters that Lambda does not allow",
        ));
    }
    Ok(sql.replace(TENANT, &format!("'{tenant}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_a_string_in_quotes() {
        let sql = "select set_config('app.tenant', {tenant_id}, false)";
        let expected = "select set_config('app.tenant', 'blue-1', false)";
        assert_eq!(
            for_tenant(sql, Some("blue-1")).ok().as_deref(),
            Some(expected)
        );
        for tenant in [None, Some("a', true); drop table x; --"), Some("a\\")] {
            assert!(for_tenant(sql, tenant).is_err(), "{tenant:?}");
        }
    }
}
