use reuse_db::{Source, reuse_db};

#[reuse_db]
const READER: Source = Source::env("READER_URL");

fn main() {
    println!("{READER:?}");
}
