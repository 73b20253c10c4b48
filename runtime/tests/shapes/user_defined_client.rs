//! A user-defined client in each form, and a user-defined value on its connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reuse_db::{Connect, Error, Finish, FromConnection, Outcome, Source, reuse_db};

use crate::{counts, one_connection};

/// Counts the requests.
#[derive(Clone, Default)]
struct Client {
    sent: Arc<AtomicU32>,
}

impl Client {
    fn send(&self) -> u32 {
        self.sent.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Connect for Client {
    async fn connect(_: &Source) -> Result<Self, Error> {
        Ok(Self::default())
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

/// A batch of requests, which is sent at the end if the handler succeeded.
struct Batch<'c> {
    client: &'c Client,
    requests: u32,
}

impl FromConnection for Batch<'_> {
    type Connection = Client;
    type Open<'c> = Batch<'c>;

    async fn open<'c>(client: &'c mut Client, _: &Source) -> Result<Batch<'c>, Error> {
        Ok(Batch {
            client,
            requests: 0,
        })
    }
}

impl Finish for Batch<'_> {
    async fn finish(self, outcome: Outcome) -> Result<(), Error> {
        if outcome == Outcome::Success {
            self.client.sent.fetch_add(self.requests, Ordering::Relaxed);
        }
        Ok(())
    }
}

const CLIENT: Source = Source::env("NO_SUCH_VARIABLE").or("client://host");

#[reuse_db(source = CLIENT)]
async fn exclusive(client: &mut Client) -> Result<u32, Error> {
    Ok(client.send())
}

#[reuse_db(source = CLIENT)]
async fn borrowed(client: &Client) -> Result<u32, Error> {
    Ok(client.send())
}

#[reuse_db(source = CLIENT)]
async fn by_value(client: Client) -> Result<u32, Error> {
    let task = tokio::spawn(async move { client.send() });
    task.await.map_err(Error::broken)
}

#[tokio::test]
async fn a_client_is_exclusive_borrowed_or_cloned() {
    for n in 1..=3 {
        assert_eq!(exclusive().await.expect("a number"), n);
        // Both handlers share one value.
        assert_eq!(borrowed().await.expect("a number"), n * 2 - 1);
        assert_eq!(by_value().await.expect("a number"), n * 2);
    }
    assert_eq!(counts(EXCLUSIVE_CLIENT.stats()), one_connection(3));
    assert_eq!(counts(BORROWED_CLIENT.stats()), one_connection(3));
    assert_eq!(
        (
            BY_VALUE_CLIENT.stats().opened,
            BY_VALUE_CLIENT.stats().reused
        ),
        (0, 3)
    );
}

#[reuse_db(source = CLIENT)]
async fn batched(requests: u32, batch: &mut Batch<'_>) -> Result<u32, Error> {
    batch.requests = requests;
    if requests > 10 {
        return Err(Error::broken("too many requests"));
    }
    Ok(batch.client.send())
}

#[tokio::test]
async fn a_batch_is_finished_with_the_outcome_of_its_handler() {
    assert_eq!(batched(3).await.expect("a number"), 1);
    assert_eq!(
        batched(0).await.expect("a number"),
        5,
        "three at the end of the first"
    );
    batched(11).await.expect_err("too many");
    assert_eq!(
        batched(0).await.expect("a number"),
        6,
        "none at the end of a failure"
    );
    assert_eq!(counts(BATCHED_BATCH.stats()), one_connection(4));
}

/// A client whose name suggests a mistake, which a name never is.
#[derive(Clone, Default)]
struct State<T>(T);

#[derive(Clone, Default)]
struct TenantPool(u32);

impl<T: Default + Send + 'static> Connect for State<T> {
    async fn connect(_: &Source) -> Result<Self, Error> {
        Ok(Self(T::default()))
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

#[reuse_db(source = CLIENT)]
async fn in_each_form(
    #[db] exclusive: &mut State<TenantPool>,
    #[db] borrowed: &State<TenantPool>,
    #[db] owned: State<TenantPool>,
) -> Result<u32, Error> {
    exclusive.0.0 += 1;
    Ok(exclusive.0.0 + borrowed.0.0 + owned.0.0)
}

#[tokio::test]
async fn a_client_works_under_any_name() {
    for calls in 1..=2 {
        assert_eq!(in_each_form().await.expect("a number"), calls);
    }
    assert_eq!(counts(IN_EACH_FORM_EXCLUSIVE.stats()), one_connection(2));
}
