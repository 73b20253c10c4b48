//! The policy's decisions, with mocked clocks.

use super::*;
use crate::clock::mock;

const AGE: Duration = Duration::from_millis(30);

fn load(connections: u64) -> ServerLoad {
    ServerLoad {
        connections,
        limit: 17,
        newer: 0,
    }
}

fn answered(connections: u64) -> Policy {
    let mut policy = Policy::new(LoadShedding::new());
    policy.answer(load(connections), AGE, (1, 0), || 0.5);
    policy
}

#[test]
fn a_first_connection_asks() {
    let mut policy = Policy::new(LoadShedding::new());
    assert!(policy.concerns(Standing::New));
    assert_eq!(policy.decide(Standing::New, 1, 1.0), Verdict::Ask);
}

#[test]
fn a_new_connection_is_closed_above_the_threshold() {
    let mut policy = Policy::new(LoadShedding::new());
    let mut closes = |connections| policy.answer(load(connections), AGE, (1, 0), || 0.5).new;
    assert_eq!([1, 13, 14, 17].map(&mut closes), [0, 0, 1, 1]);
}

#[test]
fn no_more_connections_are_closed_than_are_above_the_threshold() {
    let mut policy = Policy::new(LoadShedding::new());
    let closes = policy.answer(load(15), AGE, (1, 9), || 0.0);
    assert_eq!(closes, ToClose { new: 1, kept: 1 });
}

#[test]
fn a_kept_connection_is_closed_more_often_on_a_fuller_server() {
    let mut policy = Policy::new(LoadShedding::new());
    let mut closes = |connections, random| {
        policy
            .answer(load(connections), AGE, (0, 1), || random)
            .kept
    };
    assert_eq!(
        [13, 14, 17].map(|connections| closes(connections, 0.2)),
        [0, 1, 1]
    );
    assert_eq!(
        [13, 14, 17].map(|connections| closes(connections, 0.9)),
        [0, 0, 1]
    );
}

#[test]
fn a_connection_that_found_a_full_server_is_closed_unasked() {
    for settings in [LoadShedding::new(), LoadShedding::off()] {
        let mut policy = Policy::new(settings);
        assert!(policy.concerns(Standing::FoundFull));
        assert_eq!(policy.decide(Standing::FoundFull, 1, 0.0), Verdict::Close);
    }
}

#[test]
fn after_a_full_server_most_new_connections_are_closed_unasked() {
    let mut policy = answered(17);
    assert_eq!(policy.decide(Standing::New, 1, 0.9), Verdict::Close);
    assert_eq!(policy.decide(Standing::New, 1, 0.05), Verdict::Ask);
}

#[test]
fn a_lone_sandbox_asks_again_soon_after_a_full_server() {
    let mut policy = Policy::new(LoadShedding::new());
    policy.answer(load(17), Duration::from_millis(5), (1, 0), || 0.5);
    assert_eq!(policy.decide(Standing::New, 1, 0.2), Verdict::Ask);
}

/// A thousand connections are opened in a second.
#[test]
fn the_more_connections_are_opened_the_fewer_ask() {
    let mut policy = Policy::new(LoadShedding::new());
    let busy = ServerLoad {
        newer: 29,
        ..load(17)
    };
    policy.answer(busy, AGE, (1, 0), || 0.5);
    assert_eq!(policy.decide(Standing::New, 1, 0.009), Verdict::Close);
    assert_eq!(policy.decide(Standing::New, 1, 0.007), Verdict::Ask);
}

#[test]
fn a_kept_connection_asks_sooner_on_a_fuller_server() {
    let asks_after = |connections, seconds| {
        let policy = answered(connections);
        mock::advance_wall(Duration::from_secs(seconds));
        policy.concerns(Standing::Kept)
    };
    assert_eq!([1, 2].map(|seconds| asks_after(13, seconds)), [false, true]);
    assert_eq!([4, 5].map(|seconds| asks_after(1, seconds)), [false, true]);
}

/// The growth of the fleet is expected, so that its early sandboxes do not ask in a rush.
#[test]
fn a_kept_connection_asks_later_while_a_fleet_grows() {
    let asks_after = |newer, seconds| {
        let mut policy = Policy::new(LoadShedding::new());
        let load = ServerLoad {
            connections: 800,
            limit: 1_000,
            newer,
        };
        policy.answer(load, Duration::from_secs(1), (1, 0), || 0.5);
        mock::advance_wall(Duration::from_secs(seconds));
        policy.concerns(Standing::Kept)
    };
    assert_eq!(
        [253, 255].map(|seconds| asks_after(0, seconds)),
        [false, true]
    );
    assert_eq!(
        [281, 283].map(|seconds| asks_after(9, seconds)),
        [false, true]
    );
}

