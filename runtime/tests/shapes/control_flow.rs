//! The ways out of a body, each of which releases the connection.

use std::ops::ControlFlow;

use reuse_db::reuse_db;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{MEMORY, counts, one_connection};

#[reuse_db(source = MEMORY)]
async fn end(how: &str, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    if how == "if" {
        return Ok(1);
    }
    let Some(how) = how.strip_prefix("in ") else {
        return Err(sqlx::Error::RowNotFound);
    };
    match how {
        "match" => return Ok(2),
        "loop" => loop {
            let n: i64 = sqlx::query_scalar("select 3").fetch_one(&mut *db).await?;
            if n == 3 {
                return Ok(n);
            }
        },
        "labelled" => {
            return 'out: {
                for n in 0.. {
                    if n == 4 {
                        break 'out Ok(n);
                    }
                }
                Err(sqlx::Error::RowNotFound)
            };
        }
        "closure" => {
            let flow: ControlFlow<i64> = (0..).try_for_each(|n| {
                if n == 5 {
                    return ControlFlow::Break(n);
                }
                ControlFlow::Continue(())
            });
            return flow.break_value().ok_or(sqlx::Error::RowNotFound);
        }
        "question mark" => {
            sqlx::query("select * from no_such_table")
                .execute(&mut *db)
                .await?;
        }
        _ => {}
    }
    let block = async {
        sqlx::query("select 1").execute(db).await?;
        Ok(6)
    };
    block.await
}

#[tokio::test]
async fn every_way_out_of_a_body_releases_the_connection() {
    let ways = [
        ("if", Some(1)),
        ("nowhere", None),
        ("in match", Some(2)),
        ("in loop", Some(3)),
        ("in labelled", Some(4)),
        ("in question mark", None),
        ("in closure", Some(5)),
        ("in the end", Some(6)),
    ];
    for (how, expected) in ways {
        assert_eq!(end(how).await.ok(), expected, "{how}");
    }
    assert_eq!(counts(END_DB.stats()), one_connection(8));
}

#[reuse_db(source = MEMORY)]
async fn write(return_at: usize, tx: &mut Transaction<'_, Sqlite>) -> anyhow::Result<usize> {
    for n in 0..10 {
        if n == return_at {
            return Ok(n);
        }
        anyhow::ensure!(n < 5, "too many");
        sqlx::query("insert into notes values ('note')")
            .execute(&mut **tx)
            .await?;
    }
    Ok(10)
}

#[reuse_db(source = MEMORY)]
async fn written(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn an_early_return_commits_and_an_early_error_rolls_back() {
    assert_eq!(write(3).await.expect("a number"), 3);
    assert_eq!(written().await.expect("a number"), 3, "committed");
    write(9).await.expect_err("too many");
    assert_eq!(written().await.expect("a number"), 3, "rolled back");
    assert_eq!(counts(WRITE_TX.stats()), one_connection(2));
}
