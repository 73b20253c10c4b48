//! The path of the runtime crate.

use proc_macro2::{Span, TokenStream};

pub(super) struct Runtime(TokenStream);

impl Runtime {
    pub(super) fn new(path: TokenStream) -> Self {
        Self(path)
    }

    /// For code that is at a place: an error is told at the first token of a path.
    pub(super) fn at(&self, place: Span) -> TokenStream {
        let tokens = self.0.clone().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(place));
            token
        });
        tokens.collect()
    }
}
