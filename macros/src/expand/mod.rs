//! The expansion: the static, the outer function, and the inner function with the body.

mod crate_path;
mod outer;
mod stages;
mod statics;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ReturnType;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use self::crate_path::CratePath;
use self::stages::Stages;
use crate::args::{Level, args};
use crate::attributes::Attributes;
use crate::database::Form;
use crate::errors::Errors;
use crate::handler::{Handler, handler};
use crate::opaque_output;

/// Expands the attribute. After a mistake, the expansion still has an item of the function's name,
/// so that the function's callers see no further error.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream, features: &[&str]) -> TokenStream {
    let mut errors = Errors::default();
    let args = args(attribute, Level::Function, &mut errors);
    let items = match handler(item.clone(), &args, features, &mut errors) {
        Some(handler) => Expansion {
            attributes: Attributes::new(&handler.attributes),
            handler,
            crate_path: CratePath::new(args.crate_path),
        }
        .into_token_stream(),
        None => item,
    };
    let errors = errors.into_compile_errors();
    quote!(#items #errors)
}

struct Expansion {
    handler: Handler,
    attributes: Attributes,
    crate_path: CratePath,
}

impl ToTokens for Expansion {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for database in &self.handler.databases {
            tokens.extend(self.static_item(database));
        }
        tokens.extend(self.outer());
        tokens.extend(self.inner());
    }
}

impl Expansion {
    // Output:
    //     pub async fn handler(request: Request) -> Output {
    //         let mut lease = ::core::option::Option::None;
    //         let mut open = match ::reuse_db::__private::open(&HANDLER_DB, &mut lease).await …;
    //         let output = handler_with(request, &mut open).await;
    //         let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    //         if let Err(error) = ::reuse_db::Finish::finish(open, outcome).await { … }
    //         ::reuse_db::__private::settle(lease, outcome);
    //         output
    //     }
    fn outer(&self) -> TokenStream {
        let Handler {
            visibility,
            signature,
            body,
            databases,
            ..
        } = &self.handler;
        let attributes = &self.attributes.on_outer;
        let outer = outer::signature(&self.handler);
        if databases.iter().any(|database| database.held.is_none()) {
            // The callers of the function see no error besides the mistake's own.
            let block = in_braces_of(body, quote!(::core::unreachable!()));
            return quote!(#attributes #visibility #outer #block);
        }
        let output = match &signature.output {
            ReturnType::Type(_, output) => output.span(),
            ReturnType::Default => signature.ident.span(),
        };
        let stages: Vec<_> = databases
            .iter()
            .enumerate()
            .map(|(n, database)| {
                Stages::new(n, databases.len() == 1, database, &self.crate_path, output)
            })
            .collect();
        let hints = databases.iter().filter_map(|database| self.hint(database));
        let leases = stages.iter().map(|stages| &stages.lease);
        let opens = stages.iter().map(|stages| &stages.open);
        let call = outer::call(&self.handler, |index| {
            let mut databases = databases.iter().zip(&stages);
            databases
                .find(|(database, _)| database.index == index)
                .map(|(_, stages)| stages.argument.clone())
        });
        let prepares = stages.iter().map(|stages| &stages.prepare);
        let finishes = stages.iter().map(|stages| &stages.finish);
        let settles = stages.iter().map(|stages| &stages.settle);
        let runtime = self.crate_path.at(Span::mixed_site());
        // Beside the database's reference such a lifetime cannot be elided, but here it can.
        let lifetimes = outer
            .generics
            .lifetimes()
            .next()
            .map(|_| quote!(#[allow(clippy::needless_lifetimes)]));
        let statements = quote_spanned! {Span::mixed_site()=>
            #(#hints)*
            #(#leases)*
            #(#opens)*
            #call
            let outcome = #runtime::__private::Judge::new(&output).__outcome();
            #(#prepares)*
            #(#finishes)*
            #(#settles)*
            output
        };
        let block = in_braces_of(body, statements);
        quote!(#attributes #lifetimes #visibility #outer #block)
    }

    // Output:
    //     pub async fn handler_with(request: Request, db: &mut PgConnection) -> Output { … }
    fn inner(&self) -> TokenStream {
        let Handler {
            attributes,
            visibility,
            signature,
            body,
            databases,
            inner,
        } = &self.handler;
        let doc = format!(
            " The body of {}, for callers with a database of their own.",
            self.link()
        );
        let is_documented = attributes
            .iter()
            .any(|attribute| attribute.path().is_ident("doc"));
        let blank_line = is_documented.then(|| quote!(#[doc = ""]));
        let attributes = &self.attributes.on_inner;
        let mut signature = signature.clone();
        signature.ident = inner.clone();
        if databases
            .iter()
            .any(|database| database.form != Form::Owned)
        {
            let outer = outer::signature(&self.handler);
            opaque_output::without_databases(&mut signature, &outer.generics);
        }
        quote! {
            #[doc = #doc]
            #blank_line
            #attributes
            #visibility #signature #body
        }
    }

    /// Returns a link to the outer function, which a module of the same name cannot capture.
    fn link(&self) -> String {
        let name = self.handler.signature.ident.unraw();
        format!("[`{name}`](fn@{name})")
    }
}

/// Puts the statements into the user's braces, so that rustc reports on the function where the user
/// wrote it.
fn in_braces_of(body: &Group, statements: TokenStream) -> Group {
    let mut block = Group::new(Delimiter::Brace, statements);
    block.set_span(body.span());
    block
}
