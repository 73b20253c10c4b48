//! Mistakes in the type of a database parameter.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{Error, GenericParam, Lifetime, ReturnType, Signature};

use super::Form;
use crate::lifetimes;

pub(super) fn opaque(held: &TokenStream) -> Option<Error> {
    let found = find_ident(held.clone(), &|ident| ident == "impl")?;
    let message = "a static holds the database: write its type in place of `impl …`";
    Some(Error::new(found.span(), message))
}

pub(super) fn generic(held: &TokenStream, signature: &Signature) -> Option<Error> {
    let params = &signature.generics.params;
    let generics: Vec<_> = params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    let found = find_ident(held.clone(), &|ident| generics.contains(&ident))?;
    let message = format!(
        "a static holds the database and cannot be generic: write a type in place of `{found}`"
    );
    Some(Error::new(found.span(), message))
}

/// Finds a lifetime that does not end with the invocation.
pub(super) fn too_long(
    borrow: Option<&Lifetime>,
    form: Form,
    held: &TokenStream,
    output: &ReturnType,
) -> Option<Error> {
    if let Some(borrow) = borrow
        && form == Form::Exclusive
        && borrow.ident != "static"
        && lifetimes::named(held).contains(&borrow.ident)
    {
        let message = format!(
            "this would borrow the connection for its whole lifetime: \
             write `&mut` in place of `&{borrow} mut`"
        );
        return Some(Error::new(borrow.span(), message));
    }
    let of_output = lifetimes::named(output);
    let is_longer =
        |lifetime: &Ident| lifetime != "static" && lifetime != "_" && of_output.contains(lifetime);
    let longer = match borrow {
        Some(borrow) if borrow.ident == "static" || is_longer(&borrow.ident) => {
            borrow.ident.clone()
        }
        _ => lifetimes::named(held).into_iter().find(is_longer)?,
    };
    let message = format!(
        "the database is lent for one invocation, and `'{longer}` outlives it: \
         remove the lifetime here"
    );
    Some(Error::new(longer.span(), message))
}

pub(super) fn find_ident(tokens: TokenStream, wanted: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if wanted(&ident) => Some(ident),
        TokenTree::Group(group) => find_ident(group.stream(), wanted),
        _ => None,
    })
}
