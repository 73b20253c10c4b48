//! Descriptors after many connections that were opened and closed.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::LIMIT;
use tokio::time::{Instant, sleep};

use super::{Found, TIME_OUT, aging};
use crate::descriptors::count;
use crate::function::Function;
use crate::function::server::Server;
use crate::stress::Programs;

/// The forms of a handler, each with a pool of its own.
const FORMS: [&str; 4] = ["/conn", "/tx", "/lease-once", "/pool"];

/// The number of connections after which the descriptors are counted for the first time.
const WARM: u64 = 20;

/// Opens and closes `connections` connections in one process, and compares its descriptors.
///
/// Each invocation opens a connection, which is closed after the response because of its age.
pub async fn rounds(server: &impl Server, programs: &Programs, connections: u64) -> Found {
    let mut found = Found::default();
    let program = programs.path("field_function");
    let env = [("SOURCE", "short_lived")];
    let function = Function::start_sandbox(program, server, &env, |sandbox| {
        sandbox.timeout(TIME_OUT).freezing(false)
    })
    .await;
    open(server, &function, WARM, &mut found).await;
    let before = at_rest(&function, usize::MAX).await;
    open(server, &function, WARM + connections, &mut found).await;
    let after = at_rest(&function, before).await;
    if after != before {
        found.broken.push(format!(
            "{before} descriptors after {WARM} connections, {after} after {}",
            function.proxy.connections()
        ));
    }
    found
}

/// Invokes all forms in turn until `connections` connections were opened.
async fn open(server: &impl Server, function: &Function, connections: u64, found: &mut Found) {
    let mut n = 0;
    while function.proxy.connections() < connections && n < 2 * connections {
        for form in FORMS {
            let value = format!("own {n}");
            let event = Event::post(form, aging(server, &value));
            let answer = function.sandbox.invoke(event).await;
            let what = format!("invocation {n}, {form}");
            found.record(&answer, Some(&value), &what);
            n += 1;
        }
    }
    let opened = function.proxy.connections();
    if opened < connections {
        found.broken.push(format!(
            "only {opened} of {connections} connections were opened by {n} invocations"
        ));
    }
}

/// Returns the number of descriptors once it is `expected`, or has not changed for a while.
async fn at_rest(function: &Function, expected: usize) -> usize {
    let pid = function.sandbox.pid();
    let begun = Instant::now();
    let (mut now, mut since) = (count(pid), begun);
    while now != expected && since.elapsed() < Duration::from_secs(2) && begun.elapsed() < LIMIT {
        sleep(Duration::from_millis(50)).await;
        let last = std::mem::replace(&mut now, count(pid));
        if now != last {
            since = Instant::now();
        }
    }
    now
}
