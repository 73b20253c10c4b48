//! Sockets whose packets the kernel drops: no data, no ACK, no FIN and no RST gets through.

use std::io;
use std::os::fd::AsFd;

use socket2::{SockFilter, SockRef};

/// The instruction of a classic BPF filter that returns a constant.
const RETURN: u16 = 0x06;

/// Drops the packets that `socket` receives. A listener then accepts no connection, either.
///
/// A socket that receives no packet acknowledges none. The peer sees what it sees of a host whose
/// kernel is gone.
pub(super) fn drop_all(socket: &impl AsFd) -> io::Result<()> {
    let no_byte = SockFilter::new(RETURN, 0, 0, 0);
    SockRef::from(socket).attach_filter(&[no_byte])
}

/// Receives packets again after [`drop_all`]. Without it, nothing changes.
pub(super) fn receive(socket: &impl AsFd) -> io::Result<()> {
    match SockRef::from(socket).detach_filter() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
