//! A host with two addresses, of which the first is a black hole.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use function::server::Server;
use function::{Function, Reply};
use reuse_db_tests::lambda::Event;
use tokio::net::{TcpListener, TcpStream};

/// A function in a mount namespace of its own, where `two-addresses` is the name of both.
fn with_two_addresses(folder: &std::path::Path) -> String {
    let (hosts, program) = (folder.join("hosts"), folder.join("function"));
    std::fs::write(
        &hosts,
        "127.0.0.1 localhost\n127.0.0.1 two-addresses\n127.0.0.2 two-addresses\n",
    )
    .expect("the folder is ours");
    let script = format!(
        "#!/bin/sh\nexec unshare --map-root-user --mount sh -c 'mount --bind {} /etc/hosts && exec {}'\n",
        hosts.display(),
        env!("CARGO_BIN_EXE_function")
    );
    std::fs::write(&program, script).expect("the folder is ours");
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    program.display().to_string()
}

/// The server at the second address, on a port whose first address accepts and says nothing.
async fn behind_a_black_hole(server: SocketAddr) -> (TcpListener, u16) {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port))
        .await
        .expect("the same port");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (silent, port)
}

on_each_server! {
    async fn the_other_one_is_tried_in_time(server: &impl Server) {
        let folder = tempfile::tempdir().expect("a folder");
        let program = with_two_addresses(folder.path());
        let (_silent, port) = behind_a_black_hole(server.addr()).await;
        let url = server.url_at(port).replace("127.0.0.1", "two-addresses");
        let env = [("DATABASE_URL", url.as_str())];
        let function = Function::start_program(&program, server, &env).await;
        for path in ["/add?n=1", "/pool?n=1"] {
            let answer = function.sandbox.invoke(Event::get(path)).await;
            assert_eq!(Reply::of(&answer).sum, 2, "{answer:?}");
            assert!(answer.took < Duration::from_secs(4), "{answer:?}");
            assert!(answer.took > Duration::from_secs(1), "the first one is silent: {answer:?}");
        }
    }
}
