//! Reports about other clients of Redis, on this one.

use std::time::{Duration, Instant};

use lambda_bench::servers::Redis;
use lambda_bench::wait::until;
use redis::Value;

use super::{Function, function, sandbox};
use lambda_bench::lambda::{Event, Sandbox};
use reuse_db_tests::function::LONG;

const ONE: &str = "bulk-string('\"1\"')";

/// (t8y2/dbx 9628, phpredis 1746) A user may lack the right for each command of reuse-db's own.
#[tokio::test]
async fn a_user_without_the_rights_of_a_health_check_keeps_its_connection() {
    for rights in [
        &["-@all", "+@read", "+@write", "+multi"][..],
        &["+@all", "-@dangerous", "-ping"],
        &["+@all", "-discard", "-unwatch"],
    ] {
        let function = Function::start(Redis::builder()).await;
        let user = ["ACL", "SETUSER", "app", "resetkeys", "~*"];
        function.redis.execute(&[&user, rights].concat()).await;
        function.ok("SET a 1").await;
        for _ in 0..2 {
            tokio::time::sleep(LONG).await;
            assert_eq!(function.ok("GET a").await, ONE, "{rights:?}");
        }
        assert_eq!(function.proxy.connections(), 1, "{rights:?}");
        // Nor does a failure cost a connection.
        function.fails("GET a\nfail").await;
        function.fails("LPUSH a 1").await;
        assert_eq!(function.ok("GET a").await, ONE, "{rights:?}");
        assert_eq!(function.proxy.connections(), 1, "{rights:?}");
        // What cannot be ended costs the connection, and nobody gets its answer.
        for left in ["MULTI", "MULTI\nSET a 2"] {
            function.ok(left).await;
            assert_eq!(function.ok("GET a").await, ONE, "{rights:?}");
        }
    }
}

/// (ioredis 1015) The sign-in succeeds while the server loads its data.
#[tokio::test]
async fn a_server_that_loads_its_data_is_waited_for() {
    let loading = Redis::builder()
        .setting("enable-debug-command", "yes")
        .setting("key-load-delay", "200")
        .setting("loading-process-events-interval-bytes", "1024");
    let function = Function::start(loading).await;
    let populate = ["DEBUG", "POPULATE", "5000"];
    function.redis.execute(&populate).await;
    function.ok("SET a 1").await;
    function.redis.execute(&["SAVE"]).await;
    function.redis.stop().await;
    function.redis.start_loading().await;
    let begun = Instant::now();
    assert_eq!(function.ok("GET a").await, ONE);
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(300),
        "it has loaded for {took:?}"
    );
    assert!(
        function.sandbox.output().contains("LOADING"),
        "the log names the cause"
    );
}

/// (StackExchange.Redis 2074, openzeppelin-relayer 813) A replica's answer may be inside a
/// transaction or a script, or be ignored.
#[tokio::test]
async fn a_demoted_server_costs_one_invocation() {
    let scripted = "return redis.call('set','a','2')";
    for write in [
        "SET a 2".to_owned(),
        "MULTI\nSET a 2\nEXEC".to_owned(),
        "ignore SET a 2".to_owned(),
        format!("script {scripted}"),
        format!("atomic-script {scripted}"),
    ] {
        let (function, new) = (
            Function::start(Redis::builder()).await,
            Redis::start().await,
        );
        function.ok("SET a 1").await;
        function
            .redis
            .execute(&["REPLICAOF", "127.0.0.1", "1"])
            .await;
        function.proxy.retarget(new.addr());
        function.run("/", &write).await;
        function.ok(&write).await;
        assert_eq!(
            function.ok("GET a").await,
            "bulk-string('\"2\"')",
            "{write}"
        );
        assert_eq!(function.proxy.connections(), 2, "{write}");
    }
}

/// (go-redis 2251) The server's answer comes before the sign-in, and then it hangs up.
#[tokio::test]
async fn a_full_server_is_named() {
    let redis = Redis::builder().setting("maxclients", "5").start().await;
    let url = redis.url_at(redis.addr().port());
    let full = sandbox(&redis, &url).await;
    let client = redis::Client::open(url).expect("a URL");
    let mut others = Vec::new();
    while let Ok(other) = client.get_multiplexed_async_connection().await {
        others.push(other);
    }
    let answer = full.invoke(Event::post("/", "PING")).await;
    assert_eq!(
        (answer.status(), answer.header("retry-after")),
        (503, Some("1"))
    );
    let output = full.output();
    assert!(output.contains("max number of clients"), "{output}");
    assert!(output.contains("no connection left"), "{output}");
}

