//! Where the attributes below ours go.

use proc_macro2::TokenStream;
use quote::quote;
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
    /// What is not known wraps a body: it goes to the function that has the user's.
    pub(crate) fn new(attributes: &[Attribute]) -> Self {
        let mut all = Self::default();
        for attribute in attributes {
            let tokens = quote!(#attribute);
            let path = attribute.path();
            let is = |names: &[&str]| names.iter().any(|name| path.is_ident(name));
            if path.is_ident("expect") {
                all.expect(attribute);
            } else if is(&["cfg", "cfg_attr"]) || is_level(attribute) || is_about_pages(attribute) {
                all.add(&tokens, &tokens, &tokens);
            } else if is(&["doc", "must_use"]) {
                all.add(&quote!(), &tokens, &tokens);
            } else if is(&["deprecated"]) {
                // Not on the inner one: the outer one calls it.
                all.add(&quote!(), &tokens, &quote!());
            } else {
                all.add(&quote!(), &quote!(), &tokens);
            }
        }
        all
    }

    // Input:
    //     #[expect(dead_code, unused_variables, reason = "…")]
    //
    // Output: what is expected of the body is expected once, and allowed elsewhere, while only the outer
    // function can be unused.
    //     #[allow(dead_code, unused_variables, reason = "…")]                     on the static
    //     #[expect(dead_code, reason = "…")] #[allow(unused_variables, reason = "…")]    on the outer one
    //     #[expect(unused_variables, reason = "…")]                               on the inner one
    fn expect(&mut self, attribute: &Attribute) {
        let Ok(lints) = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        else {
            self.add(&quote!(), &quote!(), &quote!(#attribute));
            return;
        };
        let (reason, lints): (Vec<_>, Vec<_>) = lints
            .into_iter()
            .partition(|lint| lint.path().is_ident("reason"));
        let (dead, others): (Vec<_>, Vec<_>) = lints
            .iter()
            .partition(|lint| lint.path().is_ident("dead_code"));
        let level = |level: TokenStream, lints: &[&Meta]| {
            let list = lints.iter().copied().chain(&reason);
            (!lints.is_empty()).then(|| quote!(#[#level(#(#list),*)]))
        };
        let lints: Vec<_> = lints.iter().collect();
        let (allow_all, allow_others) =
            (level(quote!(allow), &lints), level(quote!(allow), &others));
        let (expect_dead, expect_others) =
            (level(quote!(expect), &dead), level(quote!(expect), &others));
        self.add(
            &quote!(#allow_all),
            &quote!(#expect_dead #allow_others),
            &quote!(#expect_others),
        );
    }

    fn add(&mut self, on_static: &TokenStream, on_outer: &TokenStream, on_inner: &TokenStream) {
        self.on_static.extend(on_static.clone());
        self.on_outer.extend(on_outer.clone());
        self.on_inner.extend(on_inner.clone());
    }
}

pub(crate) fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

/// Whether it stays on a parameter of the outer function, which uses each once and whatever its
/// name. An `expect` would go unfulfilled there.
pub(crate) fn stays_on_parameter(attribute: &Attribute) -> bool {
    is_condition(attribute) || attribute.path().is_ident("cfg_attr") || is_level(attribute)
}

fn is_level(attribute: &Attribute) -> bool {
    ["allow", "deny", "forbid", "warn"]
        .iter()
        .any(|level| attribute.path().is_ident(level))
}

/// `#[doc(hidden)]` and the like, which say whether there is a page at all.
fn is_about_pages(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
        && attribute
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|options| {
                options
                    .iter()
                    .any(|option| option.path().is_ident("hidden") || option.path().is_ident("cfg"))
            })
}
