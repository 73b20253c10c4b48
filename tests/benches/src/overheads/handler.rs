//! The bodies of the handlers, which are equal in each package.

/// The number of handlers in a package.
pub(super) const COUNT: usize = 200;

/// The number of handlers in a module.
pub(super) const IN_A_MODULE: usize = 20;

/// A handler.
#[derive(Clone, Copy)]
pub(super) struct Handler(pub(super) usize);

/// The parameter of a handler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Connection,
    Transaction,
}

impl Handler {
    /// Returns the handlers of a module.
    pub(super) fn of_module(module: usize) -> impl Iterator<Item = Self> {
        let first = module * IN_A_MODULE;
        (first..first + IN_A_MODULE).map(Self)
    }

    /// Returns a connection for 16 of 20 handlers, and a transaction for 4.
    pub(super) fn database(self) -> Database {
        match self.0 % 20 {
            0..16 => Database::Connection,
            _ => Database::Transaction,
        }
    }

    /// Returns the statements, which sqlx executes on `on`.
    pub(super) fn statements(self, on: &str) -> String {
        let n = self.0;
        let key = "let key = request.uri().query().unwrap_or_default().to_owned();";
        let query = match n % 5 {
            0 => format!(
                r#"let answer: i64 = sqlx::query_scalar("select count(*) from table_{n} where key = $1").bind(key).fetch_one({on}).await?;"#
            ),
            1 => format!(
                r#"let answer: String = sqlx::query_scalar("select name from table_{n} where key = $1 and id < $2").bind(key).bind({n}_i64).fetch_one({on}).await?;"#
            ),
            2 => format!(
                r#"let done = sqlx::query("update table_{n} set seen = now() where key = $1").bind(key).execute({on}).await?;
    let answer = done.rows_affected();"#
            ),
            3 => format!(
                r#"sqlx::query("insert into table_{n} (key, id) values ($1, $2)").bind(key).bind({n}_i64).execute({on}).await?;
    let answer: i64 = sqlx::query_scalar("select max(id) from table_{n}").fetch_one({on}).await?;"#
            ),
            _ => format!(
                r#"let rows: Vec<(i64, String)> = sqlx::query_as("select id, name from table_{n} where key = $1").bind(key).fetch_all({on}).await?;
    let names: Vec<_> = rows.into_iter().filter(|(id, _)| *id > {n}).map(|(_, name)| name).collect();
    let answer = names.join(", ");"#
            ),
        };
        format!("{key}\n    {query}")
    }

    /// Returns the code after the statements.
    pub(super) fn response(self) -> String {
        format!(
            "Ok(Response::new(Body::from(format!(\"{}: {{answer}}\"))))",
            self.0
        )
    }
}
