//! Lifetimes in types and signatures.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericParam, Generics, WherePredicate};

/// Returns each lifetime that the tokens name, as often as they name it.
pub(crate) fn named(tokens: impl ToTokens) -> Vec<Ident> {
    let mut named = Vec::new();
    let mut after_quote = false;
    for token in tokens.into_token_stream() {
        let was_after_quote = std::mem::replace(&mut after_quote, is_punct(&token, '\''));
        match token {
            TokenTree::Ident(ident) if was_after_quote => named.push(ident),
            TokenTree::Group(group) => named.extend(self::named(group.stream())),
            _ => {}
        }
    }
    named
}

// Input:
//     Client<'_, 'a, for<'x> fn(&'x u8, &'_ u8)>
//
// Output:
//     Client<'static, 'static, for<'x> fn(&'x u8, &'_ u8)>
pub(crate) fn for_static(tokens: TokenStream) -> TokenStream {
    let bound = higher_ranked(&tokens);
    replace(tokens, &bound, false)
}

/// A `'_` in parentheses or after an arrow stays, because it may belong to a function type. If it
/// does not, it means `'static` in a static anyway.
fn replace(tokens: TokenStream, bound: &[Ident], mut in_function: bool) -> TokenStream {
    let (mut after_quote, mut after_dash) = (false, false);
    let replaced = tokens.into_iter().map(|token| {
        let was_after_quote = std::mem::replace(&mut after_quote, is_punct(&token, '\''));
        in_function |= after_dash && is_punct(&token, '>');
        after_dash = is_punct(&token, '-');
        match token {
            TokenTree::Ident(ident)
                if was_after_quote && !bound.contains(&ident) && !(in_function && ident == "_") =>
            {
                Ident::new("static", ident.span()).into()
            }
            TokenTree::Group(group) => {
                let delimiter = group.delimiter();
                let in_function = in_function || delimiter == Delimiter::Parenthesis;
                let mut inner = Group::new(delimiter, replace(group.stream(), bound, in_function));
                inner.set_span(group.span());
                inner.into()
            }
            token => token,
        }
    });
    replaced.collect()
}

/// Returns the lifetimes that a `for<…>` in the type declares.
fn higher_ranked(tokens: &TokenStream) -> Vec<Ident> {
    let mut bound = Vec::new();
    let mut tokens = tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => bound.extend(higher_ranked(&group.stream())),
            TokenTree::Ident(ident) if ident == "for" => {
                while let Some(token) = tokens.next_if(|token| !is_punct(token, '>')) {
                    if let TokenTree::Ident(ident) = token {
                        bound.push(ident);
                    }
                }
            }
            _ => {}
        }
    }
    bound
}

/// Removes the lifetimes that are no longer named: neither by `rest`, the signature without its
/// generics, nor by a bound that stays.
pub(crate) fn drop_unused(generics: &mut Generics, rest: impl ToTokens) {
    let mut used = named(rest);
    for param in &generics.params {
        if !matches!(param, GenericParam::Lifetime(_)) {
            used.extend(named(param));
        }
    }
    for predicate in generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates)
    {
        if !matches!(predicate, WherePredicate::Lifetime(_)) {
            used.extend(named(predicate));
        }
    }
    // Of `'a: 'b`, the bound `'b` is used if `'a` is.
    let mut before = 0;
    while before != used.len() {
        before = used.len();
        let bounds = bounds(generics).filter(|(lifetime, _)| used.contains(lifetime));
        let more: Vec<_> = bounds
            .flat_map(|(_, bounds)| bounds)
            .filter(|bound| !used.contains(bound))
            .collect();
        used.extend(more);
    }
    let params = std::mem::take(&mut generics.params);
    generics.params = params
        .into_iter()
        .filter(|param| match param {
            GenericParam::Lifetime(param) => used.contains(&param.lifetime.ident),
            _ => true,
        })
        .collect();
    if generics.params.is_empty() {
        (generics.lt_token, generics.gt_token) = (None, None);
    }
    if let Some(clause) = &mut generics.where_clause {
        let predicates = std::mem::take(&mut clause.predicates);
        clause.predicates = predicates
            .into_iter()
            .filter(|predicate| match predicate {
                WherePredicate::Lifetime(predicate) => used.contains(&predicate.lifetime.ident),
                _ => true,
            })
            .collect();
    }
}

fn bounds(generics: &Generics) -> impl Iterator<Item = (&Ident, Vec<Ident>)> {
    let params = generics.params.iter().filter_map(|param| match param {
        GenericParam::Lifetime(param) => Some((&param.lifetime.ident, named(&param.bounds))),
        _ => None,
    });
    let clauses = generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates);
    params.chain(clauses.filter_map(|predicate| match predicate {
        WherePredicate::Lifetime(predicate) => {
            Some((&predicate.lifetime.ident, named(&predicate.bounds)))
        }
        _ => None,
    }))
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}
