//! The names in the expansion, and input from a `macro_rules!`.

use proc_macro2::{Delimiter, Group, TokenTree};
use quote::quote;

use super::{assert_has, expand, pretty, tokens};

#[test]
fn a_static_is_named_after_the_function_and_the_parameter() {
    for (signature, name) in [
        ("async fn handler(_db: &mut C)", "HANDLER_DB"),
        ("async fn handler(_: &mut C)", "HANDLER_DB"),
        ("async fn get_user(mut reader: &mut C)", "GET_USER_READER"),
        ("async fn r#match(r#type: &mut C)", "MATCH_TYPE"),
        ("async fn h(#[db(name = r#Odd)] _: &mut C)", "r#Odd"),
        // Not ASCII, some with more than one letter in upper case.
        ("async fn straße(ŉ_база: &mut C)", "STRASSE_ʼN_БАЗА"),
    ] {
        let expansion = pretty("", &format!("{signature} -> Out {{ }}"));
        assert_has(
            &expansion,
            &format!("static {name}: ::reuse_db::Exclusive<C>"),
        );
    }
}

#[test]
fn raw_identifiers_stay_raw() {
    let expansion = pretty("", "async fn r#match(r#type: &mut C) -> Out { }");
    assert_has(&expansion, "async fn r#match()");
    assert_has(&expansion, "async fn match_with(r#type: &mut C)");
}

#[test]
fn the_outer_function_keeps_the_name_of_a_plain_parameter() {
    for (parameter, outer) in [
        ("id: u8", "id: u8"),
        ("mut id: u8", "id: u8"),
        ("ref id: u8", "id: u8"),
        ("_id: u8", "_id: u8"),
        ("r#type: u8", "r#type: u8"),
        ("__arg0: u8", "__arg0: u8"),
        ("Path(id): Path<u8>", "__arg0: Path<u8>"),
        ("id @ 0..: u8", "__arg0: u8"),
        ("_: u8", "__arg0: u8"),
    ] {
        let expansion = pretty("", &format!("async fn h({parameter}, db: S) -> Out {{ }}"));
        assert_has(&expansion, &format!("async fn h({outer}) -> Out"));
        let (name, _) = outer.split_once(':').expect("a name");
        assert_has(&expansion, &format!("h_with({name}, open)"));
    }
}

#[test]
fn a_parameter_of_the_outer_function_never_hides_another_name() {
    for (parameters, outer) in [
        ("id: u8, id: u16", "id: u8, __arg1: u16"),
        ("h_with: u8, r#h_with: u8", "__arg0: u8, __arg1: u8"),
        ("H_DB: u8, h: u8", "__arg0: u8, h: u8"),
    ] {
        let expansion = pretty("", &format!("async fn h({parameters}, db: S) -> Out {{ }}"));
        assert_has(&expansion, &format!("async fn h({outer}) -> Out"));
    }
}

/// Returns tokens as a fragment of a `macro_rules!`, which is a group without delimiters.
fn grouped(text: &str) -> TokenTree {
    Group::new(Delimiter::None, tokens(text)).into()
}

#[test]
fn fragments_of_a_macro_expand_like_plain_tokens() {
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
