//! Lifetimes and generics of the three items.

use super::{assert_error, assert_has, assert_has_not, pretty};

#[test]
fn a_static_holds_a_transaction_for_static() {
    for ty in [
        "Transaction<'_, Postgres>",
        "Transaction<'a, Postgres>",
        "Transaction<'static, Postgres>",
    ] {
        let expansion = pretty(
            "",
            &format!("async fn h<'a, 'b>(r: Request, tx: &'b mut {ty}) -> Out {{ }}"),
        );
        for text in [
            "static H_TX: ::reuse_db::Exclusive<Transaction<'static, Postgres>>",
            "async fn h(r: Request)",
            "async fn h_with<'a, 'b>",
        ] {
            assert_has(&expansion, text);
        }
    }
}

#[test]
fn a_higher_ranked_lifetime_of_the_type_stays() {
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
fn the_outer_function_keeps_the_lifetimes_that_it_names() {
    for (written, without) in [
        (
            "<'a, 'b, T: X>(s: &'a T, db: &'b mut C) -> Out<'a> where T: 'a",
            "<'a, T: X>(s: &'a T) -> Out<'a>\nwhere\n    T: 'a,\n{",
        ),
        (
            "<'a: 'b, 'b>(s: &'a u8, db: &'b mut C) -> Out",
            "<'a: 'b, 'b>(s: &'a u8) -> Out {",
        ),
        (
            "<'a, 'b: 'a>(s: &'a u8, db: &'b mut C) -> Out",
            "<'a>(s: &'a u8) -> Out {",
        ),
        (
            "<'a, 'b>(s: &'a u8, db: &'b mut C<'a>) -> Out where 'a: 'b, 'b: 'a",
            "<'a, 'b>(s: &'a u8) -> Out\nwhere\n    'a: 'b,\n    'b: 'a,\n{",
        ),
        (
            "<'a, 'b>(db: &'b mut C<'a>) -> Out where 'a: 'b",
            "() -> Out {",
        ),
        (
            "<'a, T: X<'a>>(t: T, db: &mut C<'a>) -> Out",
            "<'a, T: X<'a>>(t: T) -> Out {",
        ),
        (
            "<'a, T>(t: T, db: &mut C<'a>) -> Out where T: X<'a>",
            "<'a, T>(t: T) -> Out\nwhere",
        ),
        (
            "<'aa, 'a>(s: &'aa u8, db: &'a C) -> Out",
            "<'aa>(s: &'aa u8) -> Out {",
        ),
    ] {
        let expansion = pretty("", &format!("async fn h{written} {{ }}"));
        assert_has(&expansion, &format!("async fn h{without}"));
    }
}

#[test]
fn the_call_passes_type_and_const_parameters() {
    let expansion = pretty(
        "",
        "async fn h<'a, T: X, const N: usize>(s: impl Y, db: &'a C) -> Out { }",
    );
    assert_has(&expansion, "h_with::<T, N>(");
}

/// Beside the database's reference, such a lifetime cannot be elided.
#[test]
fn clippy_accepts_a_lifetime_that_only_the_database_makes_necessary() {
    let allow = "#[allow(clippy::needless_lifetimes)]";
    let expansion = pretty(
        "",
        "async fn h<'a>(s: &'a str, db: &mut C) -> Result<&'a str, E> {}",
    );
    assert_has(&expansion, &format!("{allow}\nasync fn h<'a>(s: &'a str)"));
    assert_eq!(expansion.matches(allow).count(), 1);
    let expansion = pretty("", "async fn h<'a, T>(s: T, db: &'a mut C) -> Out {}");
    assert_has_not(&expansion, allow);
}

#[test]
fn a_lifetime_that_outlives_the_invocation_is_an_error() {
    let longer = |lifetime: &str| {
        format!(
            "the database is lent for one invocation, and `{lifetime}` outlives it: \
             remove the lifetime here"
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
        "this would borrow the connection for its whole lifetime: \
         write `&mut` in place of `&'a mut`",
        "'a",
    );
    let expansion = pretty(
        "",
        "async fn h(tx: &mut Transaction<'static, P>) -> Out<'static> { }",
    );
    assert_has_not(&expansion, "compile_error");
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
