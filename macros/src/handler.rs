//! The annotated function: its parts, and the mistakes in them.

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, Safety, Signature, Token, Visibility};

use crate::args::Args;
use crate::attributes::is_or_contains;
use crate::database::Database;
use crate::errors::Errors;
use crate::item::item;
use crate::marks::take_marks;

pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// The signature as written, without the keywords that a handler cannot have.
    pub(crate) signature: Signature,
    /// The body, which is never parsed: rustc reports syntax errors in it.
    pub(crate) body: Group,
    pub(crate) databases: Vec<Database>,
    /// The name of the function that has the body.
    pub(crate) inner: Ident,
}

/// Reads the item. Returns `None` if the item cannot be expanded.
pub(crate) fn handler(
    tokens: TokenStream,
    args: &Args,
    features: &[&str],
    errors: &mut Errors,
) -> Option<Handler> {
    let (attributes, visibility, mut signature, body) = match item.parse2(tokens) {
        Ok(parts) => parts,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    correct(&mut signature, errors);
    let unsuitable = misplaced(&signature, body.as_ref()).or_else(|| conditional(&signature));
    let marks = take_marks(&mut signature, errors);
    if marks.is_empty() {
        let message = "the last parameter is the database: write one, like `db: &mut PgConnection`";
        errors.push(Error::new(signature.paren_token.span.join(), message));
        return None;
    }
    let inner = inner(&signature.ident, args, errors);
    let databases = marks
        .into_iter()
        .filter_map(|(index, mark)| Database::new(index, &signature, mark, args, features, errors));
    let mut databases: Vec<_> = databases.collect();
    check_names(&mut databases, [&signature.ident, &inner], errors);
    if let Some(error) = unsuitable {
        errors.push(error);
        for database in &mut databases {
            database.held = None;
        }
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

/// Finds an item of an `impl` or a `trait`, where a static cannot be declared.
fn misplaced(signature: &Signature, body: Option<&Group>) -> Option<Error> {
    if let Some(receiver) = signature.receiver() {
        let message = "a method cannot have a static beside it: \
                       write a free function, and pass the fields that it needs";
        return Some(Error::new(receiver.self_token.span, message));
    }
    let message = "a function of a trait cannot have a static beside it: \
                   write a free function with a body";
    body.is_none()
        .then(|| Error::new(signature.span(), message))
}

/// Finds `#[cfg]` on a parameter. An argument in the call of the inner function cannot have one.
fn conditional(signature: &Signature) -> Option<Error> {
    let mut parameters = signature.inputs.iter();
    let attribute = parameters.find_map(|parameter| match parameter {
        FnArg::Typed(parameter) => parameter
            .attrs
            .iter()
            .find(|attribute| is_or_contains(&attribute.meta, "cfg")),
        FnArg::Receiver(_) => None,
    })?;
    let message = "a parameter cannot be conditional: \
                   put `#[cfg]` on the function, and write one function for each case";
    Some(Error::new(attribute.path().span(), message))
}

fn no_body() -> Group {
    Group::new(Delimiter::Brace, quote!(::core::unreachable!()))
}

fn inner(function: &Ident, args: &Args, errors: &mut Errors) -> Ident {
    let default = format_ident!("{}_with", function.unraw(), span = function.span());
    match &args.with {
        Some(name) if name.unraw() == function.unraw() => {
            let message = format!(
                "`{function}` is the function without the database: \
                 write another name, like `with = {default}`"
            );
            errors.push(Error::new(name.span(), message));
            default
        }
        Some(name) => name.clone(),
        None => default,
    }
}

/// Checks that no two items have the same name. A database whose static would have a name that is
/// taken is left without a static.
fn check_names(databases: &mut [Database], functions: [&Ident; 2], errors: &mut Errors) {
    let mut taken = functions.map(Ident::unraw).to_vec();
    for database in databases {
        let name = database.name.unraw();
        if taken.contains(&name) {
            let message =
                format!("the name `{name}` is taken: write another one in `#[db(name = …)]`");
            errors.push(Error::new(database.at, message));
            database.held = None;
        }
        taken.push(name);
    }
}

/// Reports keywords that a handler cannot have, and removes them, so that callers see no further
/// error.
fn correct(signature: &mut Signature, errors: &mut Errors) {
    let mut error = |span, message: &str| errors.push(Error::new(span, message));
    if let Some(token) = signature.constness.take() {
        error(
            token.span,
            "a handler cannot be `const`, because it connects to a database: remove `const`",
        );
    }
    if let Safety::Unsafe(token) = std::mem::replace(&mut signature.safety, Safety::Default) {
        error(
            token.span,
            "a handler cannot be `unsafe`, because no runtime could call it: \
             put an `unsafe` block inside",
        );
    }
    if let Some(abi) = signature.abi.take() {
        error(
            abi.extern_token.span,
            "a handler cannot be `extern`, because Rust calls it: remove the ABI",
        );
    }
    if signature.asyncness.is_none() {
        error(
            signature.fn_token.span,
            "a handler waits for its database: write `async fn`",
        );
        signature.asyncness = Some(Token![async](signature.fn_token.span));
    }
    if let Some(variadic) = signature.variadic.take() {
        error(
            variadic.dots.spans[0],
            "a handler cannot be variadic, because Rust calls it: remove `...`",
        );
    }
}
