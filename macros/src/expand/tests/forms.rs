//! Each form of the database parameter, as it is printed.

use proc_macro2::{Delimiter, Group, TokenTree};
use quote::quote;

use super::{assert_has, expand, pretty, tokens};

#[test]
fn exclusive() {
    let item = "/// Says hello.\npub(crate) async fn handler(Path(id): Path<u32>, db: &mut PgConnection) -> Out { body }";
    assert_eq!(
        pretty("", item),
        r#"/// The kept connections of [`handler`](fn@handler).
pub(crate) static HANDLER_DB: ::reuse_db::Parked<PgConnection> = ::reuse_db::Parked::new(
    ::reuse_db::Source::env("DATABASE_URL"),
);
/// Says hello.
pub(crate) async fn handler(__arg0: Path<u32>) -> Out {
    let mut lease = match ::reuse_db::__private::lease(&HANDLER_DB).await {
        ::core::result::Result::Ok(lease) => lease,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let mut open = match ::reuse_db::Lease::open(&mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let output = handler_with(__arg0, &mut open).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::Finish::finish(open, outcome)
        .await
    {
        return ::reuse_db::Refuse::refuse(error);
    }
    ::reuse_db::Lease::settle(lease, outcome);
    output
}
/// [`handler`](fn@handler), as it is written: with a database of the caller's own.
///
/// Says hello.
pub(crate) async fn handler_with(Path(id): Path<u32>, db: &mut PgConnection) -> Out {
    body
}
"#
    );
}

#[test]
fn borrowed() {
    assert_eq!(
        pretty(
            r#"env = "READER_URL""#,
            "async fn read(pool: &PgPool) -> Out { body }"
        ),
        r#"/// The kept database of [`read`](fn@read).
static READ_POOL: ::reuse_db::Shared<PgPool> = ::reuse_db::Shared::new(
    ::reuse_db::Source::env("READER_URL"),
);
async fn read() -> Out {
    let lease = match ::reuse_db::__private::lease_shared(&READ_POOL).await {
        ::core::result::Result::Ok(lease) => lease,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let output = read_with(::reuse_db::SharedLease::get(&lease)).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).outcome();
    ::reuse_db::SharedLease::settle(lease, outcome);
    output
}
/// [`read`](fn@read), as it is written: with a database of the caller's own.
async fn read_with(pool: &PgPool) -> Out {
    body
}
"#
    );
}

#[test]
fn owned() {
    assert_eq!(
        pretty(
            "source = config::DB.keep(2)",
            "pub async fn read(a: u8, pool: PgPool) -> Out { body }"
        ),
        r#"/// The kept database of [`read`](fn@read).
pub static READ_POOL: ::reuse_db::Shared<PgPool> = ::reuse_db::Shared::new(
    config::DB.keep(2),
);
pub async fn read(__arg0: u8) -> Out {
    let lease = match ::reuse_db::__private::lease_cloned(&READ_POOL).await {
        ::core::result::Result::Ok(lease) => lease,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let output = read_with(__arg0, ::reuse_db::__private::cloned(&lease)).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).outcome();
    ::reuse_db::SharedLease::settle(lease, outcome);
    output
}
/// [`read`](fn@read), as it is written: with a database of the caller's own.
pub async fn read_with(a: u8, pool: PgPool) -> Out {
    body
}
"#
    );
}

#[test]
fn names() {
    for (signature, name) in [
        ("async fn handler(_db: &mut C)", "HANDLER_DB"),
        ("async fn r#match(r#type: &mut C)", "MATCH_TYPE"),
        ("async fn handler(_: &mut C)", "HANDLER_DB"),
        ("async fn get_user(mut reader: &mut C)", "GET_USER_READER"),
    ] {
        let expansion = pretty("", &format!("{signature} -> Out {{ }}"));
        assert_has(&expansion, &format!("static {name}:"));
    }
}

#[test]
fn raw_idents() {
    let expansion = pretty("", "async fn r#match(r#type: &mut C) -> Out { }");
    assert_has(&expansion, "static MATCH_TYPE:");
    assert_has(&expansion, "async fn r#match()");
    assert_has(&expansion, "async fn match_with(r#type: &mut C)");
}

/// What a `macro_rules!` hands on comes in groups without delimiters.
fn grouped(text: &str) -> TokenTree {
    Group::new(Delimiter::None, tokens(text)).into()
}

#[test]
fn in_macro_rules() {
    let (ty, body) = (grouped("&mut (C)"), grouped("{ body }"));
    let item = quote!(async fn h(db: #ty) -> Out #body);
    let variable = grouped("\"X\"");
    let expansion = expand(quote!(env = #variable), item).to_string();
    let expected = expand(
        tokens("env = \"X\""),
        tokens("async fn h(db: &mut (C)) -> Out { body }"),
    );
    assert_eq!(expansion, expected.to_string());
    assert_has(&expansion, "Parked < C >");
}
