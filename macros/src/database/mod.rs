//! A parameter that is a database.

mod hint;
mod mistakes;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, Lifetime, Pat, Signature, Type};

pub(crate) use self::hint::Hint;
use crate::args::{Args, ConnectTo};
use crate::errors::Errors;
use crate::lifetimes;

pub(crate) struct Database {
    /// The position among the parameters.
    pub(crate) index: usize,
    /// The position of the type in the source.
    pub(crate) at: Span,
    pub(crate) form: Form,
    /// The type that the static holds: the parameter's type without its reference, for `'static`.
    /// `None` after an error, where no static can be declared.
    pub(crate) held: Option<TokenStream>,
    /// The static's name.
    pub(crate) name: Ident,
    /// The server, if it is not the default.
    pub(crate) connect_to: Option<ConnectTo>,
    pub(crate) hint: Option<Hint>,
}

/// The parameter's form, which decides the kind of the static. The type behind the form is never
/// judged by its name.
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
    /// Reads a parameter. Arguments in the parameter's own mark take precedence over `args`, the
    /// arguments on the function.
    pub(crate) fn new(
        index: usize,
        signature: &Signature,
        mark: Args,
        args: &Args,
        features: &[&str],
        errors: &mut Errors,
    ) -> Option<Self> {
        let FnArg::Typed(parameter) = &signature.inputs[index] else {
            return None;
        };
        let (form, borrow, held) = form(&parameter.ty);
        let hint = Hint::new(form, held, features);
        let held = held.to_token_stream();
        let found = [
            mistakes::opaque(&held),
            mistakes::generic(&held, signature),
            mistakes::too_long(borrow, form, &held, &signature.output),
        ];
        let is_sound = found.iter().all(Option::is_none);
        found
            .into_iter()
            .flatten()
            .for_each(|error| errors.push(error));
        Some(Self {
            index,
            at: held.span(),
            form,
            held: is_sound.then(|| lifetimes::for_static(held)),
            name: mark
                .name
                .unwrap_or_else(|| name(&signature.ident, &parameter.pat)),
            connect_to: mark.connect_to.or_else(|| args.connect_to.clone()),
            hint,
        })
    }

    /// Returns the span for code whose errors belong to the database's type.
    pub(crate) fn type_span(&self) -> Span {
        Span::mixed_site().located_at(self.at)
    }
}

/// Returns `HANDLER_DB` for the parameter `db` of `handler`.
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

/// Splits a type into its form, its lifetime and the type behind the reference. Parentheses and a
/// macro's invisible groups around the type are removed.
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
