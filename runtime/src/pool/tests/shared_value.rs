//! The promises of a shared value, with a fake one.

use tokio::time::{sleep, timeout};

use super::*;
use crate::source::Credentials;
use crate::statics::Shared;
use crate::testing::{GATES, renewed};

async fn leased(shared: &'static Shared<Fake>) -> SharedLease<Fake> {
    shared.lease().await.expect("a value")
}

#[tokio::test(start_paused = true)]
async fn all_share_one_value_which_is_not_checked_while_in_use() {
    static ONE: Shared<Fake> = Shared::new(SOURCE);
    static TWO: Shared<Fake> = Shared::new(SOURCE);
    let (one, two) = (leased(&ONE).await, leased(&TWO).await);
    assert_eq!(SharedLease::get(&one).number, SharedLease::get(&two).number);
    mock::advance_wall(Duration::from_secs(60));
    SharedLease::settle(one, Outcome::Success);
    SharedLease::settle(leased(&ONE).await, Outcome::Success);
    SharedLease::settle(two, Outcome::Success);
    assert_eq!((ONE.stats().opened, ONE.stats().checked), (1, 0));
    assert_eq!((TWO.stats().opened, TWO.stats().reused), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_value_in_doubt_is_checked_and_replaced_at_once() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    mock::advance_wall(Duration::from_secs(60));
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(
        (DB.stats().opened, DB.stats().checked),
        (1, 2),
        "after a long idle time, then after a failure"
    );
    for gate in [Gate::Err, Gate::Never] {
        // A panic and a cancelled handler drop the lease.
        drop(leased(&DB).await);
        set(|fake| fake.check = gate);
        let begun = Instant::now();
        SharedLease::settle(leased(&DB).await, Outcome::Success);
        assert!(begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1));
        assert_eq!(alive(), 1);
    }
    assert_eq!((DB.stats().opened, DB.stats().stale), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_connect_is_not_remembered() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|fake| fake.connect = Gate::Never);
    assert!(DB.lease().await.is_err());
    assert!(
        timeout(Duration::from_millis(1), DB.lease()).await.is_err(),
        "dropped"
    );
    set(|fake| fake.connect = Gate::Ok);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!((DB.stats().opened, DB.stats().unavailable), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_waited_for_another_names_that_cause() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|fake| fake.connect = Gate::Never);
    let (one, two) = (tokio::spawn(DB.lease()), tokio::spawn(DB.lease()));
    let error = async |lease: tokio::task::JoinHandle<Result<_, Error>>| {
        let lease = lease.await.expect("no panic");
        lease.expect_err("no connection").to_string()
    };
    let (one, two) = (error(one).await, error(two).await);
    assert!(
        one.contains("no answer in time; in a VPC, check the security groups (2 attempts in 5.0s)"),
        "{one}"
    );
    assert!(
        two.contains("another invocation") && two.ends_with("(0 attempts in 5.0s)"),
        "{two}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_quiet_in_time_is_checked() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|fake| fake.needs_quiesce = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    sleep(SOURCE.check_timeout / 2).await;
    set(|fake| fake.needs_quiesce = false);
    sleep(SOURCE.check_timeout).await;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, 0, "quiet in time");

    set(|fake| fake.needs_quiesce = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    sleep(SOURCE.check_timeout * 2).await;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, 1);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_before_a_value_is_quiet_leads_to_a_check() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|fake| fake.needs_quiesce = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    mock::advance_monotonic(Duration::from_secs(60));
    mock::advance_wall(Duration::from_secs(60));
    set(|fake| fake.needs_quiesce = false);
    sleep(SOURCE.check_timeout).await;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, 1);
}

#[tokio::test(start_paused = true)]
async fn becoming_quiet_does_not_hide_a_later_failure() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|fake| fake.needs_quiesce = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    let failing = leased(&DB).await;
    set(|fake| fake.needs_quiesce = false);
    SharedLease::settle(failing, Outcome::Failure);
    sleep(SOURCE.check_timeout).await;
    let checked = DB.stats().checked;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, checked + 1);
}

const SECOND: Duration = Duration::from_secs(1);

fn later(time: Duration) {
    mock::advance_monotonic(time);
    mock::advance_wall(time);
}

async fn app() -> Result<Credentials, Error> {
    Ok(Credentials::new("app", "s3cret"))
}

#[tokio::test(start_paused = true)]
async fn a_failure_leads_to_one_renewal() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    later(SECOND);
    let (one, two) = (leased(&DB).await, leased(&DB).await);
    assert_eq!(renewed(), 1);
    // Further failures within a second change nothing.
    SharedLease::settle(one, Outcome::Failure);
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    SharedLease::settle(two, Outcome::Success);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(renewed(), 1);
    later(SECOND);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    later(SECOND * 3600);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(renewed(), 2, "without credentials the age does not count");
}

