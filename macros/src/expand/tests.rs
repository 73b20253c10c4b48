//! The expansion of each form, and what each mistake is told.

use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

use super::expand;

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).expect("tokens")
}

fn pretty(args: &str, item: &str) -> String {
    let file = syn::parse2(expand(tokens(args), tokens(item))).expect("an expansion that parses");
    prettyplease::unparse(&file)
}

/// The errors, each with the text that it is at.
fn errors(args: &str, item: &str) -> Vec<(String, String)> {
    let expansion: Vec<TokenTree> = expand(tokens(args), tokens(item)).into_iter().collect();
    let mut errors = Vec::new();
    for (index, token) in expansion.iter().enumerate() {
        let TokenTree::Ident(ident) = token else {
            continue;
        };
        if ident != "compile_error" {
            continue;
        }
        let Some(TokenTree::Group(group)) = expansion.get(index + 2) else {
            continue;
        };
        let message = group.stream().into_iter().next().expect("a message");
        let message: syn::LitStr = syn::parse2(TokenStream::from(message)).expect("a string");
        errors.push((
            message.value(),
            ident.span().source_text().unwrap_or_default(),
        ));
    }
    errors
}

#[track_caller]
fn assert_error(args: &str, item: &str, message: &str, at: &str) {
    assert_eq!(
        errors(args, item),
        [(message.to_owned(), at.to_owned())],
        "#[reuse_db({args})] {item}"
    );
    syn::parse2::<syn::File>(expand(tokens(args), tokens(item))).expect("an expansion that parses");
}

const HANDLER: &str = "async fn handler(db: &mut PgConnection) -> Out { body }";

