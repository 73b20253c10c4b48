//! The items that each attribute ends up on.

use super::{assert_has, pretty};

/// Asserts which of the static, the outer and the inner function have the text before their name.
#[track_caller]
fn assert_on(attribute: &str, text: &str, on: [bool; 3]) {
    let expansion = pretty(
        "",
        &format!("{attribute} async fn h(db: &mut C) -> Out {{ }}"),
    );
    let items: Vec<_> = expansion
        .split("static H_DB")
        .flat_map(|part| part.split("async fn h()"))
        .collect();
    let [on_static, on_outer, on_inner] = items[..] else {
        panic!("three items: {expansion}")
    };
    let found = [on_static, on_outer, on_inner].map(|item| item.contains(text));
    assert_eq!(found, on, "{text}:\n{expansion}");
}

#[test]
fn each_attribute_is_on_the_items_that_it_applies_to() {
    for attribute in [
        "cfg(unix)",
        "cfg_attr(unix, allow(x))",
        "allow(x)",
        "warn(x)",
        "deny(x)",
        "forbid(x)",
        "doc(hidden)",
    ] {
        assert_on(&format!("#[{attribute}]"), attribute, [true; 3]);
    }
    assert_on("#[must_use]", "must_use", [false, true, true]);
    assert_on("/// Docs.\n", "/// Docs.", [false, true, true]);
    assert_on("#[doc(alias = \"x\")]", "alias", [false, true, true]);
    assert_on("#[deprecated]", "deprecated", [false, true, false]);
    for wrapper in ["tracing::instrument(skip_all)", "inline", "doc_like"] {
        assert_on(&format!("#[{wrapper}]"), wrapper, [false, false, true]);
    }
}

#[test]
fn an_expectation_is_on_the_inner_function_alone() {
    let expect = "#[expect(unused, reason = \"r\")]";
    assert_on(expect, expect, [false, false, true]);
    let allow = "#[allow(unused, reason = \"r\")]";
    assert_on(expect, allow, [true, true, false]);
    assert_on("#[expect]", "allow", [false, false, false]);
}

#[test]
fn a_parameter_of_the_outer_function_keeps_lint_levels_only() {
    let expansion = pretty(
        "",
        "async fn h(#[allow(a)] #[expect(b)] #[wrapped] x: u8, db: &mut C) -> Out { }",
    );
    assert_has(&expansion, "async fn h(#[allow(a)] x: u8)");
    assert_has(
        &expansion,
        "h_with(#[allow(a)] #[expect(b)] #[wrapped] x: u8,",
    );
    let item = "async fn h(#[cfg_attr(x, allow(cfg, db))] db: &mut A) -> Out { }";
    assert_has(
        &pretty("", item),
        "h_with(#[cfg_attr(x, allow(cfg, db))] db: &mut A)",
    );
}
