//! The path of the runtime crate.

use proc_macro2::{Span, TokenStream};
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
        let Some(path) = &self.0 else {
            return quote_spanned!(place=> ::reuse_db);
        };
        // `$crate` and the edition are those of where it is written.
        let tokens = path.to_token_stream().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(place));
            token
        });
        tokens.collect()
    }
}
