//! Lifetimes and other generics.

use super::{assert_error, assert_has, assert_has_not, pretty};

#[test]
fn a_transaction_is_parked_for_static() {
    for ty in [
        "Transaction<'_, Postgres>",
        "Transaction<'a, Postgres>",
        "Transaction<'static, Postgres>",
    ] {
        let expansion = pretty(
            "",
            &format!("async fn h<'a, 'b>(r: Request, tx: &'b mut {ty}) -> Out {{ }}"),
        );
        assert!(
            expansion
                .contains("static H_TX: ::reuse_db::Exclusive<Transaction<'static, Postgres>>"),
            "{expansion}"
        );
        assert!(
            expansion.contains("async fn h(__arg0: Request)"),
            "{expansion}"
        );
        assert!(expansion.contains("async fn h_with<'a, 'b>"), "{expansion}");
    }
}

#[test]
fn a_lifetime_that_the_type_brings_itself_stays() {
    for (written, held) in [
        ("for<'x> fn(&'x u8, &'_ u8)", "for<'x> fn(&'x u8, &'_ u8)"),
        (
            "'_, dyn Fn(&'_ u8) -> &'_ u8 + 'a",
            "'static, dyn Fn(&'_ u8) -> &'_ u8 + 'static",
        ),
        ("(&'a u8, &'static u8)", "(&'static u8, &'static u8)"),
    ] {
        let expansion = pretty(
            "",
            &format!("async fn h<'a>(db: &Client<{written}>) -> Out {{ }}"),
        )
        .replace("\n    ", "")
        .replace(",\n>", ">");
        assert_has(&expansion, &format!("::reuse_db::Shared<Client<{held}>>"));
    }
}

#[test]
fn a_lifetime_that_others_name_stays() {
    for (written, without) in [
        (
            "<'a, 'b, T: X>(s: &'a T, db: &'b mut C) -> Out<'a> where T: 'a",
            "<'a, T: X>(__arg0: &'a T) -> Out<'a>\nwhere\n    T: 'a,\n{",
        ),
        (
            "<'a: 'b, 'b>(s: &'a u8, db: &'b mut C) -> Out",
            "<'a: 'b, 'b>(__arg0: &'a u8) -> Out {",
        ),
        (
            "<'a, 'b: 'a>(s: &'a u8, db: &'b mut C) -> Out",
            "<'a>(__arg0: &'a u8) -> Out {",
        ),
        (
            "<'a, 'b>(s: &'a u8, db: &'b mut C<'a>) -> Out where 'a: 'b, 'b: 'a",
            "<'a, 'b>(__arg0: &'a u8) -> Out\nwhere\n    'a: 'b,\n    'b: 'a,\n{",
        ),
        (
            "<'a, 'b>(db: &'b mut C<'a>) -> Out where 'a: 'b",
            "() -> Out {",
        ),
        (
            "<'a, T: X<'a>>(t: T, db: &mut C<'a>) -> Out",
            "<'a, T: X<'a>>(__arg0: T) -> Out {",
        ),
        (
            "<'a, T>(t: T, db: &mut C<'a>) -> Out where T: X<'a>",
            "<'a, T>(__arg0: T) -> Out\nwhere",
        ),
        (
            "<'aa, 'a>(s: &'aa u8, db: &'a C) -> Out",
            "<'aa>(__arg0: &'aa u8) -> Out {",
        ),
    ] {
        let expansion = pretty("", &format!("async fn h{written} {{ }}"));
        assert_has(&expansion, &format!("async fn h{without}"));
    }
}

#[test]
fn what_cannot_be_inferred_is_handed_on() {
    let expansion = pretty(
        "",
        "async fn h<'a, T: X, const N: usize>(s: impl Y, db: &'a C) -> Out { }",
    );
    assert_has(&expansion, "h_with::<T, N>(");
}

/// Beside the database's reference it cannot be left out; without it clippy says that it can.
#[test]
fn a_lifetime_that_stays_is_not_called_needless() {
    let allow = "#[allow(clippy::needless_lifetimes)]";
    let expansion = pretty(
        "",
        "async fn h<'a>(s: &'a str, db: &mut C) -> Result<&'a str, E> {}",
    );
    assert_has(
        &expansion,
        &format!("{allow}\nasync fn h<'a>(__arg0: &'a str)"),
    );
    assert_eq!(expansion.matches(allow).count(), 1);
    let expansion = pretty("", "async fn h<'a, T>(s: T, db: &'a mut C) -> Out {}");
    assert_has_not(&expansion, allow);
}

#[test]
fn a_lifetime_that_outlasts_the_invocation() {
    let longer = |lifetime: &str| {
        format!(
            "the database is lent for one invocation, and `{lifetime}` lasts longer: leave it out here"
        )
    };
    for (signature, lifetime) in [
        ("h(db: &'static S) -> Out", "static"),
        ("h(db: &'static mut C) -> Out", "static"),
        ("h(tx: &'static mut Tx<'static>) -> Out", "static"),
        ("h<'a>(db: &'a mut C) -> Out<&'a str>", "a"),
        ("h<'a>(tx: &mut Transaction<'a, P>) -> Out<'a>", "a"),
    ] {
        assert_error(
            "",
            &format!("async fn {signature} {{ }}"),
            &longer(&format!("'{lifetime}")),
            lifetime,
        );
    }
    assert_error(
        "",
        "async fn h<'a>(tx: &'a mut Transaction<'a, P>) -> Out { }",
        "what is borrowed for its own lifetime stays borrowed, and is never given back: write `&mut` in place of `&'a mut`",
        "'a",
    );
    let expansion = pretty(
        "",
        "async fn h(tx: &mut Transaction<'static, P>) -> Out<'static> { }",
    );
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn an_opaque_response_does_not_capture_the_database() {
    for (signature, inner) in [
        (
            "async fn h<'a, 'b, T>(s: &'a T, db: &'b mut C) -> Result<impl IntoResponse, E>",
            "-> Result<impl use<'a, T> + IntoResponse, E>",
        ),
        (
            "async fn h(db: &S) -> (impl A<Item = impl B>, u8)",
            "-> (impl use<> + A<Item = impl use<> + B>, u8)",
        ),
        ("async fn h(db: S) -> impl A", "-> impl A {"),
        ("async fn h(a: impl A, db: &S) -> impl A", "-> impl A {"),
        (
            "async fn h(db: &S) -> impl A + use<>",
            "-> impl A + use<> {",
        ),
    ] {
        let expansion = pretty("", &format!("{signature} {{ }}"));
        let inner_item = expansion.split("fn h_with").nth(1);
        assert!(
            inner_item.is_some_and(|item| item.contains(inner)),
            "{expansion}"
        );
    }
}