#[test]
fn exclusive() {
    let item = "/// Says hello.\npub(crate) async fn handler(Path(id): Path<u32>, db: &mut PgConnection) -> Out { body }";
    assert_eq!(
        pretty("", item),
        r#"/// The kept connections of [`handler`].
pub(crate) static HANDLER_DB: ::reuse_db::Parked<PgConnection> = ::reuse_db::Parked::new(
    ::reuse_db::Source::env("DATABASE_URL"),
);
/// Says hello.
pub(crate) async fn handler(__arg0: Path<u32>) -> Out {
    let mut lease = match ::reuse_db::Parked::lease(&HANDLER_DB).await {
        ::core::result::Result::Ok(value) => value,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let mut open = match ::reuse_db::Lease::open(&mut lease).await {
        ::core::result::Result::Ok(value) => value,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let output = handler_with(__arg0, &mut open).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::Finish::finish(open, outcome)
        .await
    {
        return ::reuse_db::Refuse::refuse(error);
    }
    ::reuse_db::Lease::settle(lease, outcome);
    output
}
/// [`handler`], as it is written: with a database of the caller's own.
///
/// Says hello.
pub(crate) async fn handler_with(Path(id): Path<u32>, db: &mut PgConnection) -> Out {
    body
}
"#
    );
}

#[test]
fn borrowed() {
    assert_eq!(
        pretty(
            r#"env = "READER_URL""#,
            "async fn read(pool: &PgPool) -> Out { body }"
        ),
        r#"/// The kept database of [`read`].
static READ_POOL: ::reuse_db::Shared<PgPool> = ::reuse_db::Shared::new(
    ::reuse_db::Source::env("READER_URL"),
);
async fn read() -> Out {
    let lease = match ::reuse_db::Shared::lease(&READ_POOL).await {
        ::core::result::Result::Ok(value) => value,
        ::core::result::Result::Err(error) => return ::reuse_db::Refuse::refuse(error),
    };
    let output = read_with(::reuse_db::SharedLease::get(&lease)).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).outcome();
    ::reuse_db::SharedLease::settle(lease, outcome);
    output
}
/// [`read`], as it is written: with a database of the caller's own.
async fn read_with(pool: &PgPool) -> Out {
    body
}
"#
    );
}

#[test]
fn owned() {
    let expansion = pretty(
        "source = config::DB.keep(2)",
        "async fn read(a: u8, pool: PgPool) -> Out { body }",
    );
    assert!(
        expansion.contains("::reuse_db::Shared::new(\n    config::DB.keep(2),\n)"),
        "{expansion}"
    );
    assert!(
        expansion.contains("::core::clone::Clone::clone(::reuse_db::SharedLease::get(&lease))"),
        "{expansion}"
    );
}

#[test]
fn a_transaction_is_parked_for_static() {
    for ty in [
        "Transaction<'_, Postgres>",
        "Transaction<'a, Postgres>",
        "Transaction<'static, Postgres>",
    ] {
        let expansion = pretty(
            "",
            &format!("async fn h<'a>(r: Request, tx: &'a mut {ty}) -> Out {{ }}"),
        );
        assert!(
            expansion.contains("static H_TX: ::reuse_db::Parked<Transaction<'static, Postgres>>"),
            "{expansion}"
        );
        assert!(
            expansion.contains("async fn h(__arg0: Request)"),
            "{expansion}"
        );
        assert!(expansion.contains("async fn h_with<'a>"), "{expansion}");
    }
    let expansion = pretty("", "async fn h(db: &Client<for<'x> fn(&'x u8)>) -> Out { }");
    assert!(
        expansion.contains("Shared<Client<for<'x> fn(&'x u8)>>"),
        "{expansion}"
    );
}

#[test]
fn a_lifetime_that_others_name_stays() {
    let expansion = pretty(
        "",
        "async fn h<'a, 'b, T: X>(s: &'a T, db: &'b mut C) -> Out<'a> where T: 'a { }",
    );
    assert!(
        expansion.contains("async fn h<'a, T: X>(__arg0: &'a T) -> Out<'a>"),
        "{expansion}"
    );
}

#[test]
fn names() {
    for (signature, name) in [
        ("async fn handler(_db: &mut C)", "HANDLER_DB"),
        ("async fn r#match(r#type: &mut C)", "MATCH_TYPE"),
        ("async fn handler(_: &mut C)", "HANDLER_DB"),
        ("async fn get_user(mut reader: &mut C)", "GET_USER_READER"),
    ] {
        let expansion = pretty("", &format!("{signature} -> Out {{ }}"));
        assert!(
            expansion.contains(&format!("static {name}:")),
            "{expansion}"
        );
    }
}

#[test]
fn attributes_go_where_they_make_sense() {
    let expansion = pretty(
        "",
        "#[cfg(unix)] #[must_use] #[expect(dead_code)] #[tracing::instrument(skip_all)] async fn h(db: &mut C) -> Out { }",
    );
    let items: Vec<_> = expansion
        .split("static H_DB")
        .flat_map(|part| part.split("async fn h()"))
        .collect();
    let [on_static, on_outer, on_inner] = items[..] else {
        panic!("three items: {expansion}")
    };
    let has = |text: &str| [on_static, on_outer, on_inner].map(|item| item.contains(text));
    assert_eq!(has("cfg(unix)"), [true, true, true]);
    assert_eq!(has("must_use"), [false, true, true]);
    assert_eq!(has("expect(dead_code)"), [false, false, true]);
    assert_eq!(has("instrument"), [false, false, true]);
}

#[test]
fn a_type_in_a_macros_group_is_seen_through() {
    use proc_macro2::{Delimiter, Group, Ident, Span};
    let grouped = TokenTree::Group(Group::new(Delimiter::None, tokens("&mut C")));
    let item: TokenStream = tokens("async fn h(db: REPLACED) -> Out { }")
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                let db = TokenTree::from(Ident::new("db", Span::call_site()));
                let inner = [db]
                    .into_iter()
                    .chain(tokens(":"))
                    .chain([grouped.clone()])
                    .collect();
                Group::new(Delimiter::Parenthesis, inner).into()
            }
            token => token,
        })
        .collect();
    assert!(
        expand(TokenStream::new(), item)
            .to_string()
            .contains("Parked")
    );
}

