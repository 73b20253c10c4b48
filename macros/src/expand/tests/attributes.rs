//! Where the attributes below ours go.

use super::{assert_has, assert_has_not, pretty};

/// Whether each of the three items has a text before its name, in the order in which they are
/// printed.
#[track_caller]
fn assert_on(attributes: &str, text: &str, on: [bool; 3]) {
    let expansion = pretty(
        "",
        &format!("{attributes} async fn h(db: &mut C) -> Out {{ }}"),
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
fn each_goes_where_it_makes_sense() {
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
fn what_is_expected_is_expected_once() {
    let both = "#[expect(dead_code, unused, reason = \"r\")]";
    assert_on(
        both,
        "#[allow(dead_code, unused, reason = \"r\")]",
        [true, false, false],
    );
    assert_on(
        both,
        "#[expect(dead_code, reason = \"r\")]",
        [false, true, false],
    );
    assert_on(
        both,
        "#[allow(unused, reason = \"r\")]",
        [false, true, false],
    );
    assert_on(
        both,
        "#[expect(unused, reason = \"r\")]",
        [false, false, true],
    );
    assert_on("#[expect(dead_code)]", "expect", [false, true, false]);
    assert_on("#[expect(unused)]", "expect", [false, false, true]);
    assert_on("#[expect(!)]", "expect(!)", [false, false, true]);
}

#[test]
fn on_a_parameter() {
    let expansion = pretty(
        "",
        "async fn h(#[allow(a)] #[expect(b)] #[wrapped] x: u8, db: &mut C) -> Out { }",
    );
    assert_has(&expansion, "async fn h(#[allow(a)] __arg0: u8)");
    assert_has(
        &expansion,
        "h_with(#[allow(a)] #[expect(b)] #[wrapped] x: u8,",
    );
}

#[test]
fn a_conditional_parameter_is_a_conditional_call() {
    let expansion = pretty(
        "",
        "async fn h(a: u8, #[cfg(x)] #[cfg(y)] b: u8, #[cfg(z)] c: u8, db: S) -> Out { }",
    );
    let expansion: String = expansion.split_whitespace().collect();
    for (when, arguments) in [
        ("all(all(x,y),z)", "__arg0,__arg1,__arg2,"),
        ("all(not(all(x,y)),z)", "__arg0,__arg2,"),
        ("all(all(x,y),not(z))", "__arg0,__arg1,"),
        ("all(not(all(x,y)),not(z))", "__arg0,"),
    ] {
        let call = format!("#[cfg({when})]letoutput=h_with({arguments}open)");
        assert_has(&expansion, &call);
    }
    assert_has_not(&pretty("", "async fn h(a: u8, db: S) -> Out { }"), "cfg");
}
