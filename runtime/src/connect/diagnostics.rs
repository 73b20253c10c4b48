//! The compiler's messages for a type that is no database.

/// Declares a trait with the compiler's messages for types that do not implement it.
macro_rules! database_trait {
    ({ $message:literal, $label:literal, $note:literal, $own:literal } $($item:tt)*) => {
        #[diagnostic::on_unimplemented(
            message = $message,
            label = $label,
            note = "without a mark `#[db]` the last parameter is the database",
            note = $note,
            note = $own
        )]
        #[cfg_attr(not(feature = "postgres"), diagnostic::on_unimplemented(
            note = "for `PgConnection`, `PgPool` and `Transaction<'_, Postgres>` add the feature `postgres` to reuse-db"
        ))]
        #[cfg_attr(not(feature = "mysql"), diagnostic::on_unimplemented(
            note = "for `MySqlConnection`, `MySqlPool` and `Transaction<'_, MySql>` add the feature `mysql` to reuse-db"
        ))]
        #[cfg_attr(not(feature = "sqlite"), diagnostic::on_unimplemented(
            note = "for `SqliteConnection`, `SqlitePool` and `Transaction<'_, Sqlite>` add the feature `sqlite` to reuse-db"
        ))]
        #[cfg_attr(not(feature = "any"), diagnostic::on_unimplemented(
            note = "for `AnyConnection`, `AnyPool` and `Transaction<'_, Any>` add the feature `any` to reuse-db"
        ))]
        $($item)*
    };
}

pub(crate) use database_trait;
