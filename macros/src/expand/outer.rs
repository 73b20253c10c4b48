//! The outer function's signature, and its call of the inner function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::{FnArg, GenericParam, Generics, Pat, Signature, Token, parse_quote_spanned};

use crate::attributes::stays_on_parameter;
use crate::handler::Handler;
use crate::lifetimes;

// Input:
//     async fn handler<'c>(Path(id): Path<u32>, mut n: u8, db: &'c mut PgConnection) -> Output
//
// Output:
//     async fn handler(__arg0: Path<u32>, n: u8) -> Output
pub(super) fn signature(handler: &Handler) -> Signature {
    let mut signature = handler.signature.clone();
    let is_database = |index| {
        handler
            .databases
            .iter()
            .any(|database| database.index == index)
    };
    signature.inputs = arguments(handler)
        .into_iter()
        .zip(&handler.signature.inputs)
        .enumerate()
        .filter(|(index, _)| !is_database(*index))
        .map(|(_, (name, parameter))| match parameter {
            FnArg::Typed(parameter) => {
                let mut parameter = parameter.clone();
                parameter.pat = parse_quote_spanned!(name.span()=> #name);
                parameter.attrs.retain(stays_on_parameter);
                FnArg::Typed(parameter)
            }
            receiver @ FnArg::Receiver(_) => receiver.clone(),
        })
        .collect::<Punctuated<_, Token![,]>>();
    let (inputs, output) = (&signature.inputs, &signature.output);
    let rest = quote!(#inputs #output);
    lifetimes::drop_unused(&mut signature.generics, rest);
    signature
}

/// Returns the name of each parameter in the outer function: the user's, if the pattern is a plain
/// name.
///
/// The locals of the expansion have the hygiene of `mixed_site`, so a name of `call_site` never
/// collides with them. Lints do not fire on such a name, and fire once, on the inner function.
fn arguments(handler: &Handler) -> Vec<Ident> {
    // The call would find such a parameter in place of the item.
    let statics = handler.databases.iter().map(|database| &database.name);
    let mut taken: Vec<Ident> = statics.chain([&handler.inner]).map(Ident::unraw).collect();
    let names = handler.signature.inputs.iter().enumerate();
    let names = names.map(|(index, parameter)| match plain_name(parameter) {
        // In a `macro_rules!`, two parameters may have equal names with different hygiene.
        Some(name) if !taken.contains(&name.unraw()) => {
            taken.push(name.unraw());
            let mut name = name.clone();
            name.set_span(Span::call_site().located_at(name.span()));
            name
        }
        _ => format_ident!("__arg{index}", span = Span::mixed_site()),
    });
    names.collect()
}

fn plain_name(parameter: &FnArg) -> Option<&Ident> {
    match parameter {
        FnArg::Typed(parameter) => match &*parameter.pat {
            Pat::Ident(pat) if pat.subpat.is_none() => Some(&pat.ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    }
}

// Output:
//     let output = handler_with(__arg0, n, &mut open).await;
pub(super) fn call(
    handler: &Handler,
    database_of: impl Fn(usize) -> Option<TokenStream>,
) -> TokenStream {
    let inner = &handler.inner;
    let arguments = arguments(handler).into_iter().enumerate();
    let arguments = arguments.map(|(index, name)| database_of(index).unwrap_or(quote!(#name)));
    let generics = turbofish(&handler.signature.generics);
    quote_spanned! {Span::mixed_site()=>
        let output = #inner #generics(#(#arguments),*).await;
    }
}

/// Returns the type and const parameters, because rustc cannot infer a parameter that only the
/// body names.
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
