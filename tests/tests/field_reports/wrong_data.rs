//! Rows 2 and 3: no success hides a failure, and no request reads what another has set.

use lambda_bench::lambda::Outcome;
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};
use reuse_db_tests::on_each_server;

#[tokio::test]
async fn a_swallowed_error_fails_the_invocation() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_scripted(&server, "plain").await;
    let index = "create unique index on notes (text)";
    function.script("/conn", index).await.ok();
    let records = "insert into notes values ('1')\n\
        insert into notes values ('2')\n\
        insert into notes values ('1')\n\
        insert into notes values ('4')";
    for _ in 0..3 {
        let before = function.proxy.counts();
        let answer = function.script("/tx?error=swallow", records).await;
        let message = answer.error().message.clone();
        assert!(
            message.contains("COMMIT failed") && message.contains("did not return its error"),
            "{message}"
        );
        assert_eq!(server.number("select count(*) from notes").await, 0);
        let round_trips = (function.proxy.counts() - before).round_trips;
        assert!(round_trips <= 12, "{round_trips} round trips");
    }
    let notes = "insert into notes values ('1')\nselect count(*) from notes";
    assert_eq!(function.rows("/tx", notes).await, ["1"]);
    let warnings = server.log();
    assert!(
        !warnings.contains("no transaction in progress"),
        "{warnings}"
    );
}

/// A deadlock rolls back the whole transaction, and each later statement runs alone.
#[tokio::test]
async fn a_swallowed_deadlock_fails_the_invocation_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    server
        .execute("create table app.pairs (id int primary key, n int)")
        .await;
    server
        .execute("insert into app.pairs values (1, 0), (2, 0)")
        .await;
    let one = Function::start_scripted(&server, "plain").await;
    let two = Function::start_scripted(&server, "plain").await;
    let script = |first: u8, second: u8| {
        format!(
            "update pairs set n = n + 1 where id = {first}\n\
             select sleep(0.5)\n\
             update pairs set n = n + 1 where id = {second}"
        )
    };
    let (a, b) = (script(1, 2), script(2, 1));
    let (a, b) = tokio::join!(
        one.script("/tx?error=swallow", &a),
        two.script("/tx?error=swallow", &b)
    );
    let failed = [&a, &b]
        .into_iter()
        .filter_map(|answer| match &answer.outcome {
            Outcome::Failed(error) => Some(error.message.clone()),
            _ => None,
        });
    let messages: Vec<_> = failed.collect();
    assert_eq!(messages.len(), 1, "{a:?} {b:?}");
    assert!(
        messages[0].contains("a deadlock rolled it back"),
        "{messages:?}"
    );
}

on_each_server! {
    async fn each_form_runs_a_script(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for form in ["/conn", "/tx", "/pool"] {
            let rows = function.rows(form, "select 'a'").await;
            assert_eq!(rows, ["a"], "{form}");
        }
    }
}

/// A request that names a tenant is followed by one that does not.
#[tokio::test]
async fn a_tenant_is_gone_after_each_invocation() {
    let server = <Postgres as Server>::launch().await;
    server.execute("create role tenant nologin").await;
    server.execute("grant tenant to app").await;
    let function = Function::start_scripted(&server, "reset").await;
    for form in ["/conn", "/tx", "/pool"] {
        let fresh = function.rows(form, STATE).await;
        let set = "select set_config('app.tenant', 'a', false)\n\
            set search_path = pg_catalog\n\
            set role tenant\n\
            set statement_timeout = '7s'\n\
            select pg_advisory_lock(42)\n\
            prepare own as select 1\n\
            create temp table mine (id int)";
        function.script(form, set).await.ok();
        assert_eq!(
            server.number(LOCKS).await,
            0,
            "{form}: locks are gone before the freeze"
        );
        let reset = function.rows(form, STATE).await;
        assert!(reset == fresh, "{form}: {reset:?}");
    }
}

/// With Lambda's tenant isolation, a sandbox serves one tenant. Its connections know that from
/// their set-up on, also after a failure.
#[tokio::test]
async fn a_connection_is_set_up_for_the_tenant_of_its_sandbox() {
    let (postgres, mysql) =
        tokio::join!(<Postgres as Server>::launch(), <Mysql as Server>::launch());
    of_a_tenant(&postgres, "tenant", "select current_setting('app.tenant')").await;
    of_a_tenant(&mysql, "tenant_of_mysql", "select @tenant").await;
}

async fn of_a_tenant(server: &impl Server, source: &str, tenant: &str) {
    let start = async |id: Option<&str>| {
        // The connection that the initialization would open cannot be the tenant's.
        let env = [("SOURCE", source), ("WARM", "conn,pool")];
        Function::start_sandbox(
            program("field_function"),
            server,
            &env,
            |builder| match id {
                Some(id) => builder.tenant(id),
                None => builder,
            },
        )
        .await
    };
    for id in ["blue", "green/7@a b"] {
        let function = start(Some(id)).await;
        for form in ["/conn", "/tx", "/pool"] {
            for _ in 0..2 {
                assert_eq!(function.rows(form, tenant).await, [id], "{form}");
                function
                    .script(&format!("{form}?end=fail"), tenant)
                    .await
                    .error();
            }
        }
    }
    let answer = start(None).await.script("/conn", tenant).await;
    let text = format!("{answer:?}");
    assert!(text.contains("tenant isolation: turn that on"), "{text}");
}

const LOCKS: &str = "select count(*) from pg_locks where locktype = 'advisory'";

/// Everything that differs between sessions of a role.
const STATE: &str = "select concat_ws(' ', current_user, session_user, \
    coalesce(current_setting('app.tenant', true), ''), \
    (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings \
        where name <> 'transaction_timeout'), \
    (select count(*) from pg_prepared_statements where from_sql), \
    (select count(*) from pg_class where relpersistence = 't'), \
    (select count(*) from pg_locks where locktype = 'advisory'))";

#[tokio::test]
async fn variables_and_temporary_tables_of_mysql_are_gone_after_each_invocation() {
    let server = <Mysql as Server>::launch().await;
    let function = Function::start_scripted(&server, "reset").await;
    let state = "select concat_ws(' ', coalesce(@tenant, 'none'), @@sql_mode, @@time_zone, \
        is_free_lock('own'), @@wait_timeout)";
    for form in ["/conn", "/tx", "/pool"] {
        let fresh = function.rows(form, state).await;
        let set = "raw set @tenant = 'a'\n\
            raw set sql_mode = 'ANSI'\n\
            select get_lock('own', 1)\n\
            create temporary table mine (id int)";
        for _ in 0..2 {
            function.script(form, set).await.ok();
            assert_eq!(function.rows(form, state).await, fresh, "{form}");
        }
    }
}
