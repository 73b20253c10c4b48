use reuse_db::{Connect, Error, Source, reuse_db};

struct Client;

impl Connect for Client {
    async fn connect(_: &Source) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

#[reuse_db]
async fn handler(_id: u32, _db: Client) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
