use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::host;

/// The folder of the servers that `tests/servers` brings, unless [`SERVERS`] names another.
const FOLDER: &str = "/usr/local/lib/reuse-db-tests/servers";

/// The variable that names another folder.
const SERVERS: &str = "REUSE_DB_TESTS_SERVERS";

/// The variable that names the server of a test run. `tests/run --on NAME` sets it.
const ON: &str = "REUSE_DB_TESTS_ON";

/// The program that a server is, which decides how it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
    /// MySQL.
    Mysql,
    /// PgBouncer.
    PgBouncer,
}

impl Engine {
    /// The start of the names of this engine's servers in `tests/servers`.
    fn prefix(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::PgBouncer => "pgbouncer",
        }
    }

    /// Returns the program that serves, and the distribution's package that contains it.
    fn program_and_package(self) -> (&'static str, &'static str) {
        match self {
            Self::Postgres => ("postgres", "postgresql"),
            Self::Mariadb => ("mariadbd", "mariadb-server"),
            Self::Mysql => ("mysqld", "mysql-server"),
            Self::PgBouncer => ("pgbouncer", "pgbouncer"),
        }
    }

    /// Returns the folders in which the distribution keeps the programs, out of `PATH`.
    fn folders(self) -> Vec<PathBuf> {
        match self {
            Self::Postgres => newest_postgres(),
            _ => vec![PathBuf::from("/usr/sbin")],
        }
    }
}

/// A database server in one version: a name, an engine, and its programs.
///
/// It is the distribution's own, or one that `tests/servers` brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    name: String,
    engine: Engine,
    /// The folder of a server that `tests/servers` brings.
    folder: Option<PathBuf>,
}

impl Installation {
    /// Returns the distribution's own server.
    pub fn of_distribution(engine: Engine) -> Self {
        Self {
            name: engine.prefix().to_owned(),
            engine,
            folder: None,
        }
    }

    /// Returns a server of `tests/servers`.
    ///
    /// # Panics
    ///
    /// If it has not been brought, with the command that brings it.
    pub fn named(name: &str) -> Self {
        let engines = [Engine::Postgres, Engine::Mysql, Engine::PgBouncer];
        let engine = engines
            .into_iter()
            .find(|engine| name.starts_with(engine.prefix()));
        let engine = engine.unwrap_or_else(|| panic!("`{name}` is no server of `tests/servers`"));
        let servers = std::env::var_os(SERVERS).map_or_else(|| FOLDER.into(), PathBuf::from);
        let folder = servers.join(name);
        assert!(
            folder.join("version").is_file(),
            "the server `{name}` is missing: bring it with `tests/servers {name}`"
        );
        Self {
            name: name.to_owned(),
            engine,
            folder: Some(folder),
        }
    }

    /// Returns the server of this test run, if it is of one of these `engines`. Otherwise returns
    /// the distribution's server of the first engine.
    pub fn selected(engines: &[Engine]) -> Self {
        let selected = std::env::var(ON).ok().map(|name| Self::named(&name));
        selected
            .filter(|selected| engines.contains(&selected.engine))
            .unwrap_or_else(|| Self::of_distribution(engines[0]))
    }

    /// Returns the name, as in `tests/servers --list`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the version that the server's program prints, such as `17.6`.
    ///
    /// # Panics
    ///
    /// If the server is not installed.
    pub fn version(&self) -> String {
        let output = Command::new(self.program(self.engine.program_and_package().0))
            .arg("--version")
            .output()
            .expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        // MySQL prints its own path first.
        let after_path = text.split_once(" Ver ").map_or(&*text, |(_, rest)| rest);
        let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let version = after_path.split_whitespace().find(is_version);
        let version = version.unwrap_or_else(|| panic!("no version in `{text}`"));
        let end = version.find(|c: char| !c.is_ascii_digit() && c != '.');
        version[..end.unwrap_or(version.len())].to_owned()
    }

    /// Returns the major version, such as 17.
    pub fn major(&self) -> u32 {
        let version = self.version();
        let major = version.split('.').next().map(str::parse);
        major.and_then(Result::ok).expect("a number")
    }

    /// Returns the path of a program.
    pub(super) fn program(&self, name: &str) -> OsString {
        let package = self.engine.program_and_package().1;
        match &self.folder {
            Some(folder) => folder.join("bin").join(name).into(),
            None => host::program(name, package, &self.engine.folders()).into(),
        }
    }

    /// Returns the folder with a new server's data, if `tests/servers` has prepared it.
    pub(super) fn data(&self) -> Option<PathBuf> {
        let data = self.folder.as_ref()?.join("data");
        data.is_dir().then_some(data)
    }
}

/// Returns the folders of the distribution's PostgreSQL, the newest version first.
fn newest_postgres() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by_key(|folder| {
        let version = folder
            .parent()
            .and_then(|parent| parent.file_name()?.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    folders
}
