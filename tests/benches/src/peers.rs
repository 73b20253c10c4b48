//! serverless-mysql and serverless-postgres, as functions of Node.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::{Database, Program};

const MISSING: &str = "the peers need Node and npm: apt-get install nodejs npm";

/// The installed peers.
pub(crate) struct Peers {
    node: PathBuf,
    folder: PathBuf,
}

impl Peers {
    /// Installs the packages of the lock file below `target`.
    pub(crate) fn installed() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = package.join("../../target/figures/peers");
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in ["package.json", "package-lock.json", "function.mjs"] {
            std::fs::copy(package.join("peers").join(file), folder.join(file)).expect("a copy");
        }
        let status = Command::new("npm")
            .args(["ci", "--omit=dev", "--no-audit", "--no-fund", "--silent"])
            .current_dir(&folder)
            .status();
        let is_installed = status.expect(MISSING).success();
        assert!(is_installed, "npm ci failed in {}", folder.display());
        let node = Command::new("node")
            .args(["-p", "process.execPath"])
            .output();
        let node = node.expect(MISSING).stdout;
        Self {
            node: String::from_utf8_lossy(&node).trim().into(),
            folder: folder.canonicalize().expect("the folder"),
        }
    }

    pub(crate) fn name(&self, database: Database) -> &'static str {
        match database {
            Database::Postgres => "serverless-postgres",
            Database::Mysql => "serverless-mysql",
        }
    }

    pub(crate) fn program(&self, database: Database) -> Program {
        Program {
            path: self.node.clone(),
            script: Some(self.folder.join("function.mjs")),
            way: self.name(database),
        }
    }
}
