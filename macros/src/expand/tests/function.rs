//! What each mistake in the function is told.

use super::{assert_error, assert_has, assert_has_not, errors, pretty};

#[test]
fn mistakes_in_the_function() {
    assert_error(
        "",
        "fn h(db: &mut C) -> Out { }",
        "a handler waits for its database: write `async fn`",
        "fn",
    );
    assert_error(
        "",
        "async fn h() -> Out { }",
        "the last parameter is the database: write one, like `db: &mut PgConnection`",
        "()",
    );
    assert_error(
        "",
        "async fn h(&self, db: &mut C) -> Out { }",
        "a method cannot have a static beside it: write a free function, and pass it what it needs of `self`",
        "self",
    );
    assert_error(
        "",
        "struct S;",
        "`#[reuse_db]` is for functions: write it above an `async fn`",
        "struct",
    );
    assert_error(
        "",
        "impl S { }",
        "`#[reuse_db]` is for functions: write it above an `async fn`",
        "impl",
    );
    assert_error(
        "",
        "async unsafe fn h(db: &mut C) -> Out { }",
        "a handler cannot be `unsafe`: nobody could call it; put the `unsafe` block inside",
        "unsafe",
    );
    assert_error(
        "",
        "async fn h<C: Connect>(db: &mut C) -> Out { }",
        "a static holds the database, and cannot be generic: write a type in place of `C`",
        "C",
    );
    assert_error(
        "",
        "async fn h(db: &mut impl Connect) -> Out { }",
        "a static holds the database: write its type in place of `impl …`",
        "impl",
    );
    assert_error(
        "",
        "async fn h(#[cfg(x)] db: S) -> Out { }",
        "the database cannot be under `#[cfg]`: write it on the function",
        "cfg",
    );
    assert_error(
        "",
        "async fn h(#[cfg(a)] a: A, #[cfg(b)] b: B, #[cfg(c)] c: C, #[cfg(d)] d: D, #[cfg(e)] e: E, db: S) -> Out { }",
        "no more than 4 parameters can be under `#[cfg]`: write a function for each case",
        "cfg",
    );
    assert_error(
        "",
        "async fn h(db: &mut C) -> Out;",
        "a handler has a body: a function of a trait cannot have a static beside it",
        "async fn h(db: &mut C) -> Out",
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let found = errors(
        "",
        "const unsafe extern \"C\" fn h<T>(db: &'static mut T, ...) { }",
    );
    let places: Vec<_> = found.iter().map(|(_, at)| at.as_str()).collect();
    assert_eq!(
        places,
        ["const", "unsafe", "extern", "fn", ".", "T", "static"]
    );
}

#[test]
fn what_is_not_async_is_expanded_as_if_it_were() {
    let expansion = pretty("", "fn h(a: u8, db: &mut C) -> Out { }");
    assert!(
        expansion.contains("async fn h(__arg0: u8) -> Out"),
        "{expansion}"
    );
}

/// Their own arguments are right, and whatever they do with the output.
#[test]
fn callers_see_no_other_error() {
    for item in [
        "const async fn h(a: u8, db: &mut C) -> Out { }",
        "async unsafe fn h(a: u8, db: &mut C) -> Out { }",
        "async extern \"C\" fn h(a: u8, db: &mut C) -> Out { }",
    ] {
        let expansion = pretty("", item);
        assert_has(&expansion, "\nasync fn h(__arg0: u8) -> Out {\n    let");
        assert_has(&expansion, "\nasync fn h_with(a: u8, db: &mut C)");
    }
    for ty in ["&mut impl X", "&'static C"] {
        let expansion = pretty("", &format!("async fn h(a: u8, db: {ty}) -> Out {{ }}"));
        assert_has(
            &expansion,
            "async fn h(__arg0: u8) -> Out {\n    ::core::unreachable!()",
        );
        assert_has(
            &expansion,
            &format!("\nasync fn h_with(a: u8, db: {ty}) -> Out"),
        );
        assert_has_not(&expansion, "static H_DB");
    }
    for (item, outer) in [
        (
            "async fn h(&self, a: u8, db: S) { }",
            "async fn h(&self, __arg1: u8)",
        ),
        ("async fn h(a: u8, db: S);", "async fn h(__arg0: u8)"),
    ] {
        let expansion = pretty("", item);
        assert_has(
            &expansion,
            &format!("{outer} {{\n    ::core::unreachable!()"),
        );
        assert_has_not(&expansion, "static H_DB");
    }
    for item in ["struct S;", "async fn h(&self) {}", "async fn h() {}"] {
        assert!(pretty("", item).starts_with(item), "{}", pretty("", item));
    }
    let conditional = "async fn h(#[cfg(a)] a: A, #[cfg(b)] b: B, #[cfg(c)] c: C, #[cfg(d)] d: D, #[cfg(e)] e: E, db: S) -> Out { }";
    let expansion = pretty("", conditional);
    assert_has(&expansion, "all(not(a), not(b), not(c), not(d))");
    assert_has_not(&expansion, "cfg(e)");
}
