use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::Instant;

use async_io::Timer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::flow::{Flow, Order};
use super::switchboard::Switchboard;
use super::turns::Side;

/// The number of pieces under way from which on the sender has to wait.
const UNDER_WAY: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// A direction of a connection, from its reader to its writer.
pub(super) struct Pump<'a> {
    pub(super) direction: Direction,
    pub(super) flow: &'a Flow,
    pub(super) switchboard: &'a Switchboard,
    pub(super) from: ReadHalf<'a>,
    pub(super) to: WriteHalf<'a>,
}

/// Received bytes that are passed on after the delay.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
    /// The number of bytes already passed on.
    done: usize,
    then: Then,
}

#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    Stall,
}

impl Pump<'_> {
    /// Passes bytes on until the sender has ended and all its bytes are passed on.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut orders = self.flow.orders();
        let mut under_way: VecDeque<Piece> = VecDeque::new();
        let mut ended = false;
        let mut buffer = vec![0; 64 * 1024];
        let mut tail = Vec::new();
        loop {
            let running = *orders.borrow_and_update() == Order::Run;
            let front = under_way.front();
            let due = front.map(|piece| piece.due);
            let is_due = due.is_some_and(|due| due <= Instant::now());
            let rest = front.map_or(&[][..], |piece| &piece.bytes[piece.done..]);
            let (writes, waits) = (running && is_due, running && due.is_some() && !is_due);
            let reads = running && !ended && under_way.len() < UNDER_WAY;
            tokio::select! {
                // Orders come first. Cancelling a read or write of a socket loses no data.
                biased;
                _ = orders.changed() => {}
                written = self.to.write(rest), if writes => match written {
                    Ok(length) => self.wrote(length, &mut under_way),
                    Err(error) => return self.lost(error, Direction::Down).await,
                },
                // tokio's own timer counts whole milliseconds.
                _ = Timer::at(due.unwrap_or_else(Instant::now)), if waits => {}
                read = self.from.read(&mut buffer), if reads => match read {
                    Ok(0) => ended = true,
                    Ok(length) => under_way.push_back(self.received(&buffer[..length], &mut tail)),
                    Err(error) => return self.lost(error, Direction::Up).await,
                },
            }
            if ended && under_way.is_empty() {
                return self.end().await;
            }
        }
    }

    fn received(&self, bytes: &[u8], tail: &mut Vec<u8>) -> Piece {
        let length = bytes.len() as u64;
        self.switchboard.turn(match self.direction {
            Direction::Up => Side::Client,
            Direction::Down => Side::Server,
        });
        match self.direction {
            Direction::Up => {
                self.flow.client_sent();
                self.switchboard.count(|counts| counts.bytes_up += length);
            }
            // Count before passing on, so that a client with the answer finds it counted.
            Direction::Down => self.switchboard.count(|counts| {
                counts.bytes_down += length;
                counts.round_trips += u64::from(self.flow.server_sent());
            }),
        }
        let (delay, marked) = self.switchboard.settings(|settings| {
            let marked =
                self.direction == Direction::Down && take_marker(&mut settings.marker, bytes, tail);
            (settings.delay, marked)
        });
        let then = if marked { Then::Stall } else { Then::GoOn };
        Piece {
            due: Instant::now() + delay,
            bytes: bytes.to_vec(),
            done: 0,
            then,
        }
    }

    fn wrote(&self, length: usize, under_way: &mut VecDeque<Piece>) {
        let Some(front) = under_way.front_mut() else {
            return;
        };
        front.done += length;
        if front.done < front.bytes.len() {
            return;
        }
        if front.then == Then::Stall {
            self.flow.stall();
        }
        under_way.pop_front();
    }

    /// Passes on the end of the sender.
    async fn end(&mut self) -> io::Result<()> {
        if self.direction == Direction::Up && self.swallows() {
            pending::<()>().await;
        }
        self.to.shutdown().await
    }

    /// Ends the connection after an error, which is the client's if the direction is `of_client`.
    async fn lost(&self, error: io::Error, of_client: Direction) -> io::Result<()> {
        if self.direction == of_client && self.swallows() {
            pending::<()>().await;
        }
        Err(error)
    }

    fn swallows(&self) -> bool {
        self.switchboard.settings(|settings| settings.swallow)
    }
}

/// Removes the marker and returns `true` if it is complete with `bytes`.
///
/// `tail` keeps the last bytes, which may be the beginning of the marker.
fn take_marker(marker: &mut Option<Vec<u8>>, bytes: &[u8], tail: &mut Vec<u8>) -> bool {
    let Some(wanted) = marker else { return false };
    tail.extend_from_slice(bytes);
    let found = tail.windows(wanted.len()).any(|window| window == wanted);
    if found {
        tail.clear();
        *marker = None;
    } else {
        tail.drain(..tail.len().saturating_sub(wanted.len().saturating_sub(1)));
    }
    found
}
