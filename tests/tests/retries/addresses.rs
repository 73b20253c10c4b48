//! A host with three addresses: a black hole, one that hangs up, and a server.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use function::server::Server;
use function::{Function, Reply};
use lambda_bench::lambda::Event;
use tokio::net::{TcpListener, TcpStream};

/// A function in a mount namespace of its own, where `three-addresses` is the name of them.
fn with_three_addresses(folder: &std::path::Path) -> String {
    let (hosts, program) = (folder.join("hosts"), folder.join("function"));
    std::fs::write(
        &hosts,
        "127.0.0.1 localhost three-addresses\n127.0.0.2 three-addresses\n127.0.0.3 three-addresses\n",
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

/// The server at the third address, on a port whose first address accepts and says nothing, and whose
/// second hangs up.
async fn behind_others(server: SocketAddr) -> (TcpListener, u16) {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let at = async |last| {
        let address = Ipv4Addr::new(127, 0, 0, last);
        let listener = TcpListener::bind((address, port)).await;
        listener.expect("the same port")
    };
    let (of_no_use, listener) = (at(2).await, at(3).await);
    tokio::spawn(async move { while of_no_use.accept().await.is_ok() {} });
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
    async fn each_is_tried_in_time(server: &impl Server) {
        let folder = tempfile::tempdir().expect("a folder");
        let program = with_three_addresses(folder.path());
        let (_silent, port) = behind_others(server.addr()).await;
        let url = server.url_at(port).replace("127.0.0.1", "three-addresses");
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
