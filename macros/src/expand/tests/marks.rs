//! Several databases, and the marks that tell them.

use super::{assert_error, assert_has, assert_has_not, pretty};

#[test]
fn a_mark_is_in_any_position() {
    let expansion = pretty("", "async fn h(#[db] a: &mut C, b: u8, c: u8) -> Out { }");
    assert_has(&expansion, "static H_A: ::reuse_db::Exclusive<C>");
    assert_has(&expansion, "async fn h(__arg1: u8, __arg2: u8) -> Out");
    assert_has(&expansion, "h_with(&mut open, __arg1, __arg2)");
    assert_has(&expansion, "async fn h_with(a: &mut C, b: u8, c: u8)");
    assert_has_not(&expansion, "#[db]");
}

/// All are leased before any is opened, and settled after each is finished.
#[test]
fn two_databases() {
    assert_eq!(
        pretty(
            "env = \"A\"",
            "async fn h(#[db] w: &mut Tx<'_>, id: u8, #[db(env = \"B\", name = READER)] #[allow(x)] r: &P, #[db(source = S)] o: P) -> Out { body }",
        ),
        r#"/// The kept connections of [`h`](fn@h).
static H_W: ::reuse_db::Exclusive<Tx<'static>> = ::reuse_db::Exclusive::new(
    ::reuse_db::Source::env("A"),
);
/// The kept database of [`h`](fn@h).
static READER: ::reuse_db::Shared<P> = ::reuse_db::Shared::new(
    ::reuse_db::Source::env("B"),
);
/// The kept database of [`h`](fn@h).
static H_O: ::reuse_db::Shared<P> = ::reuse_db::Shared::new(S);
async fn h(__arg1: u8) -> Out {
    let mut lease = ::core::option::Option::None;
    if let ::core::result::Result::Err(error) = ::reuse_db::__private::lease(
            &H_W,
            &mut lease,
        )
        .await
    {
        return ::reuse_db::FromError::from_error(error);
    }
    let lease1 = match ::reuse_db::__private::lease_shared(&READER).await {
        ::core::result::Result::Ok(lease1) => lease1,
        ::core::result::Result::Err(error) => return ::reuse_db::FromError::from_error(error),
    };
    let (open2, lease2) = match ::reuse_db::__private::lease_owned(&H_O).await {
        ::core::result::Result::Ok(lease2) => lease2,
        ::core::result::Result::Err(error) => return ::reuse_db::FromError::from_error(error),
    };
    let mut open = match ::reuse_db::__private::open(&H_W, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => return ::reuse_db::FromError::from_error(error),
    };
    let output = h_with(&mut open, __arg1, ::reuse_db::SharedLease::get(&lease1), open2)
        .await;
    let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::Finish::finish(open, outcome)
        .await
    {
        return ::reuse_db::FromError::from_error(error);
    }
    ::reuse_db::__private::settle(lease, outcome);
    ::reuse_db::SharedLease::settle(lease1, outcome);
    ::reuse_db::__private::settle_owned(lease2, outcome);
    output
}
/// [`h`](fn@h), as it is written: with a database of the caller's own.
async fn h_with(w: &mut Tx<'_>, id: u8, #[allow(x)] r: &P, o: P) -> Out {
    body
}
"#
    );
}

#[test]
fn names() {
    let expansion = pretty(
        "",
        "async fn r#fn(#[db] r#in: &mut C, #[db(name = r#Odd)] _: &mut C) -> Out { }",
    );
    assert_has(&expansion, "static FN_IN: ::reuse_db::Exclusive<C>");
    assert_has(&expansion, "static r#Odd: ::reuse_db::Exclusive<C>");
    // Not ASCII, some with more than one letter in upper case.
    let expansion = pretty("", "async fn straße(ŉ_база: &mut C) -> Out { }");
    assert_has(&expansion, "static STRASSE_ʼN_БАЗА:");
}

#[test]
fn two_items_cannot_have_one_name() {
    let taken = |name: &str| {
        format!("there is a `{name}` already: write `#[db(name = …)]` with another name")
    };
    assert_error(
        "",
        "async fn h(#[db] _: &mut A, #[db] _db: &mut B) -> Out { }",
        &taken("H_DB"),
        "B",
    );
    for name in ["h", "r#h", "h_with"] {
        assert_error(
            "",
            &format!("async fn h(#[db(name = {name})] db: &mut A) -> Out {{ }}"),
            &taken(name.trim_start_matches("r#")),
            "A",
        );
    }
    let expansion = pretty(
        "",
        "async fn h(#[db] _: &mut A, #[db] _: &mut B) -> Out { }",
    );
    assert_has(
        &expansion,
        "async fn h() -> Out {\n    ::core::unreachable!()",
    );
}

#[test]
fn mistakes_in_marks() {
    assert_error(
        "",
        "async fn h(#[db] #[db] db: &mut A) -> Out { }",
        "`#[db]` is given twice: remove one",
        "db",
    );
    for mark in ["db = \"URL\"", "db[env = \"URL\"]", "db{}"] {
        assert_error(
            "",
            &format!("async fn h(#[{mark}] db: &mut A) -> Out {{ }}"),
            "the arguments are in parentheses: write `#[db(env = \"READER_URL\")]`",
            "db",
        );
    }
    assert_error(
        "",
        "async fn h(#[cfg_attr(x, y, db)] db: &mut A) -> Out { }",
        "a mark cannot be conditional: write `#[db]`, and `#[cfg]` on the function",
        "cfg_attr",
    );
    let kept = "async fn h(#[cfg_attr(x, allow(db))] db: &mut A) -> Out { }";
    assert_has(
        &pretty("", kept),
        "h_with(#[cfg_attr(x, allow(db))] db: &mut A)",
    );
}
