use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Secrets, Stage};
use crate::servers::{Mysql, Postgres};

/// A rotation of a secret, in the four steps of AWS's functions. A test calls each.
#[derive(Debug)]
pub struct Rotation<'a, S> {
    secrets: &'a Secrets,
    name: &'a str,
    server: &'a S,
    alternates: bool,
}

/// A server whose users have passwords.
#[expect(async_fn_in_trait, reason = "no test sends these futures to a thread")]
pub trait Users {
    /// Sets the password of a user. Creates the user if there is none, with the rights of `app`.
    async fn set_password(&self, user: &str, password: &str);

    /// Signs in.
    ///
    /// # Errors
    ///
    /// Returns the server's error.
    async fn sign_in(&self, user: &str, password: &str) -> Result<(), sqlx::Error>;
}

impl<'a, S: Users> Rotation<'a, S> {
    /// Returns a rotation that changes the password of the user. The old one ends at once.
    pub fn of_single_user(secrets: &'a Secrets, name: &'a str, server: &'a S) -> Self {
        Self {
            secrets,
            name,
            server,
            alternates: false,
        }
    }

    /// Returns a rotation between the users `app` and `app_clone`. The current password stays.
    pub fn of_alternating_users(secrets: &'a Secrets, name: &'a str, server: &'a S) -> Self {
        Self {
            alternates: true,
            ..Self::of_single_user(secrets, name, server)
        }
    }

    /// Makes a version with a new password, at the stage `AWSPENDING`.
    pub fn create_secret(&self) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut fields = self.secrets.get(self.name, Stage::Current);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The characters are those that a URL would encode.
        fields["password"] = format!("n3w#%?&+!${number}").into();
        if self.alternates {
            let user = fields["username"].as_str().expect("a user");
            let other = match user.strip_suffix("_clone") {
                Some(original) => original.to_owned(),
                None => format!("{user}_clone"),
            };
            fields["username"] = other.into();
        }
        self.secrets.put_pending(self.name, &fields);
    }

    /// Sets the new password at the server.
    pub async fn set_secret(&self) {
        let (user, password) = self.pending();
        self.server.set_password(&user, &password).await;
    }

    /// Signs in with the new password.
    pub async fn test_secret(&self) {
        let (user, password) = self.pending();
        let result = self.server.sign_in(&user, &password).await;
        result.unwrap_or_else(|error| panic!("the new password of {user}: {error}"));
    }

    /// Makes the new version the current one.
    pub fn finish_secret(&self) {
        self.secrets.finish(self.name);
    }

    fn pending(&self) -> (String, String) {
        let fields = self.secrets.get(self.name, Stage::Pending);
        let field = |name: &str| fields[name].as_str().expect("a text").to_owned();
        (field("username"), field("password"))
    }
}

impl Users for Postgres {
    async fn set_password(&self, user: &str, password: &str) {
        self.execute(&format!(
            "do $$ begin \
             if not exists (select from pg_roles where rolname = '{user}') then \
             create role {user} login in role app; end if; \
             end $$; alter role {user} password '{password}'"
        ))
        .await;
    }

    async fn sign_in(&self, user: &str, password: &str) -> Result<(), sqlx::Error> {
        let options: PgConnectOptions = self.url().parse()?;
        options
            .username(user)
            .password(password)
            .connect()
            .await?
            .close()
            .await
    }
}

impl Users for Mysql {
    async fn set_password(&self, user: &str, password: &str) {
        for sql in [
            format!("create user if not exists {user}@'%' identified by '{password}'"),
            format!("grant all on app.* to {user}@'%'"),
            format!("alter user {user}@'%' identified by '{password}'"),
        ] {
            self.execute(&sql).await;
        }
    }

    async fn sign_in(&self, user: &str, password: &str) -> Result<(), sqlx::Error> {
        let options: MySqlConnectOptions = self.url().parse()?;
        options
            .username(user)
            .password(password)
            .connect()
            .await?
            .close()
            .await
    }
}
