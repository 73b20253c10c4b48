//! A parameter that is a database.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::{Error, FnArg, GenericParam, Pat, PatType, Signature, Type};

use crate::args::Where;

pub(crate) struct Database {
    /// Which parameter it is.
    pub(crate) index: usize,
    pub(crate) form: Form,
    /// What the static holds: the parameter's type without its reference, for `'static`.
    pub(crate) held: TokenStream,
    /// The static's name.
    pub(crate) name: Ident,
    pub(crate) place: Where,
}

/// The parameter's form, which decides what the static is. The type behind it is never judged by its name.
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
        parameter: &FnArg,
        signature: &Signature,
        place: Where,
    ) -> syn::Result<Self> {
        let FnArg::Typed(PatType { pat, ty, .. }) = parameter else {
            return Err(Error::new_spanned(parameter, "a receiver is no database"));
        };
        let (form, held) = form(ty);
        if let Type::ImplTrait(_) = held {
            return Err(Error::new_spanned(
                held,
                "a static holds the database: write its type in place of `impl …`",
            ));
        }
        let held = held.to_token_stream();
        if let Some(generic) = generic_in(&held, signature) {
            let message = format!(
                "a static holds the database, and cannot be generic: write a type in place of `{generic}`"
            );
            return Err(Error::new(generic.span(), message));
        }
        let bound = higher_ranked(&held);
        Ok(Self {
            index,
            form,
            held: for_static(held, &bound),
            name: name(&signature.ident, pat),
            place,
        })
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
fn form(ty: &Type) -> (Form, &Type) {
    match ty {
        Type::Group(group) => form(&group.elem),
        Type::Paren(paren) => form(&paren.elem),
        Type::Reference(reference) if reference.mutability.is_some() => {
            (Form::Exclusive, &reference.elem)
        }
        Type::Reference(reference) => (Form::Borrowed, &reference.elem),
        ty => (Form::Owned, ty),
    }
}

fn generic_in(ty: &TokenStream, signature: &Signature) -> Option<Ident> {
    let generics: Vec<_> = signature
        .generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    find_ident(ty.clone(), &|ident| generics.contains(&ident))
}

fn find_ident(tokens: TokenStream, wanted: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if wanted(&ident) => Some(ident),
        TokenTree::Group(group) => find_ident(group.stream(), wanted),
        _ => None,
    })
}

/// The lifetimes that a `for<…>` in the type brings itself.
fn higher_ranked(tokens: &TokenStream) -> Vec<Ident> {
    let mut bound = Vec::new();
    let mut tokens = tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => bound.extend(higher_ranked(&group.stream())),
            TokenTree::Ident(ident) if ident == "for" => {
                while let Some(token) = tokens.next_if(
                    |token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == '>'),
                ) {
                    if let TokenTree::Ident(ident) = token {
                        bound.push(ident);
                    }
                }
            }
            _ => {}
        }
    }
    bound
}

/// Every other lifetime is `'static` in a static.
fn for_static(tokens: TokenStream, bound: &[Ident]) -> TokenStream {
    let mut is_lifetime = false;
    tokens
        .into_iter()
        .map(|token| {
            let was_lifetime = std::mem::replace(
                &mut is_lifetime,
                matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\''),
            );
            match token {
                TokenTree::Ident(ident) if was_lifetime && !bound.contains(&ident) => {
                    Ident::new("static", ident.span()).into()
                }
                TokenTree::Group(group) => {
                    let mut inner =
                        Group::new(group.delimiter(), for_static(group.stream(), bound));
                    inner.set_span(group.span());
                    inner.into()
                }
                token => token,
            }
        })
        .collect()
}
