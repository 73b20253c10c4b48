//! The path of the runtime crate.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::Path;

/// The user's own path to it, if there is one.
pub(super) struct Runtime(Option<Path>);

impl Runtime {
    pub(super) fn new(path: Option<Path>) -> Self {
        Self(path)
    }

    /// For code that is at a place: an error is told at the first token of a path, and once for all
    /// code that is at the same one.
    pub(super) fn at(&self, place: Span) -> TokenStream {
        match &self.0 {
            // As written: so a wrong one is told there, once, and a wrong type at the type all the
            // same, since rustc prefers the place of the macro's own tokens for a path of both.
            Some(path) => path.to_token_stream(),
            // That the name is not there is told once too, at the attribute.
            None => {
                let name = Ident::new("reuse_db", Span::mixed_site());
                quote_spanned!(place=> ::#name)
            }
        }
    }
}
