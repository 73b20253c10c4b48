//! A Lambda emulator for a function binary: the Runtime API, the Extensions API, and the freeze
//! between invocations.
//!
//! ```no_run
//! # async fn example() {
//! use lambda_bench::lambda::{Event, Sandbox};
//!
//! let sandbox = Sandbox::builder("target/debug/visits")
//!     .env("DATABASE_URL", "postgres://…")
//!     .start()
//!     .await;
//! let answer = sandbox.invoke(Event::get("/count?page=home")).await;
//! assert_eq!(answer.ok().json()["visits"], 1);
//! sandbox.frozen().await;
//! # }
//! ```
//!
//! The modules use each other in this order: `builder`, `sandbox`, `instance`, `control`,
//! `process`. `control` serves `sandbox` on one side and, through `api`, the function on the other.
//! `schedule` and `ending` are parts of `control`.

mod answer;
mod api;
mod body;
mod builder;
mod control;
mod ending;
mod event;
mod instance;
mod log;
mod process;
mod sandbox;
mod schedule;
mod state;

pub use answer::{Answer, FunctionError, Http, Outcome};
pub use builder::Builder;
pub use event::Event;
pub use sandbox::Sandbox;
