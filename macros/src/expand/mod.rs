//! From the attribute's tokens to the items that they become.

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

use self::crate_path::Runtime;
use self::stages::Stages;
use crate::args::{Level, args};
use crate::attributes::Attributes;
use crate::database::Form;
use crate::errors::Errors;
use crate::handler::{Handler, handler};
use crate::opaque_output;

/// The whole way. Whatever is wrong, there is an item of the function's name, so that its callers
/// see no other error than ours.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = args(attribute, Level::Function, &mut errors);
    let items = match handler(item.clone(), &args, &mut errors) {
        Some(handler) => Expansion {
            attributes: Attributes::new(&handler.attributes),
            handler,
            runtime: Runtime::new(args.path),
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
    runtime: Runtime,
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
    //     pub async fn handler(__arg0: Request) -> Output {
    //         let mut lease = ::core::option::Option::None;
    //         let mut open = match ::reuse_db::__private::open(&HANDLER_DB, &mut lease).await { … };
    //         let output = handler_with(__arg0, &mut open).await;
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
            inner,
            ..
        } = &self.handler;
        let attributes = &self.attributes.on_outer;
        let outer = outer::signature(signature, databases);
        if databases.iter().any(|database| database.held.is_none()) {
            // For its callers; the error is told.
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
                Stages::new(n, databases.len() == 1, database, &self.runtime, output)
            })
            .collect();
        let fits = databases.iter().filter_map(|database| self.fit(database));
        let leases = stages.iter().map(|stages| &stages.lease);
        let opens = stages.iter().map(|stages| &stages.open);
        let call = outer::call(inner, signature, |index| {
            let mut databases = databases.iter().zip(&stages);
            databases
                .find(|(database, _)| database.index == index)
                .map(|(_, stages)| stages.argument.clone())
        });
        let finishes = stages.iter().map(|stages| &stages.finish);
        let settles = stages.iter().map(|stages| &stages.settle);
        let runtime = self.runtime.at(Span::mixed_site());
        // One that the database made necessary, which is not here.
        let lifetimes = outer
            .generics
            .lifetimes()
            .next()
            .map(|_| quote!(#[allow(clippy::needless_lifetimes)]));
        let statements = quote_spanned! {Span::mixed_site()=>
            #(#fits)*
            #(#leases)*
            #(#opens)*
            #call
            let outcome = #runtime::__private::Judge::new(&output).__outcome();
            #(#finishes)*
            #(#settles)*
            output
        };
        let block = in_braces_of(body, statements);
        quote!(#attributes #lifetimes #visibility #outer #block)
    }

    // Output:
    //     pub async fn handler_with(req: Request, db: &mut PgConnection) -> Output { … }
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
            " {}, as it is written: with a database of the caller's own.",
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
            let outer = outer::signature(&signature, databases);
            opaque_output::without_databases(&mut signature, &outer.generics);
        }
        quote! {
            #[doc = #doc]
            #blank_line
            #attributes
            #visibility #signature #body
        }
    }

    /// A module may have the function's name.
    fn link(&self) -> String {
        let name = self.handler.signature.ident.unraw();
        format!("[`{name}`](fn@{name})")
    }
}

/// A function whose braces are the user's is the user's to rustc: lints are told for it.
fn in_braces_of(body: &Group, statements: TokenStream) -> Group {
    let mut block = Group::new(Delimiter::Brace, statements);
    block.set_span(body.span());
    block
}
