//! Tests with real sockets.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;

const OPTIONS: Options = Options {
    keepalive: Duration::from_secs(5),
    user_timeout: Duration::from_secs(10),
};

async fn listen() -> (TcpListener, SocketAddr) {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = server.local_addr().expect("an address");
    (server, at)
}

/// The most attempts to find a socket. Other tests of this process open descriptors, too, so it may
/// take several. None helps in a system that forbids `pidfd_getfd`.
const MOST_ATTEMPTS: usize = 200;

/// Connects, and accepts the connection.
async fn connected(server: &TcpListener) -> (TcpStream, TcpStream, Socket) {
    let at = server.local_addr().expect("an address");
    for _ in 0..MOST_ATTEMPTS {
        let (client, found) = connect_after(Duration::ZERO, at).await;
        let (peer, _) = server.accept().await.expect("a client");
        if let Some(socket) = found.socket {
            return (client, peer, socket);
        }
    }
    panic!("the socket was not found")
}

/// Connects as a driver does: after a lookup, and with work after that.
async fn connect_after(pause: Duration, at: SocketAddr) -> (TcpStream, Found) {
    let connect = async {
        sleep(pause).await;
        let stream = TcpStream::connect(at).await?;
        sleep(pause).await;
        io::Result::Ok(stream)
    };
    let (stream, found) = connecting(Some(at.port()), OPTIONS, connect).await;
    (stream.expect("a connection"), found)
}

fn inode(stream: &TcpStream) -> u64 {
    rustix::fs::fstat(stream).expect("a status").st_ino
}

async fn state_of(socket: &Socket, expected: State) {
    for _ in 0..100 {
        if socket.state() == expected {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(socket.state(), expected);
}

#[tokio::test]
async fn the_socket_of_a_connection_is_found_and_shows_its_state() {
    let (server, _) = listen().await;
    let (mut client, mut peer, socket) = connected(&server).await;
    assert_eq!(socket.id.inode, inode(&client));
    assert!(client.nodelay().expect("an option"));
    assert!(socket.is_quiet());
    peer.write_all(b"answer").await.expect("sent");
    state_of(&socket, State::Unread).await;
    let mut answer = [0; 6];
    client.read_exact(&mut answer).await.expect("an answer");
    assert!(socket.is_quiet());
    drop(peer);
    state_of(&socket, State::HungUp).await;
}

#[tokio::test]
async fn a_reset_is_a_hang_up() {
    let (server, _) = listen().await;
    let (_client, peer, socket) = connected(&server).await;
    let at_once = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&peer, at_once).expect("an option");
    drop(peer);
    state_of(&socket, State::HungUp).await;
}

#[tokio::test]
async fn a_shut_down_ends_a_read() {
    let (server, _) = listen().await;
    let (mut client, _peer, socket) = connected(&server).await;
    let read = tokio::spawn(async move { client.read(&mut [0]).await });
    sleep(Duration::from_millis(10)).await;
    socket.shut_down();
    assert_eq!(read.await.expect("no panic").expect("the end"), 0);
}

#[tokio::test]
async fn a_dropped_duplicate_keeps_no_connection_open() {
    let (server, _) = listen().await;
    let (client, mut peer, socket) = connected(&server).await;
    drop((client, socket));
    assert_eq!(peer.read(&mut [0]).await.expect("the end"), 0);
}

#[tokio::test]
async fn the_options_are_set_before_the_connection_is_in_use() {
    let (_server, at) = listen().await;
    let connect = || async {
        let stream = TcpStream::connect(at).await?;
        // A driver sends its first message, and waits.
        tokio::task::yield_now().await;
        let is_set = stream.nodelay()?;
        io::Result::Ok((stream, is_set))
    };
    let mut found = None;
    for _ in 0..MOST_ATTEMPTS {
        let (result, _found) = connecting(Some(at.port()), OPTIONS, connect()).await;
        let (stream, is_set) = result.expect("a connection");
        if is_set {
            found = Some(stream);
            break;
        }
    }
    let stream = found.expect("a socket that was found");
    let keepalive = rustix::net::sockopt::tcp_keepidle(&stream).expect("an option");
    assert_eq!(keepalive, OPTIONS.keepalive);
    let timeout = rustix::net::sockopt::tcp_user_timeout(&stream).expect("an option");
    assert_eq!(timeout, 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_connections_get_their_own_sockets_or_none() {
    let (server, at) = listen().await;
    tokio::spawn(async move {
        let mut peers = Vec::new();
        while let Ok((peer, _)) = server.accept().await {
            peers.push(peer);
        }
    });
    let mut found = 0;
    for round in 0..50_u64 {
        let connect = |nth: u64| {
            tokio::spawn(async move {
                let pause = Duration::from_micros((round * 37 + nth * 211) % 900);
                // Connections of others appear meanwhile.
                let other = (nth == 0 && round % 2 == 0).then(|| TcpStream::connect(at));
                let (ours, other) = tokio::join!(connect_after(pause, at), async {
                    match other {
                        Some(other) => other.await.ok(),
                        None => None,
                    }
                });
                (ours, other)
            })
        };
        let all: Vec<_> = (0..4).map(connect).collect();
        let mut kept = Vec::new();
        for one in all {
            let ((stream, of_stream), other) = one.await.expect("no panic");
            if let Some(socket) = &of_stream.socket {
                assert_eq!(socket.id.inode, inode(&stream));
                found += 1;
            }
            kept.push((stream, of_stream, other));
        }
    }
    println!("{found} of 200 sockets were found");
    assert!(found > 0);
}

#[tokio::test]
async fn connections_that_were_opened_side_by_side_are_found() {
    let (_server, at) = listen().await;
    let pause = Duration::from_millis(20);
    for _ in 0..MOST_ATTEMPTS {
        let (one, two) = tokio::join!(connect_after(pause, at), connect_after(pause * 2, at));
        if let (Some(first), Some(second)) = (&one.1.socket, &two.1.socket) {
            assert_eq!(first.id.inode, inode(&one.0));
            assert_eq!(second.id.inode, inode(&two.0));
            return;
        }
    }
    panic!("the sockets were not found");
}

#[tokio::test]
async fn new_sockets_are_claimed_if_their_number_is_known() {
    let (_server, at) = listen().await;
    let port = at.port();
    let one = TcpStream::connect(at).await.expect("a connection");
    let two = TcpStream::connect(at).await.expect("a connection");
    let mut missing = Missing::default();
    assert!(claim_new(port, &mut missing, OPTIONS).is_empty());
    let claimed = claim_new(port, &mut missing, OPTIONS);
    let inodes: Vec<_> = claimed.iter().map(|id| id.inode).collect();
    assert!(inodes.contains(&inode(&one)) && inodes.contains(&inode(&two)));
    assert!(one.nodelay().expect("an option"));
    let id = claimed.into_iter().find(|id| id.inode == inode(&one));
    let id = id.expect("an identity");
    assert!(id.socket().is_some());
    drop(one);
    assert!(id.socket().is_none());
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let (server, at) = listen().await;
    let ours = |process| {
        let sockets = search::sockets().into_iter();
        let sockets = sockets.filter_map(|id| id.duplicate(&process));
        sockets
            .filter(|socket| socket.peer_port() == Ok(Some(at.port())))
            .count()
    };
    for _ in 0..100 {
        drop(connected(&server).await);
    }
    assert_eq!(linux::process().map(ours), Some(0));
    // A search that fails, and one that is cancelled.
    let failing = async { Err::<(), _>(io::Error::other("no server")) };
    let (result, found) = connecting(Some(at.port()), OPTIONS, failing).await;
    assert!(result.is_err() && found.socket.is_none());
    let endless = std::future::pending::<io::Result<()>>();
    let cancelled = connecting(Some(at.port()), OPTIONS, endless);
    let limit = Duration::from_millis(1);
    assert!(tokio::time::timeout(limit, cancelled).await.is_err());
    connected(&server).await;
}

/// Two searches at the same moment could see each other's descriptors.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sockets_are_not_swapped() {
    let (server, at) = listen().await;
    tokio::spawn(async move {
        let mut peers = std::collections::VecDeque::new();
        while let Ok((peer, _)) = server.accept().await {
            peers.push_back(peer);
            if peers.len() > 40 {
                peers.pop_front();
            }
        }
    });
    let mut found = 0;
    for _ in 0..2_000 {
        let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(2));
        let connect = || {
            let barrier = std::sync::Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                let connect = async {
                    let stream = TcpStream::connect(at).await?;
                    sleep(Duration::from_millis(1)).await;
                    io::Result::Ok(stream)
                };
                let (stream, found) = connecting(Some(at.port()), OPTIONS, connect).await;
                (stream.expect("a connection"), found)
            })
        };
        let (one, two) = tokio::join!(connect(), connect());
        for (stream, of_stream) in [one.expect("no panic"), two.expect("no panic")] {
            if let Some(socket) = &of_stream.socket {
                assert_eq!(socket.id.inode, inode(&stream));
                found += 1;
            }
        }
    }
    println!("{found} of 4000 sockets were found");
    assert!(found > 0);
}

