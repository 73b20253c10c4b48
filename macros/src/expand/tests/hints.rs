//! The statements that improve a compiler message for a type with a telling name.

use super::{assert_has, assert_has_not, pretty, tokens, unparse};

#[test]
fn a_pool_inside_another_type_has_a_hint() {
    for (ty, form) in [
        ("State<PgPool>", "owned"),
        ("axum::Extension<sqlx::Pool<Postgres>>", "owned"),
        ("&Arc<PgPool>", "borrowed"),
        ("&mut State<Arc<MySqlPool>>", "exclusive"),
    ] {
        let expansion = pretty("", &format!("async fn h(db: {ty}) -> Out {{ }}"));
        let hint = format!("::reuse_db::__private::hint::pool_inside::{form}(&H_DB);");
        assert_has(&expansion, &hint);
    }
}

#[test]
fn a_drivers_type_has_a_hint_only_without_its_feature() {
    for (ty, feature) in [
        ("&mut PgConnection", "postgres"),
        ("&sqlx::MySqlPool", "mysql"),
        ("&sqlx::Pool<sqlx::Sqlite>", "sqlite"),
        ("&mut Transaction<'_, Any>", "any"),
        ("&mut redis::aio::MultiplexedConnection", "redis"),
        ("&DatabaseConnection", "sea_orm"),
        ("&mut AsyncPgConnection", "diesel_async"),
        ("&mut AsyncMysqlConnection", "diesel_async_mysql"),
        ("&mut tokio_postgres::Client", "tokio_postgres"),
        ("&mut tokio_postgres::Transaction<'_>", "tokio_postgres"),
    ] {
        let item = format!("async fn h(db: {ty}) -> Out {{ }}");
        assert_has_not(&pretty("", &item), "hint");
        let expansion = unparse(super::super::expand(tokens(""), tokens(&item), &[]));
        assert_has(
            &expansion,
            &format!("::reuse_db::__private::hint::{feature}::"),
        );
    }
}

#[test]
fn other_types_have_no_hint() {
    for ty in [
        "Lease<PgPool>",
        "&mut dyn Any",
        "State<AppState>",
        "&Client",
        "&mut Transaction",
    ] {
        let item = format!("async fn h(db: {ty}) -> Out {{ }}");
        let expansion = unparse(super::super::expand(tokens(""), tokens(&item), &[]));
        assert_has_not(&expansion, "hint");
    }
}

#[test]
fn a_form_that_does_not_fit_the_name_is_checked() {
    for (ty, check) in [
        ("&PgConnection", "supports_shared::<PgConnection>()"),
        ("&mut PgPool", "supports_exclusive::<PgPool>()"),
        ("&mut DbConn", "supports_exclusive::<DbConn>()"),
    ] {
        let expansion = pretty("", &format!("async fn h(db: {ty}) -> Out {{ }}"));
        let expansion: String = expansion.split_whitespace().collect();
        assert_has(
            &expansion,
            &format!("assert!(::reuse_db::__private::{check},"),
        );
    }
    for ty in ["&mut PgConnection", "&PgPool", "PgPool"] {
        let expansion = pretty("", &format!("async fn h(db: {ty}) -> Out {{ }}"));
        assert_has_not(&expansion, "assert!");
    }
}
