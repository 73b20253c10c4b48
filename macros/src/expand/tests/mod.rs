//! The expansion, and the message of each mistake.

mod arguments;
mod attributes;
mod error_spans;
mod function;
mod hints;
mod lifetimes;
mod malformed_input;
mod marks;
mod names;
mod snapshots;

use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

const ALL_FEATURES: &[&str] = &[
    "postgres",
    "mysql",
    "sqlite",
    "any",
    "diesel-async",
    "diesel-async-mysql",
    "redis",
    "sea-orm",
    "tokio-postgres",
];

fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    super::expand(args, item, ALL_FEATURES)
}

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).expect("tokens")
}

fn pretty(args: &str, item: &str) -> String {
    unparse(expand(tokens(args), tokens(item)))
}

fn unparse(expansion: TokenStream) -> String {
    let file = syn::parse2(expansion).expect("an expansion that parses");
    prettyplease::unparse(&file)
}

/// Returns each error with the source text at its span.
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

/// Asserts that there is one error, with this message and this source text.
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
