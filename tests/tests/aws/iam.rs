//! A token signs in, of this function's role only, and each new connection has a new one.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use lambda_bench::aws::{Gate, KeysEndpoint, Service, SignIn};
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::a_long_freeze;

use super::stage::{ALIAS, Gated, HOST, Stage, ask, invoke};

const MINUTE: Duration = Duration::from_secs(60);

/// The number of sandboxes that open connections at once.
const SANDBOXES: usize = 20;

/// Defines each test for both servers.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_postgres {
            use super::*;
            $(#[tokio::test] async fn $test() { super::$test::<Postgres>().await; })*
        }

        mod on_mysql {
            use super::*;
            $(#[tokio::test] async fn $test() { super::$test::<Mysql>().await; })*
        }
    };
}

on_both! {
    each_client_signs_in,
    a_gate_rejects_what_rds_rejects,
    a_function_with_another_name_or_other_keys_is_told_what_to_check,
    a_connection_outlives_its_token,
    a_new_connection_has_a_valid_token,
    a_fleet_signs_a_token_that_is_not_throttled,
    a_rejection_for_a_second_fails_no_invocation,
    a_restored_sandbox_signs_with_new_keys,
    a_token_is_never_sent_in_clear_text,
}

fn is_accepted(sign_in: &SignIn) -> bool {
    sign_in.result.is_ok()
}

async fn each_client_signs_in<S: Gated>() {
    let stage = Stage::<S>::start().await;
    for (nth, path) in S::CLIENTS.iter().enumerate() {
        let sandbox = stage.function().start().await;
        for _ in 0..3 {
            let reply = invoke(&sandbox, path, "rds_iam").await;
            assert_eq!((reply.user.as_str(), reply.opened), ("app", 1), "{path}");
        }
        let sign_ins = stage.gate.sign_ins();
        assert_eq!(sign_ins.len(), nth + 1, "{path}: {sign_ins:?}");
        assert!(sign_ins.iter().all(is_accepted), "{sign_ins:?}");
    }
}

async fn a_gate_rejects_what_rds_rejects<S: Gated>() {
    let stage = Stage::<S>::start().await;
    let sandbox = stage.function().start().await;
    invoke(&sandbox, S::CLIENTS[0], "rds_iam").await;
    let token = stage.gate.sign_ins()[0].token.clone();
    let rejection = async |user: &str, token: &str, reason: &str| {
        let error = S::sign_in(&stage.gate, user, token)
            .await
            .expect_err(reason);
        let is_of_rds = error.contains("PAM authentication failed for user")
            || error.contains("Access denied for user");
        assert!(is_of_rds, "{error}");
        let last = stage.gate.sign_ins().pop().expect("a sign-in");
        let found = last.result.expect_err(reason);
        assert!(found.starts_with(reason), "{found}");
    };
    S::sign_in(&stage.gate, "app", &token)
        .await
        .expect("a token is valid more than once");
    rejection("other", &token, "the user").await;
    rejection("app", &token.replacen(HOST, ALIAS, 1), "the host").await;
    rejection("app", &format!("{token}0"), "the signature").await;
    rejection("app", "s3cret", "it is no token").await;
    stage.place.clock.advance(16 * MINUTE);
    rejection("app", &token, "it has expired").await;
    stage.role.renew();
    let keys = stage.function().start().await;
    stage.place.advance(Duration::ZERO);
    invoke(&keys, S::CLIENTS[0], "rds_iam").await;
    let token = stage.gate.sign_ins().pop().expect("a sign-in").token;
    stage.role.renew();
    rejection("app", &token, "the credential").await;
}

async fn a_function_with_another_name_or_other_keys_is_told_what_to_check<S: Gated>() {
    let stage = Stage::<S>::start().await;
    let by_alias = stage.function_at(&stage.url("app", ALIAS)).start().await;
    let with_other_keys = stage
        .function()
        .env("AWS_SECRET_ACCESS_KEY", "other")
        .start()
        .await;
    for (sandbox, reason) in [(by_alias, "the host"), (with_other_keys, "the signature")] {
        let answer = ask(&sandbox, S::CLIENTS[0], "rds_iam").await;
        assert_eq!(answer.status(), 503, "{answer:?}");
        let last = stage.gate.sign_ins().pop().expect("a sign-in");
        let found = last.result.expect_err(reason);
        assert!(found.starts_with(reason), "{found}");
        let output = sandbox.output();
        assert!(
            output.contains("check that IAM authentication is on"),
            "{output}"
        );
        assert!(!output.contains("X-Amz-Signature"), "{output}");
    }
}

async fn a_connection_outlives_its_token<S: Gated>() {
    let stage = Stage::<S>::start().await;
    for path in S::CLIENTS {
        let sandbox = stage.function().start().await;
        let session = invoke(&sandbox, path, "rds_iam").await.session;
        for _ in 0..20 {
            stage.place.advance(MINUTE);
            let reply = invoke(&sandbox, path, "rds_iam").await;
            assert_eq!((reply.session, reply.opened), (session, 1), "{path}");
        }
    }
    assert_eq!(stage.gate.sign_ins().len(), S::CLIENTS.len());
}

