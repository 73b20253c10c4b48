//! Better compiler messages for types whose name suggests a mistake.
//!
//! For such a type the expansion calls one of these functions before the lease. The function has
//! the bound of the lease, behind a trait with another message. rustc reports that message alone,
//! because the trait implies the bound. A type that satisfies the bound compiles under any name.

/// Declares the traits of the three forms.
macro_rules! hint {
    ($message:literal, $label:literal) => {
        hint!(Exclusive: crate::connect::FromConnection, $message, $label);
        hint!(Borrowed: crate::attribute::Borrowed, $message, $label);
        hint!(Owned: crate::attribute::by_value::ByValue, $message, $label);
    };
    ($form:ident: $bound:path, $message:literal, $label:literal) => {
        /// The bound of the lease, with another message.
        #[diagnostic::on_unimplemented(
            message = $message,
            label = $label,
            note = "without a mark `#[db]` the last parameter is the database"
        )]
        pub trait $form: $bound {}

        #[diagnostic::do_not_recommend]
        impl<T: $bound> $form for T {}
    };
}

// The functions stand outside of the macro, because rustc would show its invocation.

/// A pool inside another type, such as `State<PgPool>`.
pub mod pool_inside {
    use crate::statics;

    hint!(
        "the pool itself is the parameter, not `{Self}`",
        "write a reference to the pool, such as `&PgPool`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of sqlx's driver for PostgreSQL.
pub mod postgres {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `postgres` of reuse-db",
        "add the feature `postgres` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of sqlx's driver for MySQL.
pub mod mysql {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `mysql` of reuse-db",
        "add the feature `mysql` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of sqlx's driver for SQLite.
pub mod sqlite {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `sqlite` of reuse-db",
        "add the feature `sqlite` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of sqlx's driver for any database.
pub mod any {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `any` of reuse-db",
        "add the feature `any` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of redis-rs.
pub mod redis {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `redis` of reuse-db",
        "add the feature `redis` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of SeaORM.
pub mod sea_orm {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `sea-orm` of reuse-db",
        "add the feature `sea-orm` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of tokio-postgres.
pub mod tokio_postgres {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `tokio-postgres` of reuse-db",
        "add the feature `tokio-postgres` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of diesel-async.
pub mod diesel_async {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `diesel-async` of reuse-db",
        "add the feature `diesel-async` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}

/// A type of diesel-async for MySQL.
pub mod diesel_async_mysql {
    use crate::statics;

    hint!(
        "`{Self}` needs the feature `diesel-async-mysql` of reuse-db",
        "add the feature `diesel-async-mysql` to reuse-db in `Cargo.toml`"
    );

    /// Checks the type behind a `&mut`.
    pub fn exclusive<T: Exclusive>(_: &'static statics::Exclusive<T>) {}

    /// Checks the type behind a `&`.
    pub fn borrowed<T: Borrowed>(_: &'static statics::Shared<T>) {}

    /// Checks the type of a by-value parameter.
    pub fn owned<T: Owned>(_: &'static statics::Shared<T>) {}
}
