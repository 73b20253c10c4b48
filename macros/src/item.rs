//! The parser of the annotated item.

use proc_macro2::{Delimiter, Group, TokenTree};
use syn::parse::ParseStream;
use syn::{Attribute, Error, Signature, Token, Visibility};

/// The parts of a function: attributes, visibility, signature, and the body if there is one.
pub(crate) type Parts = (Vec<Attribute>, Visibility, Signature, Option<Group>);

pub(crate) fn item(input: ParseStream<'_>) -> syn::Result<Parts> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility: Visibility = input.parse()?;
    let start = input.span();
    if !is_function(input) {
        return Err(Error::new(
            start,
            "`#[reuse_db]` is for functions: write it above an `async fn`",
        ));
    }
    let signature: Signature = input.parse()?;
    if input.parse::<Option<Token![;]>>()?.is_some() {
        return Ok((attributes, visibility, signature, None));
    }
    let at_body = input.fork();
    let body = braces(input.parse()?).ok_or_else(|| at_body.error("expected `{`"))?;
    Ok((attributes, visibility, signature, Some(body)))
}

/// Takes the body out of the invisible group of a macro's `$body:block`.
fn braces(token: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => group.stream().into_iter().next().and_then(braces),
        _ => None,
    }
}

fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while ahead.peek(Token![const])
        || ahead.peek(Token![async])
        || ahead.peek(Token![unsafe])
        || ahead.peek(Token![extern])
        || ahead.peek(syn::LitStr)
    {
        if ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    ahead.peek(Token![fn])
}
