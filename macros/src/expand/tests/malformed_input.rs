//! Input that no user means to write.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{Item, ItemFn};

use super::{assert_has, assert_has_not, expand, tokens};

#[test]
fn a_syntax_error_in_the_body_is_left_to_rustc() {
    let item = tokens("async fn h(db: &mut C) -> Out { let = ; }");
    let expansion = expand(TokenStream::new(), item).to_string();
    assert_has(&expansion, "let = ;");
    assert_has_not(&expansion, "compile_error");
}

#[test]
fn an_incomplete_item_does_not_panic() {
    for item in [
        "",
        "async",
        "fn",
        "async fn",
        "async fn h",
        "async fn h()",
        "#[x]",
        "pub",
        "async fn h(db: &mut C);",
        "{}",
    ] {
        for args in [
            "",
            ",",
            "env =",
            "= 1",
            "env env",
            "source = ,",
            "env = \"A\" \"B\"",
            "#",
        ] {
            expand(tokens(args), tokens(item));
        }
    }
}

/// Uses of the attribute to mutate: its arguments, and the item.
const USES: [(&str, &str); 4] = [
    (
        "env = \"A\", source = f(B).c()",
        "#[doc(hidden)] #[expect(a, reason = \"b\")] pub(crate) const async unsafe \
         extern \"C\" fn h<'a: 'b, 'b, T: X<'a>>(#[cfg(x)] mut a: &'a T, (b, ..): (u8, Vec<T>), \
         tx: &'b mut Transaction<'_, for<'x> fn(&'x u8)>, ...) -> Out<'a> \
         where T: 'b, 'b: 'a { body }",
    ),
    (
        "with = on, crate = crate::db",
        "async fn h(#[db(env = \"B\", name = C)] r: &P, id: u8, #[db] w: P) -> impl A { body }",
    ),
    (
        "",
        "async fn h(&self, State(pool): State<PgPool>) -> Out { body }",
    ),
    (
        "source = B",
        "pub fn r#match(r#type: &mut impl Connect, #[db = \"x\"] _: &'static C) { body }",
    ),
];

/// Tokens to insert.
const TOKENS: &str = "env source with crate name self async fn db cfg impl static use for mut ref \
                      r#fn _ ß = , : :: & 'a # ! ; -> < > 3 1.5 'x' \"URL\" \"postgres://h\" \
                      () [] {} (db) [cfg] {x}";

#[test]
fn a_mutated_use_never_panics_and_keeps_an_item_of_its_name() {
    let vocabulary: Vec<TokenTree> = tokens(TOKENS).into_iter().collect();
    let mut functions = 0;
    for seed in 1..=10_000 {
        let mut random = Random(seed);
        let (args, item) = USES[random.below(USES.len())];
        let (mut args, mut item) = (tokens(args), tokens(item));
        for _ in 0..=random.below(3) {
            let target = if random.below(4) == 0 {
                &mut args
            } else {
                &mut item
            };
            *target = mutated(target.clone(), &vocabulary, &mut random);
        }
        let text = format!("seed {seed}: #[reuse_db({args})] {item}");
        let expansion = std::panic::catch_unwind(|| expand(args.clone(), item.clone()));
        let expansion = expansion.unwrap_or_else(|_| panic!("a panic with {text}"));
        if let Ok(function) = syn::parse2::<ItemFn>(item) {
            functions += 1;
            let file: syn::File =
                syn::parse2(expansion).unwrap_or_else(|error| panic!("{error} with {text}"));
            let has_its_name = file.items.iter().any(|item| match item {
                Item::Fn(item) => item.sig.ident == function.sig.ident,
                _ => false,
            });
            assert!(has_its_name, "{text}");
        }
    }
    assert!(functions > 1_000, "{functions} of the items are functions");
}

/// Removes, repeats, replaces or inserts a token at any depth, or empties a group.
fn mutated(stream: TokenStream, vocabulary: &[TokenTree], random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = stream.into_iter().collect();
    let at = random.below(trees.len().max(1));
    if let Some(TokenTree::Group(group)) = trees.get(at)
        && random.below(4) != 0
    {
        let inner = match random.below(8) {
            0 => TokenStream::new(),
            _ => mutated(group.stream(), vocabulary, random),
        };
        trees[at] = Group::new(group.delimiter(), inner).into();
        return trees.into_iter().collect();
    }
    let token = vocabulary[random.below(vocabulary.len())].clone();
    match random.below(4) {
        0 if at < trees.len() => drop(trees.remove(at)),
        1 if at < trees.len() => trees.insert(at, trees[at].clone()),
        2 if at < trees.len() => trees[at] = token,
        _ => trees.insert(at, token),
    }
    trees.into_iter().collect()
}

/// A xorshift generator: a failure names the seed that repeats it.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.0 >> 29);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }
}
