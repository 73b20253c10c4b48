//! A stream of rows as the body of a response.

use async_stream::try_stream;
use bytes::Bytes;
use csv::Writer;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use lambda_http::Error;
use lambda_http::http::HeaderValue;
use tokio_stream::{Stream, StreamExt as _};

pub(crate) type CsvBody = UnsyncBoxBody<Bytes, Error>;

pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

/// The size of a piece in bytes. A piece for each row would cost more than the row.
const PIECE: usize = 16 * 1024;

pub(crate) fn nothing() -> CsvBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn csv_body<const N: usize>(
    header: [&'static str; N],
    rows: impl Stream<Item = Result<[String; N], Error>> + Send + 'static,
) -> CsvBody {
    let pieces = try_stream! {
        let mut piece = Writer::from_writer(Vec::with_capacity(PIECE));
        piece.write_record(header)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await? {
            piece.write_record(row)?;
            piece.flush()?;
            if piece.get_ref().len() >= PIECE {
                let next = Writer::from_writer(Vec::with_capacity(PIECE));
                yield frame(std::mem::replace(&mut piece, next))?;
            }
        }
        yield frame(piece)?;
    };
    StreamBody::new(pieces).boxed_unsync()
}

fn frame(piece: Writer<Vec<u8>>) -> Result<Frame<Bytes>, Error> {
    let bytes = piece
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(Frame::data(bytes.into()))
}