async fn a_new_connection_has_a_valid_token<S: Gated>() {
    let stage = Stage::<S>::start().await;
    for path in S::CLIENTS {
        let sandbox = stage.function().start().await;
        let session = invoke(&sandbox, path, "rds_iam").await.session;
        let before = stage.gate.tokens();
        stage.place.advance(16 * MINUTE);
        stage.server.end_sessions().await;
        a_long_freeze().await;
        assert_ne!(
            invoke(&sandbox, path, "rds_iam").await.session,
            session,
            "{path}"
        );
        assert_eq!(stage.gate.tokens().len(), before.len() + 1, "{path}");
    }
    let sign_ins = stage.gate.sign_ins();
    assert!(sign_ins.iter().all(is_accepted), "{sign_ins:?}");
}

/// Returns the number of the five minutes in which a sandbox signs the same token.
fn period() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a time after 1970").as_secs() / 300
}

/// Another function takes each slot for tokens that the gate has not seen, but a few.
async fn a_fleet_signs_a_token_that_is_not_throttled<S: Gated>() {
    let stage = Stage::<S>::start().await;
    stage.gate.throttle_unseen(1);
    let begun = period();
    let others = async {
        for nth in 0_u64.. {
            let _ = S::sign_in(&stage.gate, "app", &format!("unseen{nth}")).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    };
    let fleet = join_all((0..SANDBOXES).map(async |nth| {
        let sandbox = stage.function().start().await;
        let path = S::CLIENTS[nth % S::CLIENTS.len()];
        invoke(&sandbox, path, "rds_iam").await
    }));
    let replies = tokio::select! {
        replies = fleet => replies,
        () = others => Vec::new(),
    };
    assert_eq!(replies.len(), SANDBOXES);
    let sign_ins = stage.gate.sign_ins().into_iter();
    let tokens = sign_ins.map(|sign_in| sign_in.token);
    let tokens: HashSet<_> = tokens
        .filter(|token| !token.starts_with("unseen"))
        .collect();
    let periods = usize::try_from(period() - begun + 1).expect("a few");
    assert!((1..=periods).contains(&tokens.len()), "{tokens:?}");
}

async fn a_rejection_for_a_second_fails_no_invocation<S: Gated>() {
    let stage = Stage::<S>::start().await;
    for path in S::CLIENTS {
        let sandbox = stage.function().start().await;
        sandbox.frozen().await;
        stage.gate.reject_for(Duration::from_secs(1));
        let reply = invoke(&sandbox, path, "rds_iam").await;
        assert!(reply.retried > 0, "{path}: {reply:?}");
    }
}

/// The function has leased a connection in its initialization, with the keys of that time.
async fn a_restored_sandbox_signs_with_new_keys<S: Gated>() {
    let stage = Stage::<S>::start().await;
    let endpoint = KeysEndpoint::start(&stage.role, &stage.place.clock).await;
    for path in S::CLIENTS {
        let mut builder = stage
            .place
            .function(&stage.url("app", HOST))
            .env("INIT", *path);
        for (name, value) in endpoint.variables() {
            builder = builder.env(name, value);
        }
        let asked = endpoint.questions();
        let sandbox = builder.snap_start().start().await;
        sandbox.frozen().await;
        until("the end of each session", async || ended(&stage.gate).await).await;
        assert_eq!(endpoint.questions(), asked + 1, "{path}: {sandbox:?}");
        stage.role.renew();
        let reply = invoke(&sandbox, path, "rds_iam").await;
        assert_eq!(reply.opened, 2, "{path}");
        assert_eq!(
            invoke(&sandbox, path, "rds_iam").await.session,
            reply.session
        );
        assert_eq!(endpoint.questions(), asked + 2, "{path}");
    }
}

async fn ended(gate: &Gate) -> bool {
    gate.connections() == 0
}

async fn a_token_is_never_sent_in_clear_text<S: Gated>() {
    let stage = Stage::<S>::start().await;
    let mode = match S::CLIENTS[0] {
        "/pg" => "sslmode=disable",
        _ => "ssl-mode=DISABLED",
    };
    let url = format!("{}&{mode}", stage.url("app", HOST));
    for path in S::CLIENTS {
        let sandbox = stage.function_at(&url).start().await;
        let answer = ask(&sandbox, path, "rds_iam").await;
        let error = &answer.error().message;
        assert!(
            error.contains(mode) && error.contains("requires TLS"),
            "{error}"
        );
    }
    assert_eq!(stage.gate.sign_ins(), []);
}

#[tokio::test]
async fn each_client_of_postgres_signs_in_to_dsql() {
    let stage = Stage::<Postgres>::start_for(Service::Dsql).await;
    for path in Postgres::CLIENTS {
        let sandbox = stage.function().start().await;
        let answer = ask(&sandbox, path, "dsql").await;
        assert_eq!(answer.ok().json()["user"], "app", "{path}");
    }
    let sign_ins = stage.gate.sign_ins();
    assert!(sign_ins.iter().all(is_accepted), "{sign_ins:?}");
}
