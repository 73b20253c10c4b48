//! Mistakes in the annotated function, and the items that remain after them.

use super::{assert_error, assert_has, assert_has_not, errors, pretty};

#[test]
fn each_mistake_in_the_function_is_one_error() {
    for (item, message, at) in [
        (
            "fn h(db: &mut C) -> Out { }",
            "a handler waits for its database: write `async fn`",
            "fn",
        ),
        (
            "async fn h() -> Out { }",
            "the last parameter is the database: write one, like `db: &mut PgConnection`",
            "()",
        ),
        (
            "async fn h(&self, db: &mut C) -> Out { }",
            "a method cannot have a static beside it: \
             write a free function, and pass the fields that it needs",
            "self",
        ),
        (
            "struct S;",
            "`#[reuse_db]` is for functions: write it above an `async fn`",
            "struct",
        ),
        (
            "impl S { }",
            "`#[reuse_db]` is for functions: write it above an `async fn`",
            "impl",
        ),
        (
            "async unsafe fn h(db: &mut C) -> Out { }",
            "a handler cannot be `unsafe`, because no runtime could call it: \
             put an `unsafe` block inside",
            "unsafe",
        ),
        (
            "async fn h<C: Connect>(db: &mut C) -> Out { }",
            "a static holds the database and cannot be generic: write a type in place of `C`",
            "C",
        ),
        (
            "async fn h(db: &mut impl Connect) -> Out { }",
            "a static holds the database: write its type in place of `impl …`",
            "impl",
        ),
        (
            "async fn h(db: &mut C) -> Out;",
            "a function of a trait cannot have a static beside it: \
             write a free function with a body",
            "async fn h(db: &mut C) -> Out",
        ),
    ] {
        assert_error("", item, message, at);
    }
}

#[test]
fn conditional_parameters_are_one_error_at_the_first_condition() {
    for (parameters, at) in [
        ("#[cfg(x)] a: A, db: S", "cfg"),
        ("#[cfg(x)] #[cfg(y)] a: A, db: S", "cfg"),
        ("#[cfg_attr(x, cfg(y))] a: A, db: S", "cfg_attr"),
        (
            "#[cfg_attr(x, cfg_attr(y, cfg(z)))] a: A, db: S",
            "cfg_attr",
        ),
        ("a: A, #[cfg(x)] db: S", "cfg"),
        ("#[db] #[cfg(x)] db: S, a: A", "cfg"),
        ("#[cfg(x)] a: A, #[cfg(y)] b: B, db: S", "cfg"),
    ] {
        let item = format!("async fn h({parameters}) -> Out {{ }}");
        let message = "a parameter cannot be conditional: \
                       put `#[cfg]` on the function, and write one function for each case";
        assert_error("", &item, message, at);
    }
}

#[test]
fn all_mistakes_are_reported_in_one_build() {
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
fn a_function_with_wrong_keywords_is_expanded_without_them() {
    for item in [
        "fn h(a: u8, db: &mut C) -> Out { }",
        "const async fn h(a: u8, db: &mut C) -> Out { }",
        "async unsafe fn h(a: u8, db: &mut C) -> Out { }",
        "async extern \"C\" fn h(a: u8, db: &mut C) -> Out { }",
    ] {
        let expansion = pretty("", item);
        assert_has(&expansion, "\nasync fn h(a: u8) -> Out {\n    let");
        assert_has(&expansion, "\nasync fn h_with(a: u8, db: &mut C)");
    }
}

#[test]
fn callers_of_a_wrong_function_see_no_further_error() {
    let unreachable = "{\n    ::core::unreachable!()";
    for ty in ["&mut impl X", "&'static C"] {
        let expansion = pretty("", &format!("async fn h(a: u8, db: {ty}) -> Out {{ }}"));
        assert_has(
            &expansion,
            &format!("async fn h(a: u8) -> Out {unreachable}"),
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
            "async fn h(&self, a: u8)",
        ),
        ("async fn h(a: u8, db: S);", "async fn h(a: u8)"),
        (
            "async fn h(#[cfg(a)] x: A, #[cfg(b)] x: B, db: S) { }",
            "async fn h(#[cfg(a)] x: A, #[cfg(b)] __arg1: B)",
        ),
    ] {
        let expansion = pretty("", item);
        assert_has(&expansion, &format!("{outer} {unreachable}"));
        assert_has_not(&expansion, "static H_DB");
    }
    for item in ["struct S;", "async fn h(&self) {}", "async fn h() {}"] {
        assert!(pretty("", item).starts_with(item), "{}", pretty("", item));
    }
}