#[tokio::test]
async fn a_stranger_is_not_taken_for_a_connection_that_was_reset() {
    let (server, at) = listen().await;
    let connect = async {
        let stream = TcpStream::connect(at).await?;
        let (peer, _) = server.accept().await?;
        let stranger = TcpStream::connect(at).await?;
        rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO))?;
        drop(peer);
        sleep(Duration::from_millis(20)).await;
        io::Result::Ok((stranger, stream))
    };
    let (result, found) = connecting(Some(at.port()), OPTIONS, connect).await;
    let (stranger, _stream) = result.expect("two connections");
    let socket = found.socket.map(|socket| socket.id.inode);
    assert_ne!(socket, Some(inode(&stranger)));
}

/// SQLite relies on such locks. They end when the process closes any descriptor of the file.
#[tokio::test]
async fn the_locks_of_files_are_kept() {
    use std::os::unix::fs::MetadataExt as _;

    let (server, _) = listen().await;
    let path = std::env::temp_dir().join(format!("reuse-db-lock-{}", std::process::id()));
    let file = std::fs::File::create(&path).expect("a file");
    let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&file, exclusive).expect("a lock");
    let number = format!(":{} ", file.metadata().expect("its metadata").ino());
    let is_locked = || {
        let locks = std::fs::read_to_string("/proc/locks").expect("the locks");
        locks.lines().any(|line| line.contains(&number))
    };
    assert!(is_locked());
    let _connection = connected(&server).await;
    let is_still_locked = is_locked();
    std::fs::remove_file(path).expect("removed");
    assert!(is_still_locked);
}
