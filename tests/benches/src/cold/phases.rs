use std::time::SystemTime;

use lambda_bench::lambda::Event;
use lambda_bench::proxy::{Proxy, Side};
use reuse_db_tests::start::Times;

use super::place::Place;
use super::{Way, millis};

/// The names of the phases.
pub(crate) const PHASES: [&str; 9] = [
    "first `/next`",
    "event",
    "TCP",
    "TLS",
    "sign-in",
    "set-up",
    "prepare",
    "statement",
    "response",
];

/// The phases of one cold start.
pub(crate) struct Phases {
    /// The duration of each phase in milliseconds.
    pub(crate) times: [f64; PHASES.len()],
    /// The number of round trips between the sign-in and the statement.
    pub(crate) set_up: usize,
}

impl Phases {
    /// Starts a function behind a proxy.
    ///
    /// A phase on the wire ends with the first byte of the server's last answer in that phase, so
    /// the client's work before a message belongs to the phase of that message. Over TLS, the
    /// set-up has `set_up` round trips. The preparation and the statement have one each.
    pub(crate) async fn of(way: &Way, place: &Place, set_up: usize) -> Self {
        let proxy = Proxy::start(place.addr).await;
        proxy.record_turns();
        let begun = SystemTime::now();
        let sandbox = way.start(&(place.url_at)(proxy.port())).await;
        let answer = sandbox.invoke(Event::get("/")).await;
        let times = Times::of(answer.ok().text()).expect("the times of the handler");
        let polled = sandbox.first_poll().expect("the process has its event");
        sandbox.kill().await;

        let turns = proxy.turns();
        let accepted = turns.iter().find(|turn| turn.by == Side::Connecting);
        let accepted = accepted.expect("a connection").at;
        // MariaDB's greeting comes before the client's first turn.
        let sent = turns.iter().position(|turn| turn.by == Side::Client);
        let answers = turns[sent.expect("a message")..].iter();
        let answers = answers.filter(|turn| turn.by == Side::Server);
        let answers: Vec<SystemTime> = answers
            .map(|turn| turn.at)
            .take_while(|at| *at <= times.answered)
            .collect();

        let (handshakes, sign_in) = match (place.is_over_tls, place.is_postgres) {
            // A plain server refuses TLS in a round trip.
            (false, true) => (1, 3),
            (true, true) => (2, 3),
            (false, false) => (0, 1),
            (true, false) => (1, 1),
        };
        let least = handshakes + sign_in + 2;
        assert!(
            answers.len() >= least,
            "{place:?}, {}: fewer than {least} round trips: {turns:?}",
            way.name
        );
        let set_up = if place.is_over_tls {
            // Session tickets may look like an answer of their own.
            set_up.min(answers.len() - least)
        } else {
            answers.len() - least
        };
        // The number of answers at the end of each phase on the wire.
        let all = answers.len();
        let ends = [handshakes, all - 2 - set_up, all - 2, all - 1, all];
        let ends = ends.map(|n| n.checked_sub(1).map_or(accepted, |last| answers[last]));
        let [tls, signed_in, ready, prepared, answered] = ends;
        let moments = [
            begun,
            polled,
            times.began,
            accepted,
            tls,
            signed_in,
            ready,
            prepared,
            answered,
            answer.at,
        ];
        let mut phases = [0.0; PHASES.len()];
        for (phase, ends) in phases.iter_mut().zip(moments.windows(2)) {
            *phase = millis(ends[1].duration_since(ends[0]).unwrap_or_default());
        }
        Self {
            times: phases,
            set_up,
        }
    }
}
