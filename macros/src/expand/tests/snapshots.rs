//! The expansion of each form, compared with the files in the package's folder `snapshots`.
//!
//! The package of the tests compiles the files. `SNAPSHOTS=overwrite` writes them.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Attribute, Item, ItemUse, Meta};

use super::expand;

macro_rules! snapshots {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                assert_snapshot(stringify!($name));
            }
        )*
    };
}

snapshots! { attributes borrowed exclusive owned signature transaction two_databases }

#[track_caller]
fn assert_snapshot(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let written = std::fs::read_to_string(folder.join(format!("{name}.rs"))).expect("the input");
    let mut file = syn::parse_file(&written).expect("a file that parses");
    let items = std::mem::take(&mut file.items);
    file.items = items.into_iter().flat_map(expanded).collect();
    let expansion = prettyplease::unparse(&file);

    let snapshot = folder.join(format!("{name}.expanded.rs"));
    if std::env::var("SNAPSHOTS").is_ok_and(|what| what == "overwrite") {
        std::fs::write(&snapshot, &expansion).expect("the snapshot");
    }
    let expected = std::fs::read_to_string(&snapshot).unwrap_or_default();
    assert!(
        expansion == expected,
        "{} differs, and SNAPSHOTS=overwrite writes it:\n{expansion}",
        snapshot.display()
    );
}

fn expanded(item: Item) -> Vec<Item> {
    let is_ours = |attribute: &Attribute| attribute.path().is_ident("reuse_db");
    match item {
        Item::Fn(mut item) if item.attrs.iter().any(is_ours) => {
            let ours: Vec<_> = item
                .attrs
                .extract_if(.., |attribute| is_ours(attribute))
                .collect();
            let arguments = match &ours[0].meta {
                Meta::List(list) => list.tokens.clone(),
                _ => TokenStream::new(),
            };
            let expansion = expand(arguments, item.into_token_stream());
            syn::parse2::<syn::File>(expansion).expect("items").items
        }
        Item::Use(item) => without_the_attribute(item)
            .into_iter()
            .map(Item::Use)
            .collect(),
        item => vec![item],
    }
}

/// Removes the import of the attribute, which nothing uses after the expansion.
fn without_the_attribute(item: ItemUse) -> Option<ItemUse> {
    let text = item.to_token_stream().to_string();
    match text.as_str() {
        "use reuse_db :: reuse_db ;" => None,
        _ => syn::parse_str(&text.replace(", reuse_db }", "}")).ok(),
    }
}
