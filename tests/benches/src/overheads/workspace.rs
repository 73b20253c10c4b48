//! The files of the generated workspace.

use std::error::Error;
use std::path::Path;
use std::{fs, time::SystemTime};

use super::package::Package;

/// The dependencies of reuse-db itself: each is built once for all packages.
const DEPENDENCIES: &str = r#"
lambda_http = { version = "1.3", default-features = false, features = ["apigw_http", "concurrency-tokio"] }
sqlx = { version = "0.9", default-features = false, features = ["postgres", "runtime-tokio"] }
tokio = { version = "1.44", features = ["macros", "rt-multi-thread", "sync"] }
"#;

/// Writes the workspace.
pub(super) fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .ok_or("the package is in no workspace")?;
    for package in Package::ALL {
        let sources = folder.join(package.name()).join("src");
        if sources.exists() {
            fs::remove_dir_all(&sources).map_err(told(&sources))?;
        }
        fs::create_dir_all(&sources).map_err(told(&sources))?;
        for (name, source) in package.sources() {
            put(&sources.join(name), &source)?;
        }
        put(
            &folder.join(package.name()).join("Cargo.toml"),
            &manifest(package, &root.join("runtime")),
        )?;
    }
    let members = Package::ALL.map(|package| format!("{:?}", package.name()));
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[profile.release]\nstrip = true\n",
        members.join(", ")
    );
    put(&folder.join("Cargo.toml"), &manifest)?;
    let lock = root.join("Cargo.lock");
    fs::copy(&lock, folder.join("Cargo.lock")).map_err(told(&lock))?;
    Ok(())
}

fn manifest(package: Package, reuse_db: &Path) -> String {
    let name = package.name();
    format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\npublish = false\n\n[dependencies]{DEPENDENCIES}\
         reuse-db = {{ path = {reuse_db:?}, features = [\"postgres\"] }}\n"
    )
}

/// Makes a package's sources newer than its last build.
pub(super) fn touch(folder: &Path, package: Package) -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now();
    for (name, _) in package.sources() {
        let path = folder.join(package.name()).join("src").join(name);
        let file = fs::File::options().append(true).open(&path);
        file.and_then(|file| file.set_modified(now))
            .map_err(told(&path))?;
    }
    Ok(())
}

fn put(path: &Path, contents: &str) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(path, contents).map_err(told(path))?)
}

fn told(path: &Path) -> impl FnOnce(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}
