//! The static of one database.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use super::Expansion;
use crate::args::Where;
use crate::database::{Database, Form};

impl Expansion {
    // Input:
    //     pub async fn handler(req: Request, db: &mut PgConnection) -> Output { … }
    //
    // Output:
    //     pub static HANDLER_DB: ::reuse_db::Exclusive<PgConnection> =
    //         ::reuse_db::Exclusive::new(::reuse_db::Source::env("DATABASE_URL"));
    pub(super) fn static_item(&self, database: &Database) -> Option<TokenStream> {
        let held = database.held.as_ref()?;
        let (name, attributes) = (&database.name, &self.attributes.on_static);
        let visibility = &self.handler.visibility;
        let what = match database.form {
            Form::Exclusive => "The kept connections",
            Form::Borrowed | Form::Owned => "The kept database",
        };
        let doc = format!(" {what} of {}.", self.link());
        let runtime = self.runtime.at(Span::mixed_site());
        let source = match &database.place {
            None => quote!(#runtime::Source::env("DATABASE_URL")),
            Some(Where::Env(variable)) => quote!(#runtime::Source::env(#variable)),
            Some(Where::Source(source)) => source.to_token_stream(),
        };
        let keeper = self.keeper(database);
        let new = quote_spanned!(database.place()=> #keeper::new);
        Some(quote_spanned! {Span::mixed_site()=>
            #[doc = #doc]
            #attributes
            #visibility static #name: #keeper<#held> = #new(#source);
        })
    }

    /// The static's type without what it holds. What that cannot do is told at it.
    fn keeper(&self, database: &Database) -> TokenStream {
        let at = database.place();
        let runtime = self.runtime.at(at);
        match database.form {
            Form::Exclusive => quote_spanned!(at=> #runtime::Exclusive),
            Form::Borrowed | Form::Owned => quote_spanned!(at=> #runtime::Shared),
        }
    }

    // Input:
    //     async fn handler(db: &PgConnection) -> Output { … }
    //
    // Output, for a name like that: whether the form suits the type, only the type can tell.
    //     const _: () = ::core::assert!(
    //         ::reuse_db::__private::supports_shared::<PgConnection>(),
    //         "a connection serves one invocation at a time: write `&mut` in place of `&`"
    //     );
    pub(super) fn fit(&self, database: &Database) -> Option<TokenStream> {
        let (held, advice) = (database.held.as_ref()?, database.advice?);
        let at = database.place();
        let runtime = self.runtime.at(at);
        let suits = match database.form {
            Form::Exclusive => quote_spanned!(at=> supports_exclusive),
            Form::Borrowed | Form::Owned => quote_spanned!(at=> supports_shared),
        };
        Some(quote_spanned! {at=>
            const _: () = ::core::assert!(#runtime::__private::#suits::<#held>(), #advice);
        })
    }
}
