//! A parameter that is a database.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Error, FnArg, GenericParam, Lifetime, Pat, PatType, ReturnType, Signature, Type};

use crate::args::{Args, Where};
use crate::attributes::is_condition;
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