/// (go-redis 697) The server takes an element for a client that has given up.
#[tokio::test]
async fn an_abandoned_pop_takes_no_element() {
    let function = Function::start(Redis::builder()).await;
    for pop in [
        "BLPOP q 30",
        "BLMOVE q p LEFT RIGHT 30",
        "XREAD BLOCK 30000 STREAMS s $",
    ] {
        let begun = Instant::now();
        function.ok(&format!("abandon {pop}")).await;
        assert!(begun.elapsed() < Duration::from_millis(400), "{pop}");
        function.redis.execute(&["RPUSH", "q", "x"]).await;
        let length = function.redis.execute(&["LLEN", "q"]).await;
        assert_eq!(length, Value::Int(1), "{pop}");
        function.redis.execute(&["DEL", "q"]).await;
    }
}

/// (crystal-redis 106, redis 11784) A mode of the session would make an answer of what is none.
#[tokio::test]
async fn a_changed_mode_ends_the_session_even_after_a_success() {
    for mode in [
        "SUBSCRIBE c",
        "MONITOR",
        "RESET",
        "QUIT",
        "CLIENT REPLY OFF",
        "HELLO 3",
    ] {
        let function = Function::start(Redis::builder()).await;
        function.ok("SET a 1").await;
        // The answer may be none, or one that redis-rs does not know.
        function.run("/", &format!("ignore {mode}")).await;
        function.redis.execute(&["PUBLISH", "c", "a message"]).await;
        assert_eq!(function.ok("GET a").await, ONE, "{mode}");
        assert_eq!(function.proxy.connections(), 2, "{mode}");
    }
}

