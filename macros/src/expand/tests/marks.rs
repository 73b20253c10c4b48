//! The marks of databases, and functions with several databases.

use super::{assert_error, assert_has, assert_has_not, pretty};

#[test]
fn a_mark_can_be_on_any_parameter() {
    let expansion = pretty("", "async fn h(#[db] a: &mut C, b: u8, c: u8) -> Out { }");
    assert_has(&expansion, "static H_A: ::reuse_db::Exclusive<C>");
    assert_has(&expansion, "async fn h(b: u8, c: u8) -> Out");
    assert_has(&expansion, "h_with(&mut open, b, c)");
    assert_has(&expansion, "async fn h_with(a: &mut C, b: u8, c: u8)");
    assert_has_not(&expansion, "#[db]");
}

/// The snapshot `two_databases` shows a whole expansion.
#[test]
fn each_stage_is_complete_for_all_databases_before_the_next_begins() {
    let expansion = pretty(
        "env = \"A\"",
        "async fn h(#[db] w: &mut Tx<'_>, id: u8, \
         #[db(env = \"B\", name = READER)] #[allow(x)] r: &P, \
         #[db(source = S)] o: P) -> Out { body }",
    );
    let expansion: String = expansion.split_whitespace().collect();
    let mut rest = expansion.as_str();
    for step in [
        "staticH_W:::reuse_db::Exclusive<Tx<'static>>",
        "staticREADER:::reuse_db::Shared<P>",
        "staticH_O:::reuse_db::Shared<P>=::reuse_db::Shared::of_handler(S,",
        "asyncfnh(id:u8)->Out{",
        "::lease(&H_W,&mutlease,)",
        "letlease1=match::reuse_db::__private::lease_shared(&READER)",
        "let(open2,mutlease2)=match::reuse_db::__private::lease_owned(&H_O)",
        "letmutopen=match::reuse_db::__private::open(&H_W,&mutlease)",
        "h_with(&mutopen,id,::reuse_db::SharedLease::get(&lease1),open2)",
        "::prepare_owned(&mutlease2,outcome,)",
        "::finish(open,outcome)",
        "::settle(lease,outcome);",
        "::settle(lease1,outcome);",
        "::settle_owned(lease2,outcome);",
        "asyncfnh_with(w:&mutTx<'_>,id:u8,#[allow(x)]r:&P,o:P)->Out{body}",
    ] {
        let at = rest
            .find(step)
            .unwrap_or_else(|| panic!("no `{step}` in: {rest}"));
        rest = &rest[at + step.len()..];
    }
}

#[test]
fn two_items_cannot_have_one_name() {
    let taken =
        |name: &str| format!("the name `{name}` is taken: write another one in `#[db(name = …)]`");
    assert_error(
        "",
        "async fn h(#[db] _: &mut A, #[db] _db: &mut B) -> Out { }",
        &taken("H_DB"),
        "B",
    );
    for name in ["h", "r#h", "h_with"] {
        assert_error(
            "",
            &format!("async fn h(#[db(name = {name})] db: &mut A) -> Out {{ }}"),
            &taken(name.trim_start_matches("r#")),
            "A",
        );
    }
    let expansion = pretty(
        "",
        "async fn h(#[db] _: &mut A, #[db] _: &mut B) -> Out { }",
    );
    assert_has(
        &expansion,
        "async fn h() -> Out {\n    ::core::unreachable!()",
    );
}

#[test]
fn each_mistake_in_a_mark_is_one_error() {
    assert_error(
        "",
        "async fn h(#[db] #[db] db: &mut A) -> Out { }",
        "`#[db]` is given twice: remove one",
        "db",
    );
    for mark in ["db = \"URL\"", "db[env = \"URL\"]", "db{}"] {
        assert_error(
            "",
            &format!("async fn h(#[{mark}] db: &mut A) -> Out {{ }}"),
            "arguments are in parentheses: write `#[db(env = \"READER_URL\")]`",
            "db",
        );
    }
    assert_error(
        "",
        "async fn h(#[cfg_attr(x, y, db)] db: &mut A) -> Out { }",
        "a mark cannot be conditional: write `#[db]`, and `#[cfg]` on the function",
        "cfg_attr",
    );
}
