//! What the attribute's tokens become, and what each mistake is told.

mod arguments;
mod attributes;
mod function;
mod lifetimes;
mod marks;
mod names;
mod odd;
mod places;
mod random;
mod snapshots;

use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

use super::expand;

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).expect("tokens")
}

fn pretty(args: &str, item: &str) -> String {
    let file = syn::parse2(expand(tokens(args), tokens(item))).expect("an expansion that parses");
    prettyplease::unparse(&file)
}

/// The errors, each with the text that it is at.
fn errors(args: &str, item: &str) -> Vec<(String, String)> {
    let expansion: Vec<TokenTree> = expand(tokens(args), tokens(item)).into_iter().collect();
    let mut errors = Vec::new();
    for (index, token) in expansion.iter().enumerate() {
        let TokenTree::Ident(ident) = token else {
            continue;
        };
        if ident != "compile_error" {
            continue;
        }
        let Some(TokenTree::Group(group)) = expansion.get(index + 2) else {
            continue;
        };
        let message = group.stream().into_iter().next().expect("a message");
        let message: syn::LitStr = syn::parse2(TokenStream::from(message)).expect("a string");
        errors.push((
            message.value(),
            ident.span().source_text().unwrap_or_default(),
        ));
    }
    errors
}

#[track_caller]
fn assert_error(args: &str, item: &str, message: &str, at: &str) {
    assert_eq!(
        errors(args, item),
        [(message.to_owned(), at.to_owned())],
        "#[reuse_db({args})] {item}"
    );
    syn::parse2::<syn::File>(expand(tokens(args), tokens(item))).expect("an expansion that parses");
}

#[track_caller]
fn assert_has(expansion: &str, text: &str) {
    assert!(expansion.contains(text), "no `{text}` in:\n{expansion}");
}

#[track_caller]
fn assert_has_not(expansion: &str, text: &str) {
    assert!(!expansion.contains(text), "`{text}` in:\n{expansion}");
}