/// (node-redis 1028) Without a password, the sign-in succeeds and each command fails.
#[tokio::test]
async fn a_missing_password_is_named_at_the_sign_in() {
    let redis = Redis::builder().start().await;
    let port = redis.addr().port();
    for (url, hint) in [
        (format!("redis://127.0.0.1:{port}"), ""),
        (
            format!("redis://s3cret@127.0.0.1:{port}"),
            "redis://:password@host",
        ),
    ] {
        let sandbox = sandbox(&redis, &url).await;
        let begun = Instant::now();
        let answer = sandbox.invoke(Event::post("/", "PING")).await;
        let message = &answer.error().message;
        assert!(
            message.contains("NOAUTH") && message.contains(hint),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
        assert!(begun.elapsed() < Duration::from_secs(4), "it is permanent");
    }
}

/// (redis-rs 984) An answer that redis-rs cannot read ends its task, and not the socket.
#[tokio::test]
async fn an_answer_that_cannot_be_read_costs_one_connection() {
    let function = Function::start(Redis::builder()).await;
    function.ok("SET a 1").await;
    function.run("/", "unreadable").await;
    assert_eq!(function.ok("GET a").await, ONE);
    assert_eq!(function.proxy.connections(), 2);
}

/// (redis-rs 698) An answer that names a mistake of the handler says nothing of the connection.
#[tokio::test]
async fn a_wrong_type_costs_no_connection() {
    let function = Function::start(Redis::builder()).await;
    function.ok("SET a 1").await;
    for _ in 0..5 {
        function.fails("LPUSH a 1").await;
        function.fails("XGROUP CREATE a g $").await;
        function.fails("number nothing").await;
        assert_eq!(function.ok("GET a").await, ONE);
    }
    assert_eq!(function.proxy.connections(), 1);
}

/// (redis-py 2624, 2665) Each later command would get the answer of the one before.
#[tokio::test]
async fn an_answer_on_its_way_reaches_nobody() {
    let function = Function::start(Redis::builder()).await;
    function.ok("SET own 1").await;
    function.ok("SET other 2").await;
    function.proxy.delay(Duration::from_millis(40));
    for freeze in [0, 30, 60, 200] {
        for commands in ["abandon GET other", "abandon GET other\nfail"] {
            function.run("/", commands).await;
            tokio::time::sleep(Duration::from_millis(freeze)).await;
            for _ in 0..3 {
                assert_eq!(function.ok("GET own").await, ONE, "{freeze} ms, {commands}");
            }
        }
    }
    assert_eq!(function.proxy.connections(), 1, "each answer is waited for");
}

/// (redis-rs 2269) A handler that needs more than 500 ms says so, for itself alone.
#[tokio::test]
async fn a_time_out_that_a_handler_sets_is_its_own() {
    let debug = Redis::builder().setting("enable-debug-command", "yes");
    let function = Function::start(debug).await;
    function.ok("time-out 1500\nDEBUG SLEEP 0.7").await;
    function.fails("DEBUG SLEEP 0.7").await;
    function.fails("time-out 1\nDEBUG SLEEP 0.2").await;
    function.ok("DEBUG SLEEP 0.2").await;
}

/// (elasticache-iam-auth-demo-app 19) The password changes, and the sessions end.
#[tokio::test]
async fn a_rotated_password_fails_nobody() {
    let function = Function::start(Redis::builder()).await;
    let rotated = |path: &str| format!("/credentials?{path}");
    function
        .run(&rotated("password=s3cret"), "SET a 1")
        .await
        .ok();
    for (n, password) in ["second", "third"].into_iter().enumerate() {
        let change = [
            "ACL",
            "SETUSER",
            "app",
            "resetpass",
            &format!(">{password}"),
        ];
        function.redis.execute(&change).await;
        function.redis.end_sessions().await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        // The function of the credentials returns the old one once.
        let answer = function
            .run(&rotated(&format!("password={password}")), "GET a")
            .await;
        assert_eq!(answer.ok().text(), ONE, "{n}");
    }
}

/// (Socket.io and others) A Unix socket has an end, too.
#[tokio::test]
async fn an_ended_session_on_a_unix_socket_fails_nobody() {
    let redis = Redis::builder().unix_socket().start().await;
    let sandbox = sandbox(&redis, &redis.unix_url()).await;
    for n in 0..3 {
        let answer = sandbox.invoke(Event::post("/", "INCR n")).await;
        sandbox.frozen().await;
        assert_eq!(answer.ok().text(), format!("int({})", n + 1));
        until("the end of the session", async || {
            redis.end_sessions().await == 0
        })
        .await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// The answer of a server may repeat the command that it does not know.
#[tokio::test]
async fn a_password_that_the_server_repeats_is_not_shown() {
    let renamed = Redis::builder().setting("rename-command HELLO", "OTHER");
    let redis = renamed.start().await;
    let url = format!("{}?protocol=resp3", redis.url_at(redis.addr().port()));
    let sandbox = sandbox(&redis, &url).await;
    let answer = sandbox.invoke(Event::post("/", "PING")).await;
    let message = &answer.error().message;
    assert!(message.contains("unknown command 'HELLO'"), "{message}");
    assert!(!format!("{answer:?}").contains("s3cret"), "{answer:?}");
    assert!(!sandbox.output().contains("s3cret"));
}

/// The socket stays open and quiet after redis-rs has given up.
#[tokio::test]
async fn a_task_of_a_handler_fails_no_later_one() {
    let redis = Redis::builder().start().await;
    let sandbox = Sandbox::builder(function())
        .env("DATABASE_URL", redis.url_at(redis.addr().port()))
        // Without a freeze.
        .concurrency(2)
        .start()
        .await;
    // The second is a transaction that a task begins on the idle connection.
    for later in ["later 50", "later-multi 50", "later 50"] {
        let set = format!("SET a 1\n{later}");
        sandbox.invoke(Event::post("/", set)).await.ok();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let get = sandbox.invoke(Event::post("/", "GET a")).await;
        assert_eq!(get.ok().text(), ONE, "{later}");
    }
}

/// (redis 6.2, EXEC) An EXEC that is refused ends no WATCH.
#[tokio::test]
async fn a_watch_after_a_refused_exec_does_not_cross_invocations() {
    let function = Function::start(Redis::builder()).await;
    for left in ["WATCH a\nignore EXEC", "WATCH a\nignore EXEC\nfail"] {
        function.run("/", left).await;
        function.redis.execute(&["INCR", "a"]).await;
        let answers = function.ok("MULTI\nSET b 1\nEXEC").await;
        assert!(!answers.ends_with("nil"), "{left}: {answers}");
    }
}

/// `RedisError` keeps the 503.
#[tokio::test]
async fn a_handler_may_return_the_error_of_redis_rs() {
    let function = Function::start(Redis::builder()).await;
    function.run("/typed", "").await.ok();
    function.redis.stop().await;
    let answer = function.run("/typed", "").await;
    assert_eq!(answer.status(), 503, "{answer:?}");
}
