//! A sandbox that dies sends no FIN. What it held at the server ends soon.

use reuse_db_tests::function::program;
use reuse_db_tests::stress::{Length, Programs, deaths};

#[tokio::test]
async fn what_a_dead_sandbox_holds_ends_in_time() {
    let programs = Programs::beside(program("field_function"));
    println!("{}", deaths::run(&programs, Length::Short).await);
}
