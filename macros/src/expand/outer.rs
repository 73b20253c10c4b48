//! The outer function's signature, and its call of the inner one.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{FnArg, GenericParam, Generics, PatType, Signature, Token, parse_quote_spanned};

use crate::attributes::{is_condition, stays_on_parameter};
use crate::database::Database;
use crate::lifetimes;

// Input:
//     async fn handler<'c>(Path(id): Path<u32>, db: &'c mut PgConnection) -> Output
//
// Output:
//     async fn handler(__arg0: Path<u32>) -> Output
pub(super) fn signature(written: &Signature, databases: &[Database]) -> Signature {
    let mut signature = written.clone();
    let inputs = std::mem::take(&mut signature.inputs);
    let others = inputs
        .into_iter()
        .enumerate()
        .filter(|(index, _)| databases.iter().all(|database| database.index != *index));
    signature.inputs = others
        .map(|(index, parameter)| match parameter {
            FnArg::Typed(mut parameter) => {
                let name = argument_name(index);
                parameter.pat = parse_quote_spanned!(name.span()=> #name);
                parameter.attrs.retain(stays_on_parameter);
                FnArg::Typed(parameter)
            }
            receiver @ FnArg::Receiver(_) => receiver,
        })
        .collect::<Punctuated<_, Token![,]>>();
    let (inputs, output) = (&signature.inputs, &signature.output);
    let rest = quote!(#inputs #output);
    lifetimes::drop_unused(&mut signature.generics, rest);
    signature
}

fn argument_name(index: usize) -> Ident {
    format_ident!("__arg{index}", span = Span::mixed_site())
}

struct Argument {
    value: TokenStream,
    /// What its parameter is under.
    condition: Option<TokenStream>,
}

// Output:
//     let output = handler_with(__arg0, &mut open).await;
//
// With `#[cfg(test)]` on the first parameter, since an argument of a call cannot have one:
//     #[cfg(test)]
//     let output = handler_with(__arg0, &mut open).await;
//     #[cfg(not(test))]
//     let output = handler_with(&mut open).await;
pub(super) fn call(
    inner: &Ident,
    signature: &Signature,
    database_of: impl Fn(usize) -> Option<TokenStream>,
) -> TokenStream {
    let parameters = signature.inputs.iter().enumerate();
    let arguments: Vec<_> = parameters
        .map(|(index, parameter)| match database_of(index) {
            Some(value) => Argument {
                value,
                condition: None,
            },
            None => {
                let name = argument_name(index);
                Argument {
                    value: quote!(#name),
                    condition: condition(parameter),
                }
            }
        })
        .collect();
    let generics = turbofish(&signature.generics);
    let conditions: Vec<_> = arguments
        .iter()
        .filter_map(|argument| argument.condition.as_ref())
        .collect();
    let calls = (0..1_usize << conditions.len()).map(|combination| {
        let holds = |n: usize| combination >> n & 1 == 0;
        let when = conditions.iter().enumerate().map(|(n, condition)| {
            if holds(n) {
                quote!(#condition)
            } else {
                quote!(not(#condition))
            }
        });
        let when = all(when.collect()).map(|when| quote!(#[cfg(#when)]));
        let mut n = 0;
        let given = arguments.iter().filter_map(|argument| {
            let is_given = argument.condition.is_none() || holds(n);
            n += usize::from(argument.condition.is_some());
            is_given.then_some(&argument.value)
        });
        quote_spanned!(Span::mixed_site()=> #when let output = #inner #generics(#(#given),*).await;)
    });
    calls.collect()
}

fn condition(parameter: &FnArg) -> Option<TokenStream> {
    let FnArg::Typed(PatType { attrs, .. }) = parameter else {
        return None;
    };
    let conditions: Vec<TokenStream> = attrs
        .iter()
        .filter(|attribute| is_condition(attribute))
        .filter_map(|attribute| attribute.parse_args().ok())
        .collect();
    all(conditions)
}

fn all(mut conditions: Vec<TokenStream>) -> Option<TokenStream> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(quote!(all(#(#conditions),*))),
    }
}

/// What the body alone may name cannot be inferred.
fn turbofish(generics: &Generics) -> Option<TokenStream> {
    let names: Vec<_> = generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!names.is_empty()).then(|| quote!(::<#(#names),*>))
}
