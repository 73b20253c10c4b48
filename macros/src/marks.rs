//! The `#[db]` marks of parameters.

use proc_macro2::TokenStream;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, MacroDelimiter, Meta, Signature};

use crate::args::{Args, Level, args};
use crate::attributes::cfg_attr_contains;
use crate::errors::Errors;

/// Removes the marks from the parameters, because rustc does not know them. Returns the position
/// and the arguments of each database. Without a mark, the last parameter is the database.
pub(crate) fn take_marks(signature: &mut Signature, errors: &mut Errors) -> Vec<(usize, Args)> {
    let last = signature.inputs.len().checked_sub(1);
    let mut marks = Vec::new();
    for (index, parameter) in signature.inputs.iter_mut().enumerate() {
        let FnArg::Typed(parameter) = parameter else {
            continue;
        };
        let mut marked: Option<Args> = None;
        parameter.attrs.retain(|attribute| {
            if cfg_attr_contains(&attribute.meta, "db") {
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
            let message = "arguments are in parentheses: write `#[db(env = \"READER_URL\")]`";
            Err(Error::new(meta.path().span(), message))
        }
    }
}
