//! Where rustc tells what it finds in the expansion.

use proc_macro2::{TokenStream, TokenTree};

use super::{expand, tokens};

fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut trees = Vec::new();
    for tree in tokens {
        trees.push(tree.clone());
        if let TokenTree::Group(group) = tree {
            trees.extend(flat(group.stream()));
        }
    }
    trees
}

/// The texts at which the path of the runtime's item begins.
fn places_of(item: &str, name: &str) -> Vec<Option<String>> {
    let trees = flat(expand(TokenStream::new(), tokens(item)));
    trees
        .windows(6)
        .filter(|trees| matches!(&trees[5], TokenTree::Ident(ident) if ident == name))
        .map(|trees| {
            assert_eq!(trees[2].to_string(), "reuse_db");
            assert_eq!(trees[0].span().source_text(), trees[5].span().source_text());
            trees[0].span().source_text()
        })
        .collect()
}

#[test]
fn what_a_type_cannot_do_is_told_at_the_type() {
    let place = |text: &str| Some(text.to_owned());
    let item = "async fn h(a: u8, db: &mut Wrong) -> Number { }";
    for (name, times) in [("Exclusive", 2), ("Finish", 1)] {
        assert_eq!(places_of(item, name), vec![place("Wrong"); times], "{name}");
    }
    // The one in between judges the output.
    let [open, _, settle] = &places_of(item, "__private")[..] else {
        panic!("three of them")
    };
    assert_eq!([open, settle], [&place("Wrong"), &place("Wrong")]);
    assert_eq!(places_of(item, "FromError"), vec![place("Number"); 2]);
    let item = "async fn h(a: u8, db: Wrong) { }";
    assert_eq!(places_of(item, "Shared"), vec![place("Wrong"); 2]);
    let item = "async fn h(a: u8, db: &Wrong) { }";
    for (name, times) in [("Shared", 2), ("SharedLease", 2)] {
        assert_eq!(places_of(item, name), vec![place("Wrong"); times], "{name}");
    }
    assert_eq!(places_of(item, "FromError"), [place("h")]);
}

#[test]
fn a_path_of_the_users_own_is_where_it_is_written() {
    let args = tokens("crate = my_crate");
    let item = tokens("async fn h(db: &mut Wrong) -> Number { }");
    let trees = flat(expand(args, item));
    let paths = trees.iter().filter(|tree| tree.to_string() == "my_crate");
    let places: Vec<_> = paths.map(|tree| tree.span().source_text()).collect();
    assert!(places.len() > 5);
    assert!(
        places
            .iter()
            .all(|place| place.as_deref() == Some("my_crate")),
        "{places:?}"
    );
}

/// So they are the user's to rustc: lints are told for the outer function, and an `expect` on it
/// holds.
#[test]
fn both_functions_have_the_users_braces() {
    let trees = flat(expand(
        TokenStream::new(),
        tokens("async fn h(db: &mut C) -> Out { body }"),
    ));
    let braces: Vec<_> = trees
        .iter()
        .filter(|tree| tree.span().source_text().as_deref() == Some("{ body }"))
        .collect();
    assert_eq!(braces.len(), 2);
}