#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_after_five_minutes() {
    static DB: Shared<Fake> = Shared::new(SOURCE.credentials(&app));
    for (age, times) in [(0, 0), (299, 0), (1, 1), (299, 1), (1, 2)] {
        later(SECOND * age);
        SharedLease::settle(leased(&DB).await, Outcome::Success);
        assert_eq!(renewed(), times);
    }
}

#[tokio::test(start_paused = true)]
async fn one_lease_waits_for_a_renewal_within_its_limit() {
    static DB: Shared<Fake> = Shared::new(SOURCE.credentials(&app));
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    for gate in [Gate::Never, Gate::Err] {
        set(|fake| fake.renew = gate);
        later(SECOND * 5);
        let begun = Instant::now();
        let one = tokio::spawn(DB.lease());
        tokio::task::yield_now().await;
        SharedLease::settle(leased(&DB).await, Outcome::Success);
        assert_eq!(begun.elapsed(), Duration::ZERO, "{gate:?}");
        let one = one.await.expect("no panic").expect("the value");
        assert!(begun.elapsed() <= SOURCE.attempt_timeout + Duration::from_millis(1));
        SharedLease::settle(one, Outcome::Failure);
    }
    later(SECOND * 4);
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    assert_eq!(renewed(), 2, "a failed renewal waits for 5 s");
    later(SECOND);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!((renewed(), DB.stats().opened, alive()), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_dropped_during_a_renewal_loses_nothing() {
    static DB: Shared<Fake> = Shared::new(SOURCE.credentials(&app));
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    set(|fake| fake.renew = Gate::Never);
    later(SECOND * 300);
    assert!(timeout(SECOND, DB.lease()).await.is_err(), "cut off");
    set(|fake| fake.renew = Gate::Ok);
    later(SECOND * 5);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!((renewed(), DB.stats().opened, alive()), (2, 1, 1));
}

/// Two invocations lease at once, and one of them is dropped.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_a_lease_is_dropped_at_any_await() {
    let counters: &'static Counters = Box::leak(Box::new(Counters::new()));
    for connect in GATES {
        for (check, renew) in GATES
            .iter()
            .flat_map(|one| GATES.iter().map(move |two| (*one, *two)))
        {
            for before in [None, Some(Outcome::Success), Some(Outcome::Failure)] {
                for cut_after in [0, 10, 30, 510, 530, 6_000].map(Duration::from_millis) {
                    let what = format!("{connect:?} {check:?} {renew:?} {before:?} {cut_after:?}");
                    set(|fake| *fake = FakeBehavior::SOUND);
                    let value = SharedValue::<Fake>::new(SOURCE.credentials(&app));
                    if let Some(outcome) = before {
                        let lease = value.acquire(counters).await.expect("a value");
                        SharedLease::settle(lease, outcome);
                        // A check and a renewal are due.
                        later(SECOND * 301);
                    }
                    set(|fake| {
                        (fake.connect, fake.check, fake.renew) = (connect, check, renew);
                    });
                    let mut one = Box::pin(value.acquire(counters));
                    let two = timeout(cut_after, value.acquire(counters));
                    let (first, two) = tokio::join!(timeout(cut_after, &mut one), two);
                    assert!(alive() <= 1, "{what}");
                    if let Ok(Ok(two)) = two {
                        SharedLease::settle(two, Outcome::Success);
                    }
                    let finished = match first {
                        Ok(result) => result,
                        Err(_) => (&mut one).await,
                    };
                    drop(one);
                    assert!(alive() <= 1, "{what}");
                    if let Ok(lease) = finished {
                        assert_eq!(alive(), 1, "{what}");
                        SharedLease::settle(lease, Outcome::Success);
                    }
                    tokio::time::sleep(SECOND * 60).await;
                    let kept = value.slot.try_lock().expect("nobody leases").is_some();
                    assert_eq!(alive(), usize::from(kept), "{what}");
                    if [connect, check] == [Gate::Ok; 2] {
                        assert!(kept, "also after a failed renewal: {what}");
                    }
                    drop(value);
                    assert_eq!(alive(), 0, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_value_ends_with_its_runtime() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    for opened in 1..=2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime
            .expect("a runtime")
            .block_on(async { SharedLease::settle(leased(&DB).await, Outcome::Success) });
        assert_eq!((alive(), DB.stats().opened), (0, opened));
    }
}
