//! A parameter that is a database.

mod mistakes;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, Lifetime, Pat, Signature, Type};

use crate::args::{Args, Where};
use crate::errors::Errors;
use crate::lifetimes;

pub(crate) struct Database {
    /// Which parameter it is.
    pub(crate) index: usize,
    /// The place of its type.
    pub(crate) at: Span,
    pub(crate) form: Form,
    /// What the static holds: the parameter's type without its reference, for `'static`. `None` if
    /// there can be no static, which is an error.
    pub(crate) held: Option<TokenStream>,
    /// The static's name.
    pub(crate) name: Ident,
    /// Where to connect, if not to the default.
    pub(crate) place: Option<Where>,
    /// What to write if the form turns out not to suit the type, which its name suggests.
    pub(crate) advice: Option<&'static str>,
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
    /// What the parameter's own mark says wins over what the attribute says.
    pub(crate) fn new(
        index: usize,
        signature: &Signature,
        mark: Args,
        args: &Args,
        errors: &mut Errors,
    ) -> Option<Self> {
        let FnArg::Typed(parameter) = &signature.inputs[index] else {
            return None;
        };
        let (form, borrow, held) = form(&parameter.ty);
        let advice = advice(form, held);
        let held = held.to_token_stream();
        let found = [
            mistakes::conditional(parameter),
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
            place: mark.place.or_else(|| args.place.clone()),
            advice,
        })
    }

    /// For code that is told about at the database's type.
    pub(crate) fn place(&self) -> Span {
        Span::mixed_site().located_at(self.at)
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

fn advice(form: Form, ty: &Type) -> Option<&'static str> {
    let Type::Path(ty) = ty else {
        return None;
    };
    let name = ty.path.segments.last()?.ident.to_string();
    match form {
        Form::Borrowed if name.ends_with("Connection") => {
            Some("a connection serves one invocation at a time: write `&mut` in place of `&`")
        }
        Form::Exclusive if name.ends_with("Pool") => {
            Some("a pool serves many invocations at once: write `&` in place of `&mut`")
        }
        _ => None,
    }
}
