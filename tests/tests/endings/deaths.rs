//! A sandbox that dies sends no FIN. What it held at the server ends soon.

use reuse_db_tests::function::program;
use reuse_db_tests::stress::{Length, Programs, deaths};

fn programs() -> Programs {
    Programs::beside(program("field_function"))
}

#[tokio::test]
async fn what_a_dead_sandbox_holds_ends_in_time_on_postgres() {
    println!("{}", deaths::on_postgres(&programs(), Length::Short).await);
}

#[tokio::test]
async fn what_a_dead_sandbox_holds_ends_in_time_on_mysql() {
    println!("{}", deaths::on_mysql(&programs(), Length::Short).await);
}
