//! The `#[db]` marks of parameters.

use proc_macro2::TokenStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, MacroDelimiter, Meta, Signature, Token};

use crate::args::{Args, Level, args};
use crate::errors::Errors;

/// Takes the marks off the parameters, which rustc would not know. Each is the parameter's index
/// and what the mark says of it; without any, the last parameter is the database.
pub(crate) fn take_marks(signature: &mut Signature, errors: &mut Errors) -> Vec<(usize, Args)> {
    let last = signature.inputs.len().checked_sub(1);
    let mut marks = Vec::new();
    for (index, parameter) in signature.inputs.iter_mut().enumerate() {
        let FnArg::Typed(parameter) = parameter else {
            continue;
        };
        let mut marked: Option<Args> = None;
        parameter.attrs.retain(|attribute| {
            if is_conditional(attribute) {
                let message =
                    "a mark cannot be conditional: write `#[db]`, and `#[cfg]` on the function";
                errors.push(Error::new(attribute.path().span(), message));
                marked.get_or_insert_default();
                return false;
            }
            if !attribute.path().is_ident("db") {
                return true;
            }
            if marked.is_some() {
                let message = "`#[db]` is given twice: remove one";
                errors.push(Error::new(attribute.path().span(), message));
            } else {
                let tokens = arguments(attribute).unwrap_or_else(|error| {
                    errors.push(error);
                    TokenStream::new()
                });
                marked = Some(args(tokens, Level::Parameter, errors));
            }
            false
        });
        marks.extend(marked.map(|args| (index, args)));
    }
    if marks.is_empty() {
        marks.extend(last.map(|last| (last, Args::default())));
    }
    marks
}

fn arguments(mark: &Attribute) -> syn::Result<TokenStream> {
    match &mark.meta {
        Meta::Path(_) => Ok(TokenStream::new()),
        Meta::List(list) if matches!(list.delimiter, MacroDelimiter::Paren(_)) => {
            Ok(list.tokens.clone())
        }
        meta => {
            let message = "the arguments are in parentheses: write `#[db(env = \"READER_URL\")]`";
            Err(Error::new(meta.path().span(), message))
        }
    }
}

/// Whether it is a `#[cfg_attr(…, db)]`.
fn is_conditional(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg_attr")
        && attribute
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|parts| parts.iter().skip(1).any(|part| part.path().is_ident("db")))
}
