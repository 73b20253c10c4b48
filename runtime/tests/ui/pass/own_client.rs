#![deny(warnings)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reuse_db::{Connect, Error, Source, reuse_db};

/// A client that nobody else knows.
#[derive(Clone)]
struct Client<T> {
    calls: Arc<AtomicU32>,
    tag: T,
}

impl<T> Client<T> {
    fn call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl<T: Default + Send + 'static> Connect for Client<T> {
    async fn connect(source: &Source) -> Result<Self, Error> {
        assert_eq!(source.url()?, "client://here");
        Ok(Self { calls: Arc::default(), tag: T::default() })
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

const HERE: Source = Source::env("NO_SUCH_VARIABLE").or("client://here");

#[reuse_db(source = HERE)]
async fn exclusive(client: &mut Client<u8>) -> Result<u32, Error> {
    client.tag += 1;
    Ok(client.call())
}

#[reuse_db(source = HERE)]
async fn borrowed(client: &Client<u16>) -> Result<u32, Error> {
    Ok(client.call())
}

#[reuse_db(source = HERE)]
async fn owned(client: Client<u32>) -> Result<u32, Error> {
    Ok(client.call())
}

#[reuse_db(source = HERE)]
async fn all(
    #[db] one: &mut Client<u8>,
    #[db] two: &Client<u16>,
    #[db] three: Client<u32>,
) -> Result<u32, Error> {
    Ok(u32::from(one.tag) + one.call() + two.call() + three.call())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    for calls in 1..3 {
        assert_eq!(exclusive().await?, calls);
        assert_eq!(borrowed().await?, calls);
        assert_eq!(owned().await?, calls);
    }
    // Each client is the one that the handler of its own has.
    assert_eq!(all().await?, 2 + 3 + 3 + 3);
    Ok(())
}
