//! The static of one database.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;

use super::Expansion;
use crate::args::ConnectTo;
use crate::database::{Database, Form, Hint};

impl Expansion {
    // Input:
    //     pub async fn handler(req: Request, db: &mut PgConnection) -> Output { … }
    //
    // Output:
    //     pub static HANDLER_DB: ::reuse_db::Exclusive<PgConnection> =
    //         ::reuse_db::Exclusive::of_handler(
    //             ::reuse_db::Source::env("DATABASE_URL"),
    //             ::core::module_path!(),
    //             "handler",
    //         );
    pub(super) fn static_item(&self, database: &Database) -> Option<TokenStream> {
        let held = database.held.as_ref()?;
        let (name, attributes) = (&database.name, &self.attributes.on_static);
        let visibility = &self.handler.visibility;
        let handler = self.handler.signature.ident.unraw().to_string();
        let what = match database.form {
            Form::Exclusive => "The kept connections",
            Form::Borrowed | Form::Owned => "The kept database",
        };
        let doc = format!(" {what} of {}.", self.link());
        let runtime = self.crate_path.at(Span::mixed_site());
        let source = match &database.connect_to {
            None => quote!(#runtime::Source::env("DATABASE_URL")),
            Some(ConnectTo::Env(variable)) => quote!(#runtime::Source::env(#variable)),
            Some(ConnectTo::Source(source)) => source.to_token_stream(),
        };
        let static_type = self.static_type(database);
        let new = quote_spanned!(database.type_span()=> #static_type::of_handler);
        Some(quote_spanned! {Span::mixed_site()=>
            #[doc = #doc]
            #attributes
            #visibility static #name: #static_type<#held> = #new(
                #source,
                ::core::module_path!(),
                #handler,
            );
        })
    }

    /// Returns the static's type without its argument, at the span of the database's type.
    fn static_type(&self, database: &Database) -> TokenStream {
        let at = database.type_span();
        let runtime = self.crate_path.at(at);
        match database.form {
            Form::Exclusive => quote_spanned!(at=> #runtime::Exclusive),
            Form::Borrowed | Form::Owned => quote_spanned!(at=> #runtime::Shared),
        }
    }

    // Input:
    //     async fn handler(db: &PgConnection) -> Output { … }
    //
    // Output:
    //     const _: () = ::core::assert!(
    //         ::reuse_db::__private::supports_shared::<PgConnection>(),
    //         "a connection serves one invocation at a time: write `&mut` in place of `&`"
    //     );
    //
    // Input:
    //     async fn handler(db: State<PgPool>) -> Output { … }
    //
    // Output:
    //     ::reuse_db::__private::hint::pool_inside::owned(&HANDLER_DB);
    pub(super) fn hint(&self, database: &Database) -> Option<TokenStream> {
        let (held, hint) = (database.held.as_ref()?, database.hint?);
        let at = database.type_span();
        let runtime = self.crate_path.at(at);
        let module = match hint {
            Hint::Form(message) => {
                let supports = match database.form {
                    Form::Exclusive => quote_spanned!(at=> supports_exclusive),
                    Form::Borrowed | Form::Owned => quote_spanned!(at=> supports_shared),
                };
                let check = quote_spanned!(at=> #runtime::__private::#supports::<#held>());
                return Some(quote_spanned!(at=> const _: () = ::core::assert!(#check, #message);));
            }
            Hint::PoolInside => "pool_inside".to_owned(),
            Hint::Feature(feature) => feature.replace('-', "_"),
        };
        let module = format_ident!("{module}", span = at);
        let form = match database.form {
            Form::Exclusive => quote_spanned!(at=> exclusive),
            Form::Borrowed => quote_spanned!(at=> borrowed),
            Form::Owned => quote_spanned!(at=> owned),
        };
        let name = &database.name;
        Some(quote_spanned!(at=> #runtime::__private::hint::#module::#form(&#name);))
    }
}
