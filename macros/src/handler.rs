//! The annotated function: its parts, and what is wrong with it.

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, Safety, Signature, Token, Visibility};

use crate::args::Args;
use crate::attributes::is_condition;
use crate::database::Database;
use crate::errors::Errors;
use crate::item::item;
use crate::marks::take_marks;

pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// As written, without what a handler cannot be.
    pub(crate) signature: Signature,
    /// Never parsed: a syntax error in it is rustc's to tell.
    pub(crate) body: Group,
    pub(crate) databases: Vec<Database>,
    /// The name of the function that has the body.
    pub(crate) inner: Ident,
}

/// Reads the item; `None` if nothing can be made of it.
pub(crate) fn handler(tokens: TokenStream, args: &Args, errors: &mut Errors) -> Option<Handler> {
    let (attributes, visibility, mut signature, body) = match item.parse2(tokens) {
        Ok(parts) => parts,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    correct(&mut signature, errors);
    let misplaced = misplaced(&signature, body.as_ref());
    let marks = take_marks(&mut signature, errors);
    if marks.is_empty() {
        let message = "the last parameter is the database: write one, like `db: &mut PgConnection`";
        errors.push(Error::new(signature.paren_token.span.join(), message));
        return None;
    }
    let inner = inner(&signature.ident, args, errors);
    let databases = marks
        .into_iter()
        .filter_map(|(index, mark)| Database::new(index, &signature, mark, args, errors));
    let mut databases: Vec<_> = databases.collect();
    check_names(&mut databases, [&signature.ident, &inner], errors);
    if let Some(error) = misplaced {
        errors.push(error);
        databases
            .iter_mut()
            .for_each(|database| database.held = None);
        if databases.is_empty() {
            return None;
        }
    }
    Some(Handler {
        attributes,
        visibility,
        signature,
        body: body.unwrap_or_else(no_body),
        databases,
        inner,
    })
}

/// A function that is no free one: an item of an `impl` or a `trait`.
fn misplaced(signature: &Signature, body: Option<&Group>) -> Option<Error> {
    if let Some(receiver) = signature.receiver() {
        let message = "a method cannot have a static beside it: write a free function, and pass it what it needs of `self`";
        return Some(Error::new(receiver.self_token.span, message));
    }
    let message = "a handler has a body: a function of a trait cannot have a static beside it";
    body.is_none()
        .then(|| Error::new(signature.span(), message))
}

fn no_body() -> Group {
    Group::new(Delimiter::Brace, quote!(::core::unreachable!()))
}

fn inner(function: &Ident, args: &Args, errors: &mut Errors) -> Ident {
    let default = format_ident!("{}_with", function.unraw(), span = function.span());
    match &args.with {
        Some(name) if name.unraw() == function.unraw() => {
            let message = format!(
                "`{function}` is the function without the database: write another name for the \
                 one with it, like `with = {default}`"
            );
            errors.push(Error::new(name.span(), message));
            default
        }
        Some(name) => name.clone(),
        None => default,
    }
}

/// No two items can have one name: a database whose static would is left without one.
fn check_names(databases: &mut [Database], functions: [&Ident; 2], errors: &mut Errors) {
    let mut taken = functions.map(Ident::unraw).to_vec();
    for database in databases {
        let name = database.name.unraw();
        if taken.contains(&name) {
            let message =
                format!("there is a `{name}` already: write `#[db(name = …)]` with another name");
            errors.push(Error::new(database.at, message));
            database.held = None;
        }
        taken.push(name);
    }
}

/// Tells what a handler cannot be, and goes on as if it were none of that, so that its callers see
/// no other error.
fn correct(signature: &mut Signature, errors: &mut Errors) {
    let mut refuse = |span, message: &str| errors.push(Error::new(span, message));
    if let Some(token) = signature.constness.take() {
        refuse(
            token.span,
            "a handler cannot be `const`: it connects to a database",
        );
    }
    if let Safety::Unsafe(token) = std::mem::replace(&mut signature.safety, Safety::Default) {
        refuse(
            token.span,
            "a handler cannot be `unsafe`: nobody could call it; put the `unsafe` block inside",
        );
    }
    if let Some(abi) = signature.abi.take() {
        refuse(
            abi.extern_token.span,
            "a handler cannot be `extern`: it is called from Rust",
        );
    }
    if signature.asyncness.is_none() {
        refuse(
            signature.fn_token.span,
            "a handler waits for its database: write `async fn`",
        );
        signature.asyncness = Some(Token![async](signature.fn_token.span));
    }
    if let Some(variadic) = signature.variadic.take() {
        refuse(
            variadic.dots.spans[0],
            "a handler cannot be variadic: it is called from Rust",
        );
    }
    let conditional = signature
        .inputs
        .iter_mut()
        .filter_map(|parameter| match parameter {
            FnArg::Typed(parameter) => Some(&mut parameter.attrs),
            FnArg::Receiver(_) => None,
        })
        .filter(|attributes| attributes.iter().any(is_condition));
    for attributes in conditional.skip(MAX_CONDITIONAL) {
        if let Some(condition) = attributes.iter().find(|attribute| is_condition(attribute)) {
            refuse(
                condition.path().span(),
                "no more than 4 parameters can be under `#[cfg]`: write a function for each case",
            );
        }
        attributes.retain(|attribute| !is_condition(attribute));
    }
}

/// The inner function is called once for each combination of conditions.
const MAX_CONDITIONAL: usize = 4;
