//! One connection across freezes, and nothing added to the wire.

mod function;

use function::server::Server;
use function::{Function, a_long_freeze};

/// What `/add` sends: two statements.
const STATEMENTS: u64 = 2;

on_each_server_and_runtime! {
    async fn a_hundred_invocations_share_one_connection(server: &impl Server) {
        let function = Function::start(server).await;
        let session = function.add(0).await.session;
        let mut checked = 0;
        for n in 1..100 {
            let (reply, round_trips) = function.add_counting(n).await;
            assert_eq!((reply.session, reply.stat("opened")), (session, 1), "invocation {n}");
            // On a busy machine a freeze may last for longer than `verify_after`: the function
            // knows.
            let checks = reply.stat("checked") - checked;
            checked += checks;
            assert_eq!(round_trips, STATEMENTS + checks, "invocation {n}");
        }
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(function.sandbox.freezes(), 100);
        assert!(checked < 10, "nearly all of them followed within `verify_after`: {checked}");
    }

    async fn a_check_after_a_long_freeze_is_one_round_trip(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(0).await;
        for n in 1..=3 {
            a_long_freeze().await;
            let (reply, round_trips) = function.add_counting(n).await;
            assert_eq!(round_trips, STATEMENTS + 1, "invocation {n}");
            assert_eq!((reply.stat("checked"), reply.stat("opened")), (u64::try_from(n).unwrap_or(0), 1));
        }
    }

    /// Rule 6: the server ends what stays idle, here as the source says by default.
    async fn the_server_is_asked_to_end_idle_sessions(server: &impl Server) {
        let function = Function::start(server).await;
        let limit = function.invoke("/idle-limit").await;
        assert!(["5min", "300"].contains(&limit.text()), "{limit:?}");
        assert_eq!(function.proxy.connections(), 1);
    }

    /// Rule 9.
    async fn it_is_the_same_under_lambda_http(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", "lambda_http")]).await;
        let session = function.add(0).await.session;
        for n in 1..20 {
            assert_eq!(function.add(n).await.session, session);
        }
        assert_eq!(function.proxy.connections(), 1);
    }
}
