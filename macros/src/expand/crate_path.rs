//! The path of the runtime crate.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::Path;

/// The path of the runtime crate: `::reuse_db`, or the argument `crate = …`.
pub(super) struct CratePath(Option<Path>);

impl CratePath {
    pub(super) fn new(path: Option<Path>) -> Self {
        Self(path)
    }

    /// Returns the path for code at `span`. rustc reports an error at the first token of a path,
    /// and an error at one span only once.
    pub(super) fn at(&self, span: Span) -> TokenStream {
        match &self.0 {
            // A wrong path is reported once, where it is written. A wrong type is still reported at
            // the type: in a path of both, rustc prefers the span of the macro's own tokens.
            Some(path) => path.to_token_stream(),
            // A missing crate is reported once, at the attribute.
            None => {
                let name = Ident::new("reuse_db", Span::mixed_site());
                quote_spanned!(span=> ::#name)
            }
        }
    }
}
