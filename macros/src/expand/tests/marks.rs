//! The marks of databases, and functions with several databases.

use super::{assert_error, assert_has, assert_has_not, pretty};

#[test]
fn a_mark_can_be_on_any_parameter() {
    let expansion = pretty("", "async fn h(#[db] a: &mut C, b: u8, c: u8) -> Out { }");
    assert_has(&expansion, "static H_A: ::reuse_db::Exclusive<C>");
    assert_has(&expansion, "async fn h(b: u8, c: u8) -> Out");
    assert_has(&expansion, "h_with(&mut open, b, c)");
    assert_has(&expansion, "async fn h_with(a: &mut C, b: u8, c: u8)");
    assert_has_not(&expansion, "#[db]");
}

#[test]
fn all_databases_are_leased_before_one_is_opened_and_finished_before_one_is_settled() {
    assert_eq!(
        pretty(
            "env = \"A\"",
            "async fn h(#[db] w: &mut Tx<'_>, id: u8, \
             #[db(env = \"B\", name = READER)] #[allow(x)] r: &P, \
             #[db(source = S)] o: P) -> Out { body }",
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
async fn h(id: u8) -> Out {
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
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let (open2, lease2) = match ::reuse_db::__private::lease_owned(&H_O).await {
        ::core::result::Result::Ok(lease2) => lease2,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let mut open = match ::reuse_db::__private::open(&H_W, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = h_with(&mut open, id, ::reuse_db::SharedLease::get(&lease1), open2)
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
/// The body of [`h`](fn@h), for callers with a database of their own.
async fn h_with(w: &mut Tx<'_>, id: u8, #[allow(x)] r: &P, o: P) -> Out {
    body
}
"#
    );
}

#[test]
fn two_items_cannot_have_one_name() {
    let taken =
        |name: &str| format!("the name `{name}` is taken: write another one in `#[db(name = …)]`");
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
fn each_mistake_in_a_mark_is_one_error() {
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
            "arguments are in parentheses: write `#[db(env = \"READER_URL\")]`",
            "db",
        );
    }
    assert_error(
        "",
        "async fn h(#[cfg_attr(x, y, db)] db: &mut A) -> Out { }",
        "a mark cannot be conditional: write `#[db]`, and `#[cfg]` on the function",
        "cfg_attr",
    );
}
