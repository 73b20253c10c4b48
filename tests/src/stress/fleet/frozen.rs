//! Frozen sandboxes hold every connection when new ones come.

use std::time::Duration;

use super::crowd::start;
use super::server::Scarce;
use super::{Programs, Scale, ends_after, name};
use crate::lambda::Event;

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn run<S: Scarce>(
    programs: &Programs,
    scale: Scale,
    path: &'static str,
) -> String {
    let server = S::with(scale.slots).await;
    let (program, url) = (programs.path("fleet"), server.url());
    let mut frozen = Vec::new();
    for _ in 0..scale.slots {
        frozen.push(start(program.clone(), &url, TIMEOUT).await);
    }
    let mut new = Vec::new();
    for _ in 0..scale.new {
        let sandbox = start(program.clone(), &url, TIMEOUT).await;
        sandbox.invoke(Event::get("/nothing")).await.ok();
        new.push(sandbox);
    }
    for sandbox in &frozen {
        sandbox.invoke(Event::get(path)).await.ok();
        sandbox.frozen().await;
    }
    let arrivals: Vec<_> = new
        .into_iter()
        .map(|sandbox| {
            tokio::spawn(async move {
                let answer = sandbox.invoke(Event::get(path)).await;
                (answer.status(), answer.took)
            })
        })
        .collect();
    let (mut answered, mut refused, mut longest) = (0, 0, Duration::ZERO);
    for arrival in arrivals {
        let (status, took) = arrival.await.expect("an answer");
        longest = longest.max(took);
        match status {
            200 => answered += 1,
            503 => refused += 1,
            status => panic!("neither an answer nor a refusal: {status}"),
        }
    }
    if path == "/short" {
        assert_eq!(
            (answered, refused),
            (scale.new, 0),
            "the frozen ones' sessions ended"
        );
        assert!(longest < Duration::from_secs(5), "{longest:?}");
    } else {
        assert_eq!(
            (answered, refused),
            (0, scale.new),
            "the frozen ones hold them"
        );
        assert!(longest < TIMEOUT, "{longest:?}");
    }
    format!(
        "| {} | {} | {} | {} | {answered} | {refused} | {longest:.2?} |\n",
        name::<S>(),
        ends_after(path),
        scale.slots,
        scale.new,
    )
}
