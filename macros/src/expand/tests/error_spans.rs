//! The spans at which rustc reports errors in the expansion.

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

/// Returns the source text at the span of each path to the runtime's item.
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
fn a_wrong_type_is_reported_at_the_type() {
    let place = |text: &str| Some(text.to_owned());
    let item = "async fn h(a: u8, db: &mut Wrong) -> Number { }";
    for (name, times) in [("Exclusive", 2), ("Finish", 1)] {
        assert_eq!(places_of(item, name), vec![place("Wrong"); times], "{name}");
    }
    let [open, _judge, unfinished, settle] = &places_of(item, "__private")[..] else {
        panic!("four of them")
    };
    assert_eq!([open, unfinished, settle], [&place("Wrong"); 3]);
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
fn a_path_from_the_argument_is_reported_where_it_is_written() {
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

#[test]
fn both_functions_have_the_users_braces() {
    let item = tokens("async fn h(db: &mut C) -> Out { body }");
    let trees = flat(expand(TokenStream::new(), item));
    let braces = trees
        .iter()
        .filter(|tree| tree.span().source_text().as_deref() == Some("{ body }"));
    assert_eq!(braces.count(), 2);
}
