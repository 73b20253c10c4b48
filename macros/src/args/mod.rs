//! The arguments of `#[reuse_db(…)]` and of `#[db(…)]`.

mod keys;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Token};

use self::keys::{Key, key};
use crate::errors::Errors;

/// The server to connect to.
#[derive(Clone)]
pub(crate) enum ConnectTo {
    /// The URL in an environment variable.
    Env(LitStr),
    /// A `Source`, as written.
    Source(Box<Expr>),
}

/// The arguments of the function or of one parameter.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) connect_to: Option<ConnectTo>,
    /// The name of the inner function, in place of `…_with`.
    pub(crate) with: Option<Ident>,
    /// The path of the runtime crate.
    pub(crate) crate_path: Option<Path>,
    /// The name of the static.
    pub(crate) name: Option<Ident>,
}

/// The attribute that contains the arguments.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Level {
    /// `#[reuse_db(…)]`
    Function,
    /// `#[db(…)]`
    Parameter,
}

/// Parses the arguments. A wrong argument is left out, and parsing goes on after it.
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
        return Err(without_a_key(&input.parse()?));
    }
    let ident = input.call(Ident::parse_any).map_err(|error| {
        let message = "an argument has a name: write `env = \"…\"` or `source = …`";
        Error::new(error.span(), message)
    })?;
    let key = key(&ident, level)?;
    let unseen = check_unseen(&ident, seen);
    seen.push(ident.clone());
    let has_value = input.peek(Token![=]) && {
        input.parse::<Token![=]>()?;
        !input.is_empty() && !input.peek(Token![,])
    };
    if !has_value {
        let message = format!("`{ident}` needs a value: write `{}`", key.example);
        return Err(Error::new(ident.span(), message));
    }
    match key.name {
        "env" => {
            let variable = env(input.parse()?)?;
            args.connect_to.get_or_insert(ConnectTo::Env(variable));
        }
        // It replaces an `env`, too. The names in the expression would be unused otherwise.
        "source" => args.connect_to = Some(ConnectTo::Source(input.parse()?)),
        "with" => args.with = Some(name_of(input, "function", key)?),
        "name" => args.name = Some(name_of(input, "static", key)?),
        _ => args.crate_path = Some(path(input)?),
    }
    unseen
}

/// A literal without a key is most likely a value for `env`.
fn without_a_key(literal: &LitStr) -> Error {
    let message = if literal.value().contains("://") {
        A_URL.to_owned()
    } else {
        format!("an argument has a name: write `env = {}`", literal.token())
    };
    Error::new(literal.span(), message)
}

fn check_unseen(ident: &Ident, seen: &[Ident]) -> syn::Result<()> {
    let connects = |ident: &Ident| ident == "env" || ident == "source";
    let message = if seen.contains(ident) {
        format!("`{ident}` is given twice: remove one")
    } else if connects(ident) && seen.iter().any(connects) {
        "`env` and `source` exclude each other: write `source = Source::env(\"…\")` alone"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(ident.span(), message))
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
    // No variable has such a name, and some versions of `std::env::var` panic on it.
    if name.trim().is_empty() || name.contains(['=', '\0']) {
        let message = "`env` names an environment variable: write `env = \"DATABASE_URL\"`";
        return Err(Error::new(variable.span(), message));
    }
    Ok(variable)
}

const A_URL: &str = "`env` names the environment variable that contains the URL: \
                     write `env = \"DATABASE_URL\"`";

const NOT_A_STRING: &str = "`env` takes a string literal: write `env = \"DATABASE_URL\"`, \
                            or `source = Source::env(…)` for a constant";

fn name_of(input: ParseStream<'_>, item: &str, key: &Key) -> syn::Result<Ident> {
    let token = without_group(input)?;
    let message = format!("`{}` names a {item}: write `{}`", key.name, key.example);
    let error = Error::new(token.span(), message);
    match token {
        // Otherwise it is the start of a path or a call.
        TokenTree::Ident(ident) if input.is_empty() || input.peek(Token![,]) => {
            syn::parse2(TokenTree::Ident(ident).into()).map_err(|_| error)
        }
        _ => Err(error),
    }
}

/// Takes a token out of the invisible group of a macro's `$name:ident`.
fn without_group(input: ParseStream<'_>) -> syn::Result<TokenTree> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            without_group.parse2(group.stream())
        }
        token => Ok(token),
    }
}

fn path(input: ParseStream<'_>) -> syn::Result<Path> {
    let start = input.span();
    let path = input.call(Path::parse_mod_style);
    path.map_err(|_| {
        let message = "`crate` takes a path without quotes: write `crate = my_crate::reuse_db`";
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
