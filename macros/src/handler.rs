//! The annotated function: its parts, and what is wrong with it.

use proc_macro2::{Group, Span, TokenStream};
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, Safety, Signature, Token, Visibility};

use crate::args::Where;
use crate::database::Database;
use crate::errors::Errors;

pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// As written.
    pub(crate) signature: Signature,
    /// Never parsed: a syntax error in it is rustc's to tell.
    pub(crate) body: Group,
    pub(crate) databases: Vec<Database>,
}

/// Reads the item; `None` if nothing can be made of it.
pub(crate) fn handler(item: TokenStream, place: Where, errors: &mut Errors) -> Option<Handler> {
    let (attributes, visibility, mut signature, body) = match parse.parse2(item) {
        Ok(parts) => parts,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    if let Err(error) = check(&signature) {
        errors.push(error);
        return None;
    }
    let Some((index, parameter)) = signature.inputs.iter().enumerate().last() else {
        errors.push(Error::new(
            signature.paren_token.span.join(),
            "the last parameter is the database: write one, like `db: &mut PgConnection`",
        ));
        return None;
    };
    let database = match Database::new(index, parameter, &signature, place) {
        Ok(database) => database,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    if signature.asyncness.is_none() {
        errors.push(Error::new(
            signature.fn_token.span,
            "a handler waits for its database: write `async fn`",
        ));
        // The rest goes on as if it were, so that its callers see no other error.
        signature.asyncness = Some(Token![async](signature.fn_token.span));
    }
    Some(Handler {
        attributes,
        visibility,
        signature,
        body,
        databases: vec![database],
    })
}

fn parse(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Visibility, Signature, Group)> {
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
    if input.peek(Token![;]) {
        return Err(Error::new(
            signature.span(),
            "a handler has a body: a function of a trait cannot have a static beside it",
        ));
    }
    let body: Group = input.parse()?;
    Ok((attributes, visibility, signature, body))
}

fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while ahead.peek(Token![const])
        || ahead.peek(Token![async])
        || ahead.peek(Token![unsafe])
        || ahead.peek(Token![extern])
        || ahead.peek(syn::LitStr)
    {
        if ahead.parse::<proc_macro2::TokenTree>().is_err() {
            return false;
        }
    }
    ahead.peek(Token![fn])
}

/// What a handler cannot be.
fn check(signature: &Signature) -> syn::Result<()> {
    let refuse = |span: Span, message: &str| Err(Error::new(span, message));
    if let Some(token) = &signature.constness {
        return refuse(
            token.span,
            "a handler cannot be `const`: it connects to a database",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        return refuse(
            token.span,
            "a handler cannot be `unsafe`: nobody could call it; put the `unsafe` block inside",
        );
    }
    if let Some(abi) = &signature.abi {
        return refuse(
            abi.span(),
            "a handler cannot be `extern`: it is called from Rust",
        );
    }
    if let Some(variadic) = &signature.variadic {
        return refuse(variadic.span(), "a handler cannot be variadic");
    }
    for parameter in &signature.inputs {
        if let FnArg::Receiver(receiver) = parameter {
            let message = "a method cannot have a static beside it: write a free function, and pass it what it needs of `self`";
            return refuse(receiver.self_token.span, message);
        }
    }
    Ok(())
}
