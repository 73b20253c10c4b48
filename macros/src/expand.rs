//! From the attribute's tokens to the items that they become.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, GenericParam, PatType, Signature, Token, parse_quote_spanned};

use crate::args::{Where, args};
use crate::attributes::{Goes, goes};
use crate::database::{Database, Form};
use crate::errors::Errors;
use crate::handler::{Handler, handler};

/// The whole way. Whatever is wrong, there is an item of the function's name, so that its callers see
/// no other error than ours.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let place = args(attribute, &mut errors);
    let items = match handler(item.clone(), place, &mut errors) {
        Some(handler) => Expansion {
            handler,
            runtime: quote!(::reuse_db),
        }
        .into_token_stream(),
        None => item,
    };
    let errors = errors.into_compile_errors();
    quote!(#items #errors)
}

struct Expansion {
    handler: Handler,
    /// The path of the runtime crate.
    runtime: TokenStream,
}

impl ToTokens for Expansion {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for database in &self.handler.databases {
            self.static_item(database).to_tokens(tokens);
        }
        self.outer().to_tokens(tokens);
        self.with_body().to_tokens(tokens);
    }
}

impl Expansion {
    fn attributes(&self, wanted: &'static [Goes]) -> impl Iterator<Item = &Attribute> {
        self.handler
            .attributes
            .iter()
            .filter(|attribute| wanted.contains(&goes(attribute)))
    }

    // Input:
    //     pub async fn handler(req: Request, db: &mut PgConnection) -> Output { … }
    //
    // Output:
    //     pub static HANDLER_DB: ::reuse_db::Parked<PgConnection> =
    //         ::reuse_db::Parked::new(::reuse_db::Source::env("DATABASE_URL"));
    fn static_item(&self, database: &Database) -> TokenStream {
        let (runtime, visibility) = (&self.runtime, &self.handler.visibility);
        let Database {
            held, name, form, ..
        } = database;
        let conditions = self.attributes(&[Goes::Everywhere]);
        let (keeper, what) = match form {
            Form::Exclusive => (quote!(Parked), "The kept connections"),
            Form::Borrowed | Form::Owned => (quote!(Shared), "The kept database"),
        };
        let doc = format!(" {what} of [`{}`].", self.handler.signature.ident);
        let source = match &database.place {
            Where::Default => quote!(#runtime::Source::env("DATABASE_URL")),
            Where::Env(variable) => quote!(#runtime::Source::env(#variable)),
            Where::Source(source) => source.to_token_stream(),
        };
        quote_spanned! {Span::mixed_site()=>
            #(#conditions)*
            #[doc = #doc]
            #visibility static #name: #runtime::#keeper<#held> = #runtime::#keeper::new(#source);
        }
    }

    // Output:
    //     pub async fn handler(__arg0: Request) -> Output {
    //         let mut lease = match ::reuse_db::Parked::lease(&HANDLER_DB).await { … };
    //         let mut open = match ::reuse_db::Lease::open(&mut lease).await { … };
    //         let output = handler_with(__arg0, &mut open).await;
    //         let outcome = ::reuse_db::__private::Judge::new(&output).outcome();
    //         if let Err(error) = ::reuse_db::Finish::finish(open, outcome).await { … }
    //         ::reuse_db::Lease::settle(lease, outcome);
    //         output
    //     }
    fn outer(&self) -> TokenStream {
        let Handler {
            visibility,
            signature,
            databases,
            ..
        } = &self.handler;
        let attributes = self.attributes(&[Goes::Everywhere, Goes::BothFunctions]);
        let runtime = &self.runtime;
        let with_body = self.with_body_name();
        let signature_without = without_databases(signature, databases);

        let stages: Vec<_> = databases
            .iter()
            .enumerate()
            .map(|(n, database)| Stages::new(n, database, runtime))
            .collect();
        let leases = stages.iter().map(|stages| &stages.lease);
        let opens = stages.iter().map(|stages| &stages.open);
        let finishes = stages.iter().map(|stages| &stages.finish);
        let settles = stages.iter().map(|stages| &stages.settle);
        let arguments = (0..signature.inputs.len()).map(|index| {
            match databases
                .iter()
                .position(|database| database.index == index)
            {
                Some(n) => stages[n].argument.clone(),
                None => argument_name(index).to_token_stream(),
            }
        });
        quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #visibility #signature_without {
                #(#leases)*
                #(#opens)*
                let output = #with_body(#(#arguments),*).await;
                let outcome = #runtime::__private::Judge::new(&output).outcome();
                #(#finishes)*
                #(#settles)*
                output
            }
        }
    }

