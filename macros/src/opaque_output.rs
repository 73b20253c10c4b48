//! The lifetimes that an `impl …` in the return type captures.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::{GenericParam, Generics, Signature};

// Input:
//     async fn user<T>(id: T, db: &mut PgConnection) -> Result<impl IntoResponse, Error>
//
// Output:
//     async fn user<T>(id: T, db: &mut PgConnection) -> Result<impl use<T> + IntoResponse, Error>
//
/// Since edition 2024 an `impl …` captures every lifetime of the signature. With the lifetime of
/// the database, the response would keep the connection borrowed. `generics` are the generics of
/// the signature without the database.
pub(crate) fn without_databases(signature: &mut Signature, generics: &Generics) {
    let is_written = has_ident(signature.output.to_token_stream(), "use");
    // A `use<…>` must name every type parameter, and that of an `impl …` argument has no name.
    let is_nameless = has_ident(signature.inputs.to_token_stream(), "impl");
    if is_written || is_nameless {
        return;
    }
    let names: Vec<_> = generics
        .params
        .iter()
        .map(|param| match param {
            GenericParam::Lifetime(param) => param.lifetime.to_token_stream(),
            GenericParam::Type(param) => param.ident.to_token_stream(),
            GenericParam::Const(param) => param.ident.to_token_stream(),
        })
        .collect();
    let output = capture(signature.output.to_token_stream(), &names);
    if let Ok(output) = syn::parse2(output) {
        signature.output = output;
    }
}

fn capture(tokens: TokenStream, names: &[TokenStream]) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "impl" => {
                quote_spanned!(ident.span()=> #ident use<#(#names),*> +)
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), capture(group.stream(), names));
                inner.set_span(group.span());
                TokenTree::from(inner).into()
            }
            token => token.into(),
        })
        .collect()
}

fn has_ident(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => has_ident(group.stream(), name),
        _ => false,
    })
}
