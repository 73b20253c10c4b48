//! What is written in the attribute's parentheses.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprLit, Lit, LitStr, Token};

use crate::errors::Errors;

/// Where to connect: by the function's arguments, or by default.
#[derive(Clone, Default)]
pub(crate) enum Where {
    /// The URL in `DATABASE_URL`.
    #[default]
    Default,
    /// The URL in another variable.
    Env(LitStr),
    /// A `Source`, as written.
    Source(Box<Expr>),
}

const NAMES: [&str; 2] = ["env", "source"];

/// Reads the arguments. A wrong one is left out, so that the rest still counts.
pub(crate) fn args(tokens: TokenStream, errors: &mut Errors) -> Where {
    let mut place = Where::Default;
    let mut seen = Vec::new();
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match arg(input, &mut seen) {
                Ok(arg) => {
                    place = arg;
                    if !input.is_empty() && !input.peek(Token![,]) {
                        errors.push(input.error("expected `,`"));
                    }
                }
                Err(error) => errors.push(error),
            }
            skip_past_comma(input)?;
        }
        Ok(())
    };
    if let Err(error) = all.parse2(tokens) {
        errors.push(error);
    }
    place
}

fn arg(input: ParseStream<'_>, seen: &mut Vec<Ident>) -> syn::Result<Where> {
    if input.peek(LitStr) {
        let variable: LitStr = input.parse()?;
        let message = if variable.value().contains("://") {
            A_URL.to_owned()
        } else {
            format!("an argument has a name: write `env = {}`", variable.token())
        };
        return Err(Error::new(variable.span(), message));
    }
    let name = input.call(Ident::parse_any).map_err(|error| {
        Error::new(
            error.span(),
            "an argument has a name: write `env = \"…\"` or `source = …`",
        )
    })?;
    if !NAMES.iter().any(|known| name == known) {
        return Err(Error::new(name.span(), unknown(&name)));
    }
    check_seen(&name, seen)?;
    seen.push(name.clone());
    let has_value = input.peek(Token![=]) && {
        input.parse::<Token![=]>()?;
        !input.is_empty() && !input.peek(Token![,])
    };
    if !has_value {
        let example = if name == "env" {
            "env = \"DATABASE_URL\""
        } else {
            "source = Source::env(\"DATABASE_URL\")"
        };
        return Err(Error::new(
            name.span(),
            format!("`{name}` needs a value: write `{example}`"),
        ));
    }
    let value: Expr = input.parse()?;
    if name == "source" {
        return Ok(Where::Source(Box::new(value)));
    }
    env(value).map(Where::Env)
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
    if name.trim().is_empty() {
        return Err(Error::new(
            variable.span(),
            "`env` names an environment variable: write `env = \"DATABASE_URL\"`",
        ));
    }
    if name.contains("://") {
        return Err(Error::new(variable.span(), A_URL));
    }
    Ok(variable)
}

const A_URL: &str =
    "`env` names an environment variable, which has the URL: write `env = \"DATABASE_URL\"`";

const NOT_A_STRING: &str = "`env` is a string literal, like `env = \"DATABASE_URL\"`: \
                            for a name from elsewhere write `source = Source::env(…)`";

fn check_seen(name: &Ident, seen: &[Ident]) -> syn::Result<()> {
    if seen.contains(name) {
        return Err(Error::new(
            name.span(),
            format!("`{name}` is given twice: remove one"),
        ));
    }
    if !seen.is_empty() {
        return Err(Error::new(
            name.span(),
            "`env` and `source` exclude each other: write `source = Source::env(\"…\")` with what else is needed",
        ));
    }
    Ok(())
}

fn unknown(name: &Ident) -> String {
    let text = name.to_string();
    let near = NAMES
        .iter()
        .find(|known| distance(&text.to_lowercase(), known) <= 2);
    let near = near
        .map(|near| format!(", did you mean `{near}`?"))
        .unwrap_or_default();
    format!("unknown argument `{text}`{near} (`env = \"…\"` and `source = …` are known)")
}

/// The number of letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(x != y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

fn skip_past_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            break;
        }
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}
