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
        $($item)*
    };
}

pub(crate) use database_trait;
