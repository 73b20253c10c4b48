//! What the outer function does with one database.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::crate_path::Runtime;
use crate::database::{Database, Form};

/// Stage by stage, since each stage is done for all databases before the next.
pub(super) struct Stages {
    pub(super) lease: TokenStream,
    pub(super) open: TokenStream,
    pub(super) argument: TokenStream,
    pub(super) finish: TokenStream,
    pub(super) settle: TokenStream,
}

impl Stages {
    /// What the type of the database cannot do is told at that type, what the handler's output
    /// cannot do at `output`.
    pub(super) fn new(
        n: usize,
        is_only: bool,
        database: &Database,
        runtime: &Runtime,
        output: Span,
    ) -> Self {
        let at = database.place();
        let local = |name: &str| match n {
            0 => Ident::new(name, at),
            n => format_ident!("{name}{n}", span = at),
        };
        let (lease, open, name) = (local("lease"), local("open"), &database.name);
        let refuse = {
            let at = Span::mixed_site().located_at(output);
            let runtime = runtime.at(at);
            quote_spanned!(at=> return #runtime::FromError::from_error(error))
        };
        let runtime = runtime.at(at);
        let or_refuse = |local: &Ident, value: TokenStream| {
            quote_spanned! {Span::mixed_site()=>
                match #value {
                    ::core::result::Result::Ok(#local) => #local,
                    ::core::result::Result::Err(error) => #refuse,
                }
            }
        };
        let refuse_if = |value: TokenStream| {
            quote_spanned! {Span::mixed_site()=>
                if let ::core::result::Result::Err(error) = #value {
                    #refuse;
                }
            }
        };
        if database.form == Form::Exclusive {
            let open_it = quote_spanned!(at=> #runtime::__private::open(&#name, &mut #lease).await);
            let opened = or_refuse(&open, open_it);
            // The only one is leased as it is opened.
            let leased = (!is_only).then(|| {
                refuse_if(
                    quote_spanned!(at=> #runtime::__private::lease(&#name, &mut #lease).await),
                )
            });
            return Self {
                lease: quote_spanned! {at=>
                    let mut #lease = ::core::option::Option::None;
                    #leased
                },
                open: quote_spanned!(Span::mixed_site()=> let mut #open = #opened;),
                argument: quote_spanned!(at=> &mut #open),
                finish: refuse_if(
                    quote_spanned!(at=> #runtime::Finish::finish(#open, outcome).await),
                ),
                settle: quote_spanned!(at=> #runtime::__private::settle(#lease, outcome);),
            };
        }
        if database.form == Form::Owned {
            let lease_it = quote_spanned!(at=> #runtime::__private::lease_owned(&#name).await);
            let leased = or_refuse(&lease, lease_it);
            return Self {
                lease: quote_spanned!(Span::mixed_site()=> let (#open, #lease) = #leased;),
                open: quote!(),
                argument: quote_spanned!(at=> #open),
                finish: quote!(),
                settle: quote_spanned!(at=> #runtime::__private::settle_owned(#lease, outcome);),
            };
        }
        let lease_it = quote_spanned!(at=> #runtime::__private::lease_shared(&#name).await);
        let leased = or_refuse(&lease, lease_it);
        Self {
            lease: quote_spanned!(Span::mixed_site()=> let #lease = #leased;),
            open: quote!(),
            argument: quote_spanned!(at=> #runtime::SharedLease::get(&#lease)),
            finish: quote!(),
            settle: quote_spanned!(at=> #runtime::SharedLease::settle(#lease, outcome);),
        }
    }
}
