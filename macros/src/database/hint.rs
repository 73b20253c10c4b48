//! A better compiler message for a type whose name suggests a mistake.
//!
//! A name never decides: the hint takes effect only if the type turns out to be no database.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{GenericArgument, Path, PathArguments, Type};

use super::Form;
use super::mistakes::find_ident;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hint {
    /// The form of the parameter, with the message that says what to write.
    Form(&'static str),
    /// A pool inside another type, such as `State<PgPool>`.
    PoolInside,
    /// A type of a driver, with the feature of reuse-db that it needs.
    Feature(&'static str),
}

/// The features, each with the names of its driver's types. Of sqlx: the database, the connection
/// and the pool.
const DRIVERS: [(&str, &[&str]); 8] = [
    ("postgres", &["Postgres", "PgConnection", "PgPool"]),
    ("mysql", &["MySql", "MySqlConnection", "MySqlPool"]),
    ("sqlite", &["Sqlite", "SqliteConnection", "SqlitePool"]),
    ("any", &["Any", "AnyConnection", "AnyPool"]),
    ("diesel-async", &["AsyncPgConnection"]),
    ("diesel-async-mysql", &["AsyncMysqlConnection"]),
    ("redis", &["MultiplexedConnection"]),
    ("sea-orm", &["DatabaseConnection", "DbConn"]),
];

impl Hint {
    /// Returns the hint for a type, which is behind the reference of `form`. `features` are those
    /// of reuse-db that are on.
    pub(super) fn new(form: Form, ty: &Type, features: &[&str]) -> Option<Self> {
        let Type::Path(ty) = ty else {
            return None;
        };
        let name = last_name(&ty.path)?;
        if name != "Lease" && arguments(&ty.path).any(names_a_pool) {
            return Some(Self::PoolInside);
        }
        if let Some(feature) = feature(&ty.path)
            && !features.contains(&feature)
        {
            return Some(Self::Feature(feature));
        }
        match form {
            Form::Borrowed if name.ends_with("Connection") => Some(Self::Form(
                "a connection serves one invocation at a time: write `&mut` in place of `&`",
            )),
            Form::Exclusive
                if name.ends_with("Pool") || matches!(&*name, "DatabaseConnection" | "DbConn") =>
            {
                Some(Self::Form(
                    "a pool serves many invocations at once: write `&` in place of `&mut`",
                ))
            }
            _ => None,
        }
    }
}

fn names_a_pool(argument: &GenericArgument) -> bool {
    let is_pool = |ident: &Ident| ident.to_string().ends_with("Pool");
    find_ident(argument.to_token_stream(), &is_pool).is_some()
}

/// Returns the feature for a `PgPool`, a `Pool<Postgres>`, a `tokio_postgres::Client`, and so on.
fn feature(path: &Path) -> Option<&'static str> {
    if path
        .segments
        .iter()
        .any(|part| part.ident == "tokio_postgres")
    {
        return Some("tokio-postgres");
    }
    let name = last_name(path)?;
    let name = match name.as_str() {
        "Transaction" | "Pool" => arguments(path).find_map(|argument| match argument {
            GenericArgument::Type(Type::Path(ty)) => last_name(&ty.path),
            _ => None,
        })?,
        _ => name,
    };
    DRIVERS
        .iter()
        .find(|(_, names)| names.contains(&name.as_str()))
        .map(|(feature, _)| *feature)
}

fn last_name(path: &Path) -> Option<String> {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
}

fn arguments(path: &Path) -> impl Iterator<Item = &GenericArgument> {
    let arguments = path.segments.last().map(|segment| &segment.arguments);
    match arguments {
        Some(PathArguments::AngleBracketed(list)) => Some(&list.args),
        _ => None,
    }
    .into_iter()
    .flatten()
}
