//! Random functions and arguments: never a panic, never an output that does not parse, and of a
//! right function always the static, the function and its sibling.

mod functions;
mod trees;

use proc_macro2::TokenStream;
use proptest::prelude::*;
use quote::ToTokens as _;
use syn::{FnArg, Item, ItemFn, ItemStatic};

use self::functions::{Function, any_function, right_function};
use self::trees::{any_arguments, right_arguments};
use super::{expand, tokens};

fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(6_000)
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_right_function_becomes_statics_function_and_sibling(
        function in right_function(),
        arguments in right_arguments(),
    ) {
        let file = expanded(&arguments, &function.text());
        prop_assert_eq!(errors_in(&file), 0, "{}", function.text());
        assert_is_hoisted(&function, &file);
    }

    #[test]
    fn whatever_the_function_is_there_is_an_item_of_its_name(
        function in any_function(),
        arguments in prop_oneof![right_arguments(), any_arguments()],
    ) {
        let text = function.text();
        syn::parse2::<ItemFn>(tokens(&text)).expect("a function that parses");
        let file = expanded(&arguments, &text);
        let names: Vec<_> = functions_in(&file).map(|item| &item.sig.ident).collect();
        prop_assert!(names.contains(&&function.ident()), "{text}");
        let count = if function.can_be_hoisted() { 2 } else { 1 };
        prop_assert!(names.len() == count, "{text}");
    }

    #[test]
    fn whatever_the_arguments_are_the_function_is_hoisted(
        arguments in any_arguments(),
        mark in any_arguments(),
    ) {
        let file = expanded(&arguments, "async fn handler(a: u8, db: &mut C) -> Out { body }");
        prop_assert_eq!(functions_in(&file).count(), 2);
        prop_assert_eq!(statics_in(&file).count(), 1);
        let item = format!("async fn handler(#[db({mark})] db: &mut C, a: u8) -> Out {{ body }}");
        let file = expanded(&arguments, &item);
        prop_assert_eq!(functions_in(&file).count(), 2);
        // Unless the mark names one that is there already.
        prop_assert!(statics_in(&file).count() == 1 || errors_in(&file) > 0);
    }

    #[test]
    fn whatever_the_item_is_the_output_has_no_panic(
        item in any_arguments(),
        arguments in any_arguments(),
    ) {
        expand(tokens(&arguments), tokens(&item));
    }
}

fn expanded(arguments: &str, item: &str) -> syn::File {
    let expansion = expand(tokens(arguments), tokens(item));
    match syn::parse2(expansion.clone()) {
        Ok(file) => file,
        Err(error) => panic!("{error}: #[reuse_db({arguments})] {item}\n{expansion}"),
    }
}

fn functions_in(file: &syn::File) -> impl Iterator<Item = &ItemFn> {
    file.items.iter().filter_map(|item| match item {
        Item::Fn(item) => Some(item),
        _ => None,
    })
}

fn statics_in(file: &syn::File) -> impl Iterator<Item = &ItemStatic> {
    file.items.iter().filter_map(|item| match item {
        Item::Static(item) => Some(item),
        _ => None,
    })
}

fn errors_in(file: &syn::File) -> usize {
    let errors = file.items.iter().filter(|item| match item {
        Item::Macro(item) => item
            .mac
            .path
            .to_token_stream()
            .to_string()
            .ends_with("compile_error"),
        _ => false,
    });
    errors.count()
}

fn assert_is_hoisted(function: &Function, file: &syn::File) {
    let text = function.text();
    let statics: Vec<_> = statics_in(file)
        .map(|item| item.ident.to_string())
        .collect();
    assert_eq!(statics, function.statics(), "{text}");

    let functions: Vec<_> = functions_in(file).collect();
    let [outer, inner] = functions[..] else {
        panic!("{} functions: {text}", functions.len());
    };
    assert_eq!(outer.sig.ident, function.ident(), "{text}");
    let written: ItemFn = syn::parse2(tokens(&text)).expect("a function that parses");
    let visibility = written.vis.to_token_stream().to_string();
    for item in [outer, inner] {
        assert!(item.sig.asyncness.is_some(), "{text}");
        assert_eq!(item.vis.to_token_stream().to_string(), visibility, "{text}");
    }

    // The outer one has the other parameters' types, the inner one all, and the body.
    let types = |inputs: &mut dyn Iterator<Item = &FnArg>| -> Vec<String> {
        let types = inputs.map(|input| match input {
            FnArg::Typed(input) => input.ty.to_token_stream().to_string(),
            FnArg::Receiver(_) => panic!("a receiver: {text}"),
        });
        types.collect()
    };
    let databases = function.databases();
    let mut inputs = written.sig.inputs.iter().enumerate();
    let mut others = inputs
        .by_ref()
        .filter(|(index, _)| !databases.contains(index))
        .map(|(_, input)| input);
    assert_eq!(
        types(&mut outer.sig.inputs.iter()),
        types(&mut others),
        "{text}"
    );
    assert_eq!(
        types(&mut inner.sig.inputs.iter()),
        types(&mut written.sig.inputs.iter()),
        "{text}"
    );
    let body = |item: &ItemFn| -> TokenStream { item.block.to_token_stream() };
    assert_eq!(
        body(inner).to_string(),
        body(&written).to_string(),
        "{text}"
    );
    assert!(
        !inner.to_token_stream().to_string().contains("# [db"),
        "{text}"
    );
}
