//! Input that nobody meant.

use std::str::FromStr as _;

use proc_macro2::{Group, TokenStream, TokenTree};

use super::{expand, tokens};

#[test]
fn a_syntax_error_in_the_body_is_left_to_rustc() {
    let expansion = expand(
        TokenStream::new(),
        tokens("async fn h(db: &mut C) -> Out { let = ; }"),
    )
    .to_string();
    assert!(
        expansion.contains("let = ;") && !expansion.contains("compile_error"),
        "{expansion}"
    );
}

#[test]
fn odd_input_is_no_panic() {
    for item in [
        "",
        "async",
        "fn",
        "async fn",
        "async fn h",
        "async fn h(",
        "#[x]",
        "pub",
        "async fn h(db: &mut C);",
        "{}",
    ] {
        let Ok(item) = TokenStream::from_str(item) else {
            continue;
        };
        for args in [
            "",
            ",",
            "env =",
            "= 1",
            "env env",
            "source = ,",
            "env = \"A\" \"B\"",
            "#",
        ] {
            let Ok(args) = TokenStream::from_str(args) else {
                continue;
            };
            expand(args, item.clone());
        }
    }
}

/// Each stream that is one token short of this one, at any depth.
fn without_a_token(whole: &TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = whole.clone().into_iter().collect();
    let mut shorter = Vec::new();
    for index in 0..trees.len() {
        let with = |tree: Option<TokenTree>| -> TokenStream {
            let (before, after) = (&trees[..index], &trees[index + 1..]);
            before
                .iter()
                .cloned()
                .chain(tree)
                .chain(after.iter().cloned())
                .collect()
        };
        shorter.push(with(None));
        if let TokenTree::Group(group) = &trees[index] {
            for inner in without_a_token(&group.stream()) {
                shorter.push(with(Some(Group::new(group.delimiter(), inner).into())));
            }
        }
    }
    shorter
}

#[test]
fn a_missing_token_is_no_panic() {
    let args = tokens("env = \"A\", source = f(B).c()");
    let item = tokens(
        "#[doc(hidden)] #[expect(a, reason = \"b\")] pub(crate) const unsafe extern \"C\" async fn h<'a: 'b, 'b, T: X<'a>>\
         (#[cfg(x)] mut a: &'a T, (b, ..): (u8, Vec<T>), tx: &'b mut Transaction<'_, for<'x> fn(&'x u8)>, ...) -> Out<'a> \
         where T: 'b, 'b: 'a { body }",
    );
    let items = without_a_token(&item);
    assert!(items.len() > 100);
    for item in items {
        expand(TokenStream::new(), item);
    }
    for args in without_a_token(&args) {
        expand(args, tokens("async fn h(db: &mut C) -> Out { }"));
    }
}
