//! A server with a limited number of connections.

use crate::source::ServerLoad;

/// The number of connections that are counted together.
const BLOCK: usize = 256;

pub(super) struct Server {
    limit: usize,
    connections: usize,
    /// The connections in the order of their opening: `true` while one is open.
    is_open: Vec<bool>,
    /// The number of open connections in each block of `is_open`.
    in_block: Vec<usize>,
}

impl Server {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            connections: 0,
            is_open: Vec::new(),
            in_block: Vec::new(),
        }
    }

    /// Opens a connection, unless the server is full.
    pub(super) fn connect(&mut self) -> Option<usize> {
        if self.connections >= self.limit {
            return None;
        }
        let id = self.is_open.len();
        if id.is_multiple_of(BLOCK) {
            self.in_block.push(0);
        }
        self.is_open.push(true);
        self.in_block[id / BLOCK] += 1;
        self.connections += 1;
        Some(id)
    }

    pub(super) fn close(&mut self, id: usize) {
        assert!(std::mem::take(&mut self.is_open[id]), "closed twice");
        self.in_block[id / BLOCK] -= 1;
        self.connections -= 1;
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Answers a load query of a connection, as PostgreSQL does: it shows no closed connection.
    pub(super) fn load(&self, id: usize) -> ServerLoad {
        let block = id / BLOCK;
        let end_of_block = self.is_open.len().min((block + 1) * BLOCK);
        let in_own_block = self.is_open[id + 1..end_of_block].iter();
        let in_own_block = in_own_block.filter(|&&is_open| is_open).count();
        let newer = in_own_block + self.in_block[block + 1..].iter().sum::<usize>();
        ServerLoad {
            connections: self.connections as u64,
            limit: self.limit as u64,
            newer: newer as u64,
        }
    }
}
