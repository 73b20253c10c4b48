//! What is written in the parentheses of the attribute, and of `#[db]`.

mod keys;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Token};

use self::keys::known;
use crate::errors::Errors;

/// Where to connect.
#[derive(Clone)]
pub(crate) enum Where {
    /// The URL in a variable.
    Env(LitStr),
    /// A `Source`, as written.
    Source(Box<Expr>),
}

/// What is written, on the function or on one parameter.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) place: Option<Where>,
    /// Instead of `…_with`.
    pub(crate) with: Option<Ident>,
    /// Of the runtime crate.
    pub(crate) path: Option<Path>,
    /// Of the static.
    pub(crate) name: Option<Ident>,
}

/// Where arguments are written, which decides what they can be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Level {
    /// `#[reuse_db(…)]`
    Function,
    /// `#[db(…)]`
    Parameter,
}

/// Reads the arguments. A wrong one is left out, so that the rest still counts.
pub(crate) fn args(tokens: TokenStream, level: Level, errors: &mut Errors) -> Args {
    let mut args = Args::default();
    let mut seen = Vec::new();
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match arg(input, level, &mut args, &mut seen) {
                Ok(()) if !input.is_empty() && !input.peek(Token![,]) => {
                    errors.push(input.error("expected `,`"));
                }
                Ok(()) => {}
                Err(error) => errors.push(error),
            }
            skip_past_comma(input)?;
        }
        Ok(())
    };
    if let Err(error) = all.parse2(tokens) {
        errors.push(error);
    }
    args
}

fn arg(
    input: ParseStream<'_>,
    level: Level,
    args: &mut Args,
    seen: &mut Vec<Ident>,
) -> syn::Result<()> {
    if input.peek(LitStr) {
        return Err(without_a_key(input.parse()?));
    }
    let key = input.call(Ident::parse_any).map_err(|error| {
        let message = "an argument has a name: write `env = \"…\"` or `source = …`";
        Error::new(error.span(), message)
    })?;
    let known = known(&key, level)?;
    let unseen = check_seen(&key, seen);
    seen.push(key.clone());
    let has_value = input.peek(Token![=]) && {
        input.parse::<Token![=]>()?;
        !input.is_empty() && !input.peek(Token![,])
    };
    if !has_value {
        let message = format!("`{key}` needs a value: write `{}`", known.example);
        return Err(Error::new(key.span(), message));
    }
    match known.key {
        "env" => {
            let variable = env(input.parse()?)?;
            args.place.get_or_insert(Where::Env(variable));
        }
        // In place of an `env` too: what it names would else be unused.
        "source" => args.place = Some(Where::Source(input.parse()?)),
        "with" => args.with = Some(ident(input, "a function", known.example)?),
        "name" => args.name = Some(ident(input, "a static", known.example)?),
        _ => args.path = Some(path(input)?),
    }
    unseen
}

/// A literal alone, which is most likely meant for `env`.
fn without_a_key(literal: LitStr) -> Error {
    let message = if literal.value().contains("://") {
        A_URL.to_owned()
    } else {
        format!("an argument has a name: write `env = {}`", literal.token())
    };
    Error::new(literal.span(), message)
}

fn check_seen(key: &Ident, seen: &[Ident]) -> syn::Result<()> {
    let is_place = |key: &Ident| key == "env" || key == "source";
    let message = if seen.contains(key) {
        format!("`{key}` is given twice: remove one")
    } else if is_place(key) && seen.iter().any(is_place) {
        "`env` and `source` exclude each other: write `source = Source::env(\"…\")` with what else is needed".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(key.span(), message))
}

fn env(value: Expr) -> syn::Result<LitStr> {
    let variable = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(variable),
            ..
        }) => variable,
        // From a macro's `$env:literal`.
        Expr::Group(group) => return env(*group.expr),
        value => return Err(Error::new_spanned(value, NOT_A_STRING)),
    };
    let name = variable.value();
    if name.contains("://") {
        return Err(Error::new(variable.span(), A_URL));
    }
    // What the environment cannot have: reading it would panic in some of the standard library.
    if name.trim().is_empty() || name.contains(['=', '\0']) {
        let message = "`env` names an environment variable: write `env = \"DATABASE_URL\"`";
        return Err(Error::new(variable.span(), message));
    }
    Ok(variable)
}

const A_URL: &str =
    "`env` names an environment variable, which has the URL: write `env = \"DATABASE_URL\"`";

const NOT_A_STRING: &str = "`env` is a string literal, like `env = \"DATABASE_URL\"`: \
                            for a name from elsewhere write `source = Source::env(…)`";

fn ident(input: ParseStream<'_>, what: &str, example: &str) -> syn::Result<Ident> {
    let refuse = |span: Span| Error::new(span, format!("this names {what}: write `{example}`"));
    let ident = without_group(input)?;
    let span = ident.span();
    match ident {
        // A path or a call goes on.
        TokenTree::Ident(ident) if input.is_empty() || input.peek(Token![,]) => {
            syn::parse2(TokenTree::Ident(ident).into()).map_err(|_| refuse(span))
        }
        _ => Err(refuse(span)),
    }
}

/// A token, out of the group that a macro's `$name:ident` may have put it in.
fn without_group(input: ParseStream<'_>) -> syn::Result<TokenTree> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::None => {
            without_group.parse2(group.stream())
        }
        token => Ok(token),
    }
}

fn path(input: ParseStream<'_>) -> syn::Result<Path> {
    let start = input.span();
    let path = input.call(Path::parse_mod_style);
    path.map_err(|_| {
        let message = "`crate` is the path of the runtime, without quotes: write `crate = my_crate::reuse_db`";
        Error::new(start, message)
    })
}

fn skip_past_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            break;
        }
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
