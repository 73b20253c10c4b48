//! A host name with three addresses: a black hole, a listener that hangs up, and a server.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lambda_bench::lambda::Event;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, Reply, program};
use reuse_db_tests::on_each_server;
use tokio::net::{TcpListener, TcpStream};

use super::listener;

/// Returns a program that runs the function in its own mount namespace, where `three-addresses` is
/// the name of three addresses.
fn with_three_addresses(folder: &Path) -> PathBuf {
    let (hosts, wrapper) = (folder.join("hosts"), folder.join("function"));
    let names = "127.0.0.1 localhost three-addresses\n\
                 127.0.0.2 three-addresses\n\
                 127.0.0.3 three-addresses\n";
    std::fs::write(&hosts, names).expect("a file in our folder");
    let script = format!(
        "#!/bin/sh\n\
         exec unshare --map-root-user --mount \
         sh -c 'mount --bind {} /etc/hosts && exec {}'\n",
        hosts.display(),
        program("function").display()
    );
    std::fs::write(&wrapper, script).expect("a file in our folder");
    std::fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).expect("our file");
    wrapper
}

/// Listens at three addresses on one port: the first accepts and stays silent, the second hangs up,
/// and the third is the server. Returns the first listener and the port.
async fn behind_others(server: SocketAddr) -> (TcpListener, u16) {
    let (silent, port) = listener().await;
    let at = async |last| {
        let address = Ipv4Addr::new(127, 0, 0, last);
        let listener = TcpListener::bind((address, port)).await;
        listener.expect("the same port")
    };
    let (hangs_up, serves) = (at(2).await, at(3).await);
    tokio::spawn(async move { while hangs_up.accept().await.is_ok() {} });
    tokio::spawn(async move {
        while let Ok((mut client, _)) = serves.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (silent, port)
}

on_each_server! {
    async fn each_address_is_tried_before_the_time_is_up(server: &impl Server) {
        let folder = tempfile::tempdir().expect("a folder");
        let program = with_three_addresses(folder.path());
        let (_silent, port) = behind_others(server.addr()).await;
        let url = server.url_at(port).replace("127.0.0.1", "three-addresses");
        let env = [("DATABASE_URL", url.as_str())];
        let function = Function::start_program(&program, server, &env).await;
        for path in ["/add?n=1", "/pool?n=1"] {
            let answer = function.sandbox.invoke(Event::get(path)).await;
            assert_eq!(Reply::of(&answer).sum, 2, "{answer:?}");
            assert!(answer.took > Duration::from_secs(1), "the first is silent: {answer:?}");
        }
    }
}