#[test]
fn mistakes_in_arguments() {
    let known = "(`env = \"…\"` and `source = …` are known)";
    assert_error(
        "envv = \"X\"",
        HANDLER,
        &format!("unknown argument `envv`, did you mean `env`? {known}"),
        "envv",
    );
    assert_error(
        "timeout = 3",
        HANDLER,
        &format!("unknown argument `timeout` {known}"),
        "timeout",
    );
    assert_error(
        "env = \"A\", env = \"B\"",
        HANDLER,
        "`env` is given twice: remove one",
        "env",
    );
    assert_error(
        "env = \"A\", source = B",
        HANDLER,
        "`env` and `source` exclude each other: write `source = Source::env(\"…\")` with what else is needed",
        "source",
    );
    assert_error(
        "env",
        HANDLER,
        "`env` needs a value: write `env = \"DATABASE_URL\"`",
        "env",
    );
    assert_error(
        "source",
        HANDLER,
        "`source` needs a value: write `source = Source::env(\"DATABASE_URL\")`",
        "source",
    );
    assert_error(
        "\"A\"",
        HANDLER,
        "an argument has a name: write `env = \"A\"`",
        "\"A\"",
    );
    assert_error(
        "env = \" \"",
        HANDLER,
        "`env` names an environment variable: write `env = \"DATABASE_URL\"`",
        "\" \"",
    );
    let not_a_string = "`env` is a string literal, like `env = \"DATABASE_URL\"`: for a name from elsewhere write `source = Source::env(…)`";
    assert_error("env = NAME", HANDLER, not_a_string, "NAME");
    assert_error("env = 3", HANDLER, not_a_string, "3");
}

#[test]
fn every_mistake_is_told_at_once() {
    let found = errors(
        "envv = 1, env = \"A\", env = \"B\"",
        "fn h(db: &mut C) -> Out { }",
    );
    assert_eq!(
        found.iter().map(|(_, at)| at.as_str()).collect::<Vec<_>>(),
        ["envv", "env", "fn"]
    );
}

#[test]
fn mistakes_in_the_function() {
    assert_error(
        "",
        "fn h(db: &mut C) -> Out { }",
        "a handler waits for its database: write `async fn`",
        "fn",
    );
    assert_error(
        "",
        "async fn h() -> Out { }",
        "the last parameter is the database: write one, like `db: &mut PgConnection`",
        "()",
    );
    assert_error(
        "",
        "async fn h(&self, db: &mut C) -> Out { }",
        "a method cannot have a static beside it: write a free function, and pass it what it needs of `self`",
        "self",
    );
    assert_error(
        "",
        "struct S;",
        "`#[reuse_db]` is for functions: write it above an `async fn`",
        "struct",
    );
    assert_error(
        "",
        "impl S { }",
        "`#[reuse_db]` is for functions: write it above an `async fn`",
        "impl",
    );
    assert_error(
        "",
        "async unsafe fn h(db: &mut C) -> Out { }",
        "a handler cannot be `unsafe`: nobody could call it; put the `unsafe` block inside",
        "unsafe",
    );
    assert_error(
        "",
        "async fn h<C: Connect>(db: &mut C) -> Out { }",
        "a static holds the database, and cannot be generic: write a type in place of `C`",
        "C",
    );
    assert_error(
        "",
        "async fn h(db: &mut impl Connect) -> Out { }",
        "a static holds the database: write its type in place of `impl …`",
        "impl",
    );
}

#[test]
fn what_is_not_async_is_expanded_as_if_it_were() {
    let expansion = pretty("", "fn h(a: u8, db: &mut C) -> Out { }");
    assert!(
        expansion.contains("async fn h(__arg0: u8) -> Out"),
        "{expansion}"
    );
}

#[test]
fn a_syntax_error_in_the_body_is_left_to_rustc() {
    let expansion = expand(
        TokenStream::new(),
        tokens("async fn h(db: &mut C) -> Out { let = ; }"),
    )
    .to_string();
    assert!(
        expansion.contains("let = ;") && !expansion.contains("compile_error"),
        "{expansion}"
    );
}

#[test]
fn odd_input_is_no_panic() {
    for item in [
        "",
        "async",
        "fn",
        "async fn",
        "async fn h",
        "async fn h(",
        "#[x]",
        "pub",
        "async fn h(db: &mut C);",
        "{}",
    ] {
        let Ok(item) = TokenStream::from_str(item) else {
            continue;
        };
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
            let Ok(args) = TokenStream::from_str(args) else {
                continue;
            };
            expand(args, item.clone());
        }
    }
}
