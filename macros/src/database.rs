//! A parameter that is a database.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Error, GenericParam, Lifetime, Pat, PatType, ReturnType, Signature, Type};

use crate::args::Where;
use crate::attributes::is_condition;
use crate::errors::Errors;
use crate::lifetimes;

pub(crate) struct Database {
    /// Which parameter it is.
    pub(crate) index: usize,
    pub(crate) form: Form,
    /// What the static holds: the parameter's type without its reference, for `'static`. `None` if
    /// no static can hold it, which is an error.
    pub(crate) held: Option<TokenStream>,
    /// The static's name.
    pub(crate) name: Ident,
    pub(crate) place: Where,
}

/// The parameter's form, which decides what the static is. The type behind it is never judged by
/// its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// `&mut C`
    Exclusive,
    /// `&S`
    Borrowed,
    /// `S`
    Owned,
}

impl Database {
    pub(crate) fn new(
        index: usize,
        parameter: &PatType,
        signature: &Signature,
        place: Where,
        errors: &mut Errors,
    ) -> Self {
        let (form, borrow, held) = form(&parameter.ty);
        let held = held.to_token_stream();
        let mistakes = [
            conditional(parameter),
            opaque(&held),
            generic(&held, signature),
            too_long(borrow, form, &held, &signature.output),
        ];
        let is_sound = mistakes.iter().all(Option::is_none);
        mistakes
            .into_iter()
            .flatten()
            .for_each(|error| errors.push(error));
        Self {
            index,
            form,
            held: is_sound.then(|| lifetimes::for_static(held)),
            name: name(&signature.ident, &parameter.pat),
            place,
        }
    }
}

/// `HANDLER_DB` for the parameter `db` of `handler`.
fn name(function: &Ident, parameter: &Pat) -> Ident {
    let parameter = match parameter {
        Pat::Ident(pat) => pat.ident.unraw().to_string(),
        _ => String::new(),
    };
    let parameter = match parameter.trim_start_matches('_') {
        "" => "db",
        name => name,
    };
    let name = format!("{}_{parameter}", function.unraw()).to_uppercase();
    format_ident!("{name}", span = function.span())
}

/// Takes the reference off a type, and whatever a macro or parentheses put around it.
fn form(ty: &Type) -> (Form, Option<&Lifetime>, &Type) {
    match ty {
        Type::Group(group) => form(&group.elem),
        Type::Paren(paren) => form(&paren.elem),
        Type::Reference(reference) => {
            let form = match reference.mutability {
                Some(_) => Form::Exclusive,
                None => Form::Borrowed,
            };
            (form, reference.lifetime.as_ref(), bare(&reference.elem))
        }
        ty => (Form::Owned, None, ty),
    }
}

fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) if !matches!(*paren.elem, Type::TraitObject(_)) => bare(&paren.elem),
        ty => ty,
    }
}

fn conditional(parameter: &PatType) -> Option<Error> {
    let condition = parameter
        .attrs
        .iter()
        .find(|attribute| is_condition(attribute))?;
    let message = "the database cannot be under `#[cfg]`: write it on the function";
    Some(Error::new(condition.path().span(), message))
}

fn opaque(held: &TokenStream) -> Option<Error> {
    let found = find_ident(held.clone(), &|ident| ident == "impl")?;
    let message = "a static holds the database: write its type in place of `impl …`";
    Some(Error::new(found.span(), message))
}

fn generic(held: &TokenStream, signature: &Signature) -> Option<Error> {
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
        "a static holds the database, and cannot be generic: write a type in place of `{found}`"
    );
    Some(Error::new(found.span(), message))
}

/// A lifetime that does not end with the invocation.
fn too_long(
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
            "what is borrowed for its own lifetime stays borrowed, and is never given back: \
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
        "the database is lent for one invocation, and `'{longer}` lasts longer: leave it out here"
    );
    Some(Error::new(longer.span(), message))
}

fn find_ident(tokens: TokenStream, wanted: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if wanted(&ident) => Some(ident),
        TokenTree::Group(group) => find_ident(group.stream(), wanted),
        _ => None,
    })
}
