//! The promises of a shared value, with a fake one.

use super::*;
use crate::Credentials;
use crate::clock::turn;
use crate::fake::{Fake, GATES, Gate, SOURCE, World, alive, renewed, set};

async fn leased(shared: &'static Shared<Fake>) -> SharedLease<Fake> {
    shared.lease().await.expect("a value")
}

#[tokio::test(start_paused = true)]
async fn is_one_for_all_and_trusted_while_it_is_used() {
    static ONE: Shared<Fake> = Shared::new(SOURCE);
    static TWO: Shared<Fake> = Shared::new(SOURCE);
    let (one, two) = (leased(&ONE).await, leased(&TWO).await);
    assert_eq!(SharedLease::get(&one).number, SharedLease::get(&two).number);
    turn::wall(Duration::from_secs(60));
    SharedLease::settle(one, Outcome::Success);
    SharedLease::settle(leased(&ONE).await, Outcome::Success);
    SharedLease::settle(two, Outcome::Success);
    assert_eq!((ONE.stats().opened, ONE.stats().checked), (1, 0));
    assert_eq!((TWO.stats().opened, TWO.stats().reused), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn is_checked_when_doubtful_and_replaced_at_once() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    turn::wall(Duration::from_secs(60));
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(
        (DB.stats().opened, DB.stats().checked),
        (1, 2),
        "idle for long, then after a failure"
    );
    for gate in [Gate::Err, Gate::Never] {
        // As a panic and a cancelled handler do.
        drop(leased(&DB).await);
        set(|world| world.check = gate);
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
    set(|world| world.connect = Gate::Never);
    assert!(DB.lease().await.is_err());
    assert!(
        timeout(Duration::from_millis(1), DB.lease()).await.is_err(),
        "cut off"
    );
    set(|world| world.connect = Gate::Ok);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!((DB.stats().opened, DB.stats().refused), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_for_another_to_connect_say_so() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|world| world.connect = Gate::Never);
    let (one, two) = (tokio::spawn(DB.lease()), tokio::spawn(DB.lease()));
    let says = async |lease: tokio::task::JoinHandle<Result<_, Error>>| {
        let lease = lease.await.expect("no panic");
        lease.expect_err("no connection").to_string()
    };
    let (one, two) = (says(one).await, says(two).await);
    assert!(one.contains("no answer in time (2 tries in 5.0s)"), "{one}");
    assert!(
        two.contains("another invocation") && two.ends_with("(0 tries in 5.0s)"),
        "{two}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_to_rest_makes_it_doubtful() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|world| world.unfinished = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    sleep(SOURCE.check_timeout / 2).await;
    set(|world| world.unfinished = false);
    sleep(SOURCE.check_timeout).await;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, 0, "it came to rest in time");

    set(|world| world.unfinished = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    sleep(SOURCE.check_timeout * 2).await;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, 1);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_while_it_comes_to_rest_makes_it_doubtful() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|world| world.unfinished = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    turn::monotonic(Duration::from_secs(60));
    turn::wall(Duration::from_secs(60));
    set(|world| world.unfinished = false);
    sleep(SOURCE.check_timeout).await;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, 1);
}

#[tokio::test(start_paused = true)]
async fn coming_to_rest_does_not_hide_a_failure_since() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    set(|world| world.unfinished = true);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    let failing = leased(&DB).await;
    set(|world| world.unfinished = false);
    SharedLease::settle(failing, Outcome::Failure);
    sleep(SOURCE.check_timeout).await;
    let checked = DB.stats().checked;
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(DB.stats().checked, checked + 1);
}

const SECOND: Duration = Duration::from_secs(1);

fn later(time: Duration) {
    turn::monotonic(time);
    turn::wall(time);
}