#[test]
fn a_sandbox_that_met_a_full_server_lets_others_take_its_slot() {
    let mut policy = Policy::new(LoadShedding::new());
    assert_eq!(policy.first_pause(), Duration::ZERO);
    for answers in [false, true] {
        if answers {
            policy.answer(load(17), AGE, (1, 0), || 0.5);
        } else {
            policy.decide(Standing::FoundFull, 1, 0.0);
        }
        assert_eq!(policy.first_pause(), FIRST_PAUSE);
        mock::advance_wall(Duration::from_secs(1));
        assert_eq!(policy.first_pause(), Duration::ZERO);
    }
    policy.answer(load(16), AGE, (1, 0), || 0.5);
    assert_eq!(policy.first_pause(), Duration::ZERO);
}

#[test]
fn a_sandbox_asks_more_and_more_often_after_a_full_server() {
    let mut policy = Policy::new(LoadShedding::new());
    policy.decide(Standing::FoundFull, 1, 0.0);
    assert_eq!(policy.decide(Standing::New, 1, 0.03), Verdict::Close);
    assert_eq!(policy.decide(Standing::New, 1, 0.05), Verdict::Close);
    assert_eq!(policy.decide(Standing::New, 1, 0.05), Verdict::Ask);
}

#[test]
fn a_pause_ends_by_either_clock() {
    for advance in [mock::advance_wall, mock::advance_monotonic] {
        let policy = answered(1);
        assert!(!policy.concerns(Standing::Kept));
        advance(Duration::from_secs(11));
        assert!(policy.concerns(Standing::Kept));
    }
}

#[test]
fn a_rejected_query_is_not_repeated_for_an_hour() {
    let mut policy = answered(17);
    policy.rejected(Standing::New);
    mock::advance_wall(Duration::from_secs(3_599));
    for standing in [Standing::New, Standing::Kept] {
        assert_eq!(policy.decide(standing, 1, 0.0), Verdict::Keep);
    }
    mock::advance_wall(Duration::from_secs(1));
    assert_eq!(policy.decide(Standing::Kept, 1, 0.0), Verdict::Ask);
}

/// A handler may have limited the session, so that the server cuts the query off.
#[test]
fn after_a_kept_connection_was_rejected_a_new_one_asks_once() {
    let mut policy = answered(1);
    policy.rejected(Standing::Kept);
    assert_eq!(policy.decide(Standing::Kept, 1, 0.0), Verdict::Keep);
    assert_eq!(policy.decide(Standing::New, 1, 0.9), Verdict::Ask);
    policy.rejected(Standing::New);
    assert_eq!(policy.decide(Standing::New, 1, 0.0), Verdict::Keep);
}

/// Of 64 free connections a sandbox takes eight. Others do so at the same time.
#[test]
fn a_part_of_the_room_is_taken_unasked() {
    let mut policy = Policy::new(LoadShedding::new());
    let load = ServerLoad {
        connections: 16,
        limit: 100,
        newer: 1_000,
    };
    policy.answer(load, AGE, (1, 0), || 0.5);
    let mut unasked = |connections| policy.decide(Standing::New, connections, 0.9) == Verdict::Keep;
    assert!(unasked(5) && !unasked(4) && unasked(3) && !unasked(1));
}

#[test]
fn nothing_asks_while_load_shedding_is_off() {
    let mut policy = Policy::new(LoadShedding::off());
    for standing in [Standing::New, Standing::Kept] {
        assert!(!policy.concerns(standing));
        assert_eq!(policy.decide(standing, 1, 0.0), Verdict::Keep);
    }
}

/// Otherwise no connection would ever be kept again.
#[test]
fn a_full_server_that_cannot_be_asked_ends_no_later_connection() {
    let pauses: [fn(&mut Policy); 2] = [|policy| policy.rejected(Standing::New), Policy::silent];
    for pause in pauses {
        let mut policy = Policy::new(LoadShedding::new());
        pause(&mut policy);
        assert_eq!(policy.decide(Standing::FoundFull, 1, 0.0), Verdict::Close);
        assert_eq!(policy.decide(Standing::New, 1, 0.5), Verdict::Keep);
        mock::advance_wall(Duration::from_secs(3_600));
        assert_eq!(policy.decide(Standing::New, 1, 0.5), Verdict::Ask);
    }
    let mut policy = Policy::new(LoadShedding::off());
    policy.decide(Standing::FoundFull, 1, 0.0);
    assert!(!policy.is_full());
}

#[test]
fn a_full_server_that_does_not_answer_is_taken_for_full() {
    let mut policy = answered(17);
    policy.silent();
    assert_eq!(policy.decide(Standing::New, 1, 0.9), Verdict::Close);
    let asks = |_| policy.decide(Standing::New, 1, 0.1) == Verdict::Ask;
    assert!((0..5).any(asks), "it is asked again");
}
