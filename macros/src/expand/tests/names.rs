//! Names, and what comes from a `macro_rules!`.

use proc_macro2::{Delimiter, Group, TokenTree};
use quote::quote;

use super::{assert_has, expand, pretty, tokens};

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
    assert_has(&expansion, "Exclusive < C >");
}
