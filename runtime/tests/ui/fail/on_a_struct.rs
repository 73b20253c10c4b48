use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
struct Handler {
    db: PgConnection,
}

fn main() {
    let _same = |handler: Handler| Handler { db: handler.db };
}