    // Output:
    //     pub async fn handler_with(req: Request, db: &mut PgConnection) -> Output { … }
    fn with_body(&self) -> TokenStream {
        let Handler {
            visibility,
            signature,
            body,
            ..
        } = &self.handler;
        let attributes = self.attributes(&[Goes::Everywhere, Goes::BothFunctions, Goes::WithBody]);
        let doc = format!(
            " [`{}`], as it is written: with a database of the caller's own.",
            signature.ident
        );
        let is_documented = self
            .handler
            .attributes
            .iter()
            .any(|attribute| attribute.path().is_ident("doc"));
        let blank_line = is_documented.then(|| quote!(#[doc = ""]));
        let mut signature = signature.clone();
        signature.ident = self.with_body_name();
        quote! {
            #[doc = #doc]
            #blank_line
            #(#attributes)*
            #visibility #signature #body
        }
    }

    fn with_body_name(&self) -> Ident {
        let name = &self.handler.signature.ident;
        format_ident!("{name}_with", span = name.span())
    }
}

/// What the outer function does with one database, stage by stage.
struct Stages {
    lease: TokenStream,
    open: TokenStream,
    argument: TokenStream,
    finish: TokenStream,
    settle: TokenStream,
}

impl Stages {
    fn new(n: usize, database: &Database, runtime: &TokenStream) -> Self {
        let local = |name: &str| match n {
            0 => Ident::new(name, Span::mixed_site()),
            n => format_ident!("{name}{n}", span = Span::mixed_site()),
        };
        let (lease, open, name) = (local("lease"), local("open"), &database.name);
        let or_refuse = |value: TokenStream| {
            quote_spanned! {Span::mixed_site()=>
                match #value {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(error) => return #runtime::Refuse::refuse(error),
                }
            }
        };
        if database.form == Form::Exclusive {
            let leased = or_refuse(quote!(#runtime::Parked::lease(&#name).await));
            let opened = or_refuse(quote!(#runtime::Lease::open(&mut #lease).await));
            return Self {
                lease: quote_spanned!(Span::mixed_site()=> let mut #lease = #leased;),
                open: quote_spanned!(Span::mixed_site()=> let mut #open = #opened;),
                argument: quote!(&mut #open),
                finish: quote_spanned! {Span::mixed_site()=>
                    if let ::core::result::Result::Err(error) = #runtime::Finish::finish(#open, outcome).await {
                        return #runtime::Refuse::refuse(error);
                    }
                },
                settle: quote_spanned!(Span::mixed_site()=> #runtime::Lease::settle(#lease, outcome);),
            };
        }
        let leased = or_refuse(quote!(#runtime::Shared::lease(&#name).await));
        let borrowed = quote!(#runtime::SharedLease::get(&#lease));
        Self {
            lease: quote_spanned!(Span::mixed_site()=> let #lease = #leased;),
            open: TokenStream::new(),
            argument: match database.form {
                Form::Owned => quote!(::core::clone::Clone::clone(#borrowed)),
                _ => borrowed,
            },
            finish: TokenStream::new(),
            settle: quote_spanned!(Span::mixed_site()=> #runtime::SharedLease::settle(#lease, outcome);),
        }
    }
}

fn argument_name(index: usize) -> Ident {
    format_ident!("__arg{index}", span = Span::mixed_site())
}

/// The user's signature without the databases, and with names in place of patterns.
fn without_databases(signature: &Signature, databases: &[Database]) -> Signature {
    let mut signature = signature.clone();
    let inputs = std::mem::take(&mut signature.inputs)
        .into_iter()
        .enumerate();
    let others =
        inputs.filter(|(index, _)| databases.iter().all(|database| database.index != *index));
    signature.inputs = others
        .map(|(index, parameter)| match parameter {
            FnArg::Typed(parameter) => {
                let name = argument_name(index);
                FnArg::Typed(PatType {
                    pat: parse_quote_spanned!(name.span()=> #name),
                    ..parameter
                })
            }
            receiver @ FnArg::Receiver(_) => receiver,
        })
        .collect::<Punctuated<_, Token![,]>>();
    drop_unused_lifetimes(&mut signature);
    signature
}

/// A lifetime that only the databases named is no more.
fn drop_unused_lifetimes(signature: &mut Signature) {
    let (inputs, output, clause) = (
        &signature.inputs,
        &signature.output,
        &signature.generics.where_clause,
    );
    let used = quote!(#inputs #output #clause).to_string();
    let params = std::mem::take(&mut signature.generics.params);
    signature.generics.params = params
        .into_iter()
        .filter(|param| match param {
            GenericParam::Lifetime(param) => {
                names_lifetime(&used, &param.lifetime.ident.to_string())
            }
            _ => true,
        })
        .collect();
    if signature.generics.params.is_empty() {
        (signature.generics.lt_token, signature.generics.gt_token) = (None, None);
    }
}

fn names_lifetime(tokens: &str, name: &str) -> bool {
    tokens.split('\'').skip(1).any(|rest| {
        rest.trim_start()
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()))
    })
}

#[cfg(test)]
mod tests;