async fn app() -> Result<Credentials, Error> {
    Ok(Credentials::new("app", "s3cret"))
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_it_is_renewed_once() {
    static DB: Shared<Fake> = Shared::new(SOURCE);
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    later(SECOND);
    let (one, two) = (leased(&DB).await, leased(&DB).await);
    assert_eq!(renewed(), 1);
    // However many fail.
    SharedLease::settle(one, Outcome::Failure);
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    SharedLease::settle(two, Outcome::Success);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(renewed(), 1);
    later(SECOND);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    later(SECOND * 3600);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!(renewed(), 2, "not for its age, without credentials");
}

#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_when_they_may_be_others() {
    static DB: Shared<Fake> = Shared::new(SOURCE.credentials(&app));
    for (age, times) in [(0, 0), (299, 0), (1, 1), (299, 1), (1, 2)] {
        later(SECOND * age);
        SharedLease::settle(leased(&DB).await, Outcome::Success);
        assert_eq!(renewed(), times);
    }
}

#[tokio::test(start_paused = true)]
async fn one_alone_waits_for_a_renewal_that_hangs_and_not_for_ever() {
    static DB: Shared<Fake> = Shared::new(SOURCE.credentials(&app));
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    for gate in [Gate::Never, Gate::Err] {
        set(|world| world.renew = gate);
        later(SECOND * 5);
        let begun = Instant::now();
        let one = tokio::spawn(DB.lease());
        tokio::task::yield_now().await;
        SharedLease::settle(leased(&DB).await, Outcome::Success);
        assert_eq!(begun.elapsed(), Duration::ZERO, "{gate:?}");
        let one = one.await.expect("no panic").expect("what there is");
        assert!(begun.elapsed() <= SOURCE.attempt_timeout + Duration::from_millis(1));
        SharedLease::settle(one, Outcome::Failure);
    }
    later(SECOND * 4);
    SharedLease::settle(leased(&DB).await, Outcome::Failure);
    assert_eq!(renewed(), 2, "an error is not met again at once");
    later(SECOND);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!((renewed(), DB.stats().opened, alive()), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_cut_off_while_it_is_renewed_loses_nothing() {
    static DB: Shared<Fake> = Shared::new(SOURCE.credentials(&app));
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    set(|world| world.renew = Gate::Never);
    later(SECOND * 300);
    assert!(timeout(SECOND, DB.lease()).await.is_err(), "cut off");
    set(|world| world.renew = Gate::Ok);
    later(SECOND * 5);
    SharedLease::settle(leased(&DB).await, Outcome::Success);
    assert_eq!((renewed(), DB.stats().opened, alive()), (2, 1, 1));
}

/// Two invocations lease at once, and one of them is cut off.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_wherever_a_lease_is_cut_off() {
    let counters: &'static Counters = Box::leak(Box::new(Counters::new()));
    for connect in GATES {
        for (check, renew) in GATES
            .iter()
            .flat_map(|one| GATES.iter().map(move |two| (*one, *two)))
        {
            for before in [None, Some(Outcome::Success), Some(Outcome::Failure)] {
                for cut_after in [0, 10, 30, 510, 530, 6_000].map(Duration::from_millis) {
                    let what = format!("{connect:?} {check:?} {renew:?} {before:?} {cut_after:?}");
                    set(|world| *world = World::SOUND);
                    let single = Single::<Fake>::new(SOURCE.credentials(&app));
                    if let Some(outcome) = before {
                        let lease = single.lease(counters).await.expect("a value");
                        SharedLease::settle(lease, outcome);
                        // To be checked, and renewed.
                        later(SECOND * 301);
                    }
                    set(|world| {
                        (world.connect, world.check, world.renew) = (connect, check, renew);
                    });
                    let mut one = Box::pin(single.lease(counters));
                    let two = timeout(cut_after, single.lease(counters));
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
                    let kept = single.value.try_lock().expect("nobody leases").is_some();
                    assert_eq!(alive(), usize::from(kept), "{what}");
                    if [connect, check] == [Gate::Ok; 2] {
                        assert!(kept, "whatever became of its credentials: {what}");
                    }
                    drop(single);
                    assert_eq!(alive(), 0, "{what}");
                }
            }
        }
    }
}

#[test]
fn ends_with_its_runtime() {
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
