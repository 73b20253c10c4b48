//! The attributes of the annotated function, sorted by the items that they apply to.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The attributes of each item that a handler becomes.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) on_static: TokenStream,
    pub(crate) on_outer: TokenStream,
    pub(crate) on_inner: TokenStream,
}

impl Attributes {
    // | attribute                                  | static  | outer   | inner |
    // |--------------------------------------------|---------|---------|-------|
    // | cfg, cfg_attr, lint levels, doc(hidden)    | yes     | yes     | yes   |
    // | doc, must_use                              |         | yes     | yes   |
    // | deprecated (the outer calls the inner one) |         | yes     |       |
    // | expect                                     | `allow` | `allow` | yes   |
    // | all others, which may wrap the body        |         |         | yes   |
    pub(crate) fn new(attributes: &[Attribute]) -> Self {
        let mut all = Self::default();
        for attribute in attributes {
            let tokens = attribute.to_token_stream();
            let none = TokenStream::new();
            let is = |names: &[&str]| names.iter().any(|name| attribute.path().is_ident(name));
            if is(&["cfg", "cfg_attr"]) || is_level(attribute) || is_about_pages(attribute) {
                all.add(&tokens, &tokens, &tokens);
            } else if is(&["doc", "must_use"]) {
                all.add(&none, &tokens, &tokens);
            } else if is(&["deprecated"]) {
                all.add(&none, &tokens, &none);
            } else {
                let allow = allow(attribute).unwrap_or_default();
                all.add(&allow, &allow, &tokens);
            }
        }
        all
    }

    fn add(&mut self, on_static: &TokenStream, on_outer: &TokenStream, on_inner: &TokenStream) {
        self.on_static.extend(on_static.clone());
        self.on_outer.extend(on_outer.clone());
        self.on_inner.extend(on_inner.clone());
    }
}

// Input:
//     #[expect(clippy::too_many_arguments, reason = "…")]
//
// Output: a lint of the signature fires on the outer function, too.
//     #[allow(clippy::too_many_arguments, reason = "…")]
fn allow(attribute: &Attribute) -> Option<TokenStream> {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("expect") => {
            let lints = &list.tokens;
            Some(quote!(#[allow(#lints)]))
        }
        _ => None,
    }
}

/// Returns `true` for `#[name]`, and for a `cfg_attr` that contains it.
pub(crate) fn is_or_contains(attribute: &Meta, name: &str) -> bool {
    attribute.path().is_ident(name) || cfg_attr_contains(attribute, name)
}

/// Returns `true` for a `#[cfg_attr(…, name)]`.
pub(crate) fn cfg_attr_contains(attribute: &Meta, name: &str) -> bool {
    attribute.path().is_ident("cfg_attr")
        && list(attribute)
            .iter()
            .skip(1)
            .any(|attribute| is_or_contains(attribute, name))
}

/// Returns `true` if the outer function's parameter keeps the attribute. An `expect` would stay
/// unfulfilled there, since the outer function uses each parameter once.
pub(crate) fn stays_on_parameter(attribute: &Attribute) -> bool {
    ["cfg", "cfg_attr"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
        || is_level(attribute)
}

fn is_level(attribute: &Attribute) -> bool {
    ["allow", "deny", "forbid", "warn"]
        .iter()
        .any(|level| attribute.path().is_ident(level))
}

/// Returns `true` for `#[doc(hidden)]` and `#[doc(cfg(…))]`, which decide if there is a page.
fn is_about_pages(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
        && list(&attribute.meta)
            .iter()
            .any(|option| option.path().is_ident("hidden") || option.path().is_ident("cfg"))
}

fn list(attribute: &Meta) -> Punctuated<Meta, Token![,]> {
    attribute
        .require_list()
        .and_then(|list| list.parse_args_with(Punctuated::parse_terminated))
        .unwrap_or_default()
}
