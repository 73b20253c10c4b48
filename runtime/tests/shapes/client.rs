//! A client of the user's own, in every form.

use std::sync::atomic::{AtomicU32, Ordering};

use reuse_db::{Connect, Error, Source, reuse_db};

use super::counts;

/// Counts what is asked of it.
#[derive(Clone)]
struct Client {
    number: u32,
    url: String,
}

static OPENED: AtomicU32 = AtomicU32::new(0);

impl Connect for Client {
    async fn connect(source: &Source) -> Result<Self, Error> {
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            number,
            url: source.url()?,
        })
    }

    async fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

const URL: Source = Source::env("NO_SUCH_VARIABLE").or("client://host");

#[tokio::test]
async fn it_is_lent_borrowed_and_cloned() {
    #[reuse_db(source = URL)]
    async fn lent(client: &mut Client) -> Result<(u32, String), Error> {
        Ok((client.number, std::mem::take(&mut client.url)))
    }
    #[reuse_db(source = URL)]
    async fn borrowed(client: &Client) -> Result<u32, Error> {
        Ok(client.number)
    }
    #[reuse_db(source = URL)]
    async fn cloned(Client { number, url: _ }: Client) -> Result<u32, Error> {
        Ok(number)
    }

    let (number, url) = lent().await.expect("a client");
    assert_eq!(url, "client://host");
    assert_eq!(lent().await.expect("the client"), (number, String::new()));
    assert_eq!(counts(LENT_CLIENT.stats()), (1, 1, 0));

    let number = borrowed().await.expect("another");
    assert_eq!(borrowed().await.expect("the same"), number);
    assert_eq!(cloned().await.expect("the same"), number);
    assert_eq!(counts(BORROWED_CLIENT.stats()), (1, 1, 0));
    assert_eq!(counts(CLONED_DB.stats()), (0, 1, 0));
    assert_eq!(OPENED.load(Ordering::Relaxed), 2);
}
