//! The statements of the outer function for one database.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::crate_path::CratePath;
use crate::database::{Database, Form};

/// The statements by stage. Each stage is complete for all databases before the next one begins.
pub(super) struct Stages {
    pub(super) lease: TokenStream,
    pub(super) open: TokenStream,
    pub(super) argument: TokenStream,
    pub(super) prepare: TokenStream,
    pub(super) finish: TokenStream,
    pub(super) settle: TokenStream,
}

impl Stages {
    /// Writes the stages. rustc reports a wrong database at the database's type, and a wrong
    /// return type at `output`.
    pub(super) fn new(
        n: usize,
        is_only: bool,
        database: &Database,
        crate_path: &CratePath,
        output: Span,
    ) -> Self {
        let at = database.type_span();
        let local = |name: &str| match n {
            0 => Ident::new(name, at),
            n => format_ident!("{name}{n}", span = at),
        };
        let (lease, open, name) = (local("lease"), local("open"), &database.name);
        let return_error = {
            let at = Span::mixed_site().located_at(output);
            let runtime = crate_path.at(at);
            quote_spanned!(at=> return #runtime::FromError::from_error(error))
        };
        let runtime = crate_path.at(at);
        let or_return = |local: &Ident, result: TokenStream| {
            quote_spanned! {Span::mixed_site()=>
                match #result {
                    ::core::result::Result::Ok(#local) => #local,
                    ::core::result::Result::Err(error) => #return_error,
                }
            }
        };
        let return_if_err = |result: TokenStream| {
            quote_spanned! {Span::mixed_site()=>
                if let ::core::result::Result::Err(error) = #result {
                    #return_error;
                }
            }
        };
        match database.form {
            Form::Exclusive => {
                let opening =
                    quote_spanned!(at=> #runtime::__private::open(&#name, &mut #lease).await);
                let opened = or_return(&open, opening);
                // `open` leases the connection of the only database.
                let leased = (!is_only).then(|| {
                    return_if_err(
                        quote_spanned!(at=> #runtime::__private::lease(&#name, &mut #lease).await),
                    )
                });
                Self {
                    lease: quote_spanned! {at=>
                        let mut #lease = ::core::option::Option::None;
                        #leased
                    },
                    open: quote_spanned!(Span::mixed_site()=> let mut #open = #opened;),
                    argument: quote_spanned!(at=> &mut #open),
                    prepare: quote!(),
                    finish: {
                        let finished =
                            quote_spanned!(at=> #runtime::Finish::finish(#open, outcome).await);
                        let settled = quote_spanned! {at=>
                            #runtime::__private::settle_unfinished(#lease, &error);
                        };
                        quote_spanned! {Span::mixed_site()=>
                            if let ::core::result::Result::Err(error) = #finished {
                                #settled
                                #return_error;
                            }
                        }
                    },
                    settle: quote_spanned!(at=> #runtime::__private::settle(#lease, outcome);),
                }
            }
            Form::Owned => {
                let leasing = quote_spanned!(at=> #runtime::__private::lease_owned(&#name).await);
                let leased = or_return(&lease, leasing);
                Self {
                    lease: quote_spanned!(Span::mixed_site()=> let (#open, mut #lease) = #leased;),
                    open: quote!(),
                    argument: quote_spanned!(at=> #open),
                    prepare: return_if_err(quote_spanned! {at=>
                        #runtime::__private::prepare_owned(&mut #lease, outcome).await
                    }),
                    finish: quote!(),
                    settle: quote_spanned! {at=>
                        #runtime::__private::settle_owned(#lease, outcome);
                    },
                }
            }
            Form::Borrowed => {
                let leasing = quote_spanned!(at=> #runtime::__private::lease_shared(&#name).await);
                let leased = or_return(&lease, leasing);
                Self {
                    lease: quote_spanned!(Span::mixed_site()=> let #lease = #leased;),
                    open: quote!(),
                    argument: quote_spanned!(at=> #runtime::SharedLease::get(&#lease)),
                    prepare: quote!(),
                    finish: quote!(),
                    settle: quote_spanned!(at=> #runtime::SharedLease::settle(#lease, outcome);),
                }
            }
        }
    }
}
