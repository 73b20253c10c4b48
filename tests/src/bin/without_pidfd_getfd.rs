//! A command in a process that may not call `pidfd_getfd`, as in a sandbox that forbids the call.
//!
//! `cargo run -p reuse-db-tests --bin without_pidfd_getfd -- tests/run` runs all tests in this way.
//! The call fails with EPERM in the command and in every process that the command starts, function
//! processes included. All other calls work. `setuid` programs such as `sudo` get no rights.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a tool fails with a message"
)]

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc::{EPERM, SYS_pidfd_getfd};
use reuse_db_tests::descriptors::{WITHOUT_THE_CALL, duplicate_stdin};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments
        .next()
        .expect("usage: without_pidfd_getfd COMMAND [ARGUMENT…]");
    apply_filter(&filter()).expect("the kernel accepts the filter");
    assert_eq!(
        duplicate_stdin().expect_err("the call is forbidden").kind(),
        io::ErrorKind::PermissionDenied,
        "the call fails in another way"
    );
    let error = Command::new(&command)
        .args(arguments)
        .env(WITHOUT_THE_CALL, "1")
        .exec();
    panic!("{}: {error}", command.display());
}

/// Returns a filter that forbids the call and allows all others.
fn filter() -> BpfProgram {
    let forbidden = BTreeMap::from([(SYS_pidfd_getfd, Vec::new())]);
    let error = SeccompAction::Errno(EPERM.cast_unsigned());
    let arch = ARCH.try_into().expect("an architecture of the crate");
    let filter = SeccompFilter::new(forbidden, SeccompAction::Allow, error, arch);
    filter
        .expect("one rule")
        .try_into()
        .expect("a filter of a few instructions")
}
