//! The templates of the examples: those of AWS SAM, and that of `cargo lambda new`.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::env::var_os;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn the_linter_of_cloudformation_has_no_findings() {
    let templates = sam_templates();
    assert!(templates.len() >= 6, "{templates:?}");
    let output = run(tool("cfn-lint").args(&templates));
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "");
}

/// The linter knows the resources and what they return. Otherwise it would find nothing anywhere.
#[test]
fn the_linter_finds_a_wrong_property_and_a_wrong_attribute() {
    let template = read(&examples().join("on-aws/proxy.yaml"))
        .replace("EngineFamily", "EnginFamily")
        .replace("GetAtt Cluster.DBClusterArn", "GetAtt Cluster.NoSuchArn");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wrong.yaml");
    fs::write(&path, template).expect("a file");
    let output = run(tool("cfn-lint").arg(&path));
    let findings = text(&output);
    assert!(!output.status.success(), "{findings}");
    for expected in ["'EngineFamily' is a required", "'NoSuchArn' is not one of"] {
        assert!(findings.contains(expected), "{findings}");
    }
}

/// Each function of a template is built from a program of its package.
#[test]
fn each_sam_template_names_a_program() {
    for path in sam_templates() {
        let folder = path.parent().expect("a folder");
        let template = read(&path);
        let mut programs = template
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Binary: "))
            .peekable();
        assert!(programs.peek().is_some(), "{path:?}");
        for program in programs {
            let of_package = folder.file_name() == Some(OsStr::new(program))
                && folder.join("src/main.rs").is_file();
            let of_its_own = folder
                .join("src/bin")
                .join(program)
                .with_extension("rs")
                .is_file();
            assert!(of_package || of_its_own, "{path:?}: {program}");
        }
    }
}

/// All answers to the questions of the template make packages that compile: one workspace of them.
/// Its folder stays, so that a second run compiles the packages only.
#[test]
fn each_answer_makes_a_function_that_compiles() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-function");
    let packages = folder.join("packages");
    if packages.exists() {
        fs::remove_dir_all(&packages).expect("those of the last run");
    }
    fs::create_dir_all(&packages).expect("a folder");

    for database in ["postgres", "mysql"] {
        for (sign_in, method) in [
            ("password", "Source::env(\"DATABASE_URL\").verified_tls()"),
            ("rds_iam", "Source::env(\"DATABASE_URL\").rds_iam()"),
            ("secret", ".secret_env(\"SECRET_ARN\")"),
            ("dsql", "Source::env(\"DATABASE_URL\").dsql()"),
        ] {
            let name = format!("{database}-{sign_in}");
            generate(
                &packages,
                &name,
                &[
                    &format!("database={database}"),
                    &format!("sign_in={sign_in}"),
                ],
            );
            let source = read(&packages.join(&name).join("src/main.rs"));
            assert!(source.contains(method), "{name}: {source}");
            // Aurora DSQL knows no MySQL.
            let is_mysql = database == "mysql" && sign_in != "dsql";
            let connection = if is_mysql {
                "MySqlConnection"
            } else {
                "PgConnection"
            };
            assert!(source.contains(connection), "{name}: {source}");
        }
    }
    // The answers of `--no-interactive`.
    generate(&packages, "default", &[]);
    assert_eq!(
        read(&packages.join("default/src/main.rs")),
        read(&packages.join("postgres-password/src/main.rs"))
    );

    let reuse_db = root().join("runtime");
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\"packages/*\"]\n\n\
         [patch.crates-io]\nreuse-db = {{ path = {reuse_db:?} }}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    let output = run(Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--workspace"])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .current_dir(&folder)
        .env("CARGO_INCREMENTAL", "0"));
    assert!(output.status.success(), "{}", text(&output));
}

/// Makes a package, as a user does. Asserts that nothing of the template is left in its files.
fn generate(folder: &Path, name: &str, answers: &[&str]) {
    let mut command = tool("cargo-lambda");
    command
        .args(["lambda", "new", "--no-interactive", "--template"])
        .arg(examples().join("new-function"));
    for answer in answers {
        command.args(["--render-var", answer]);
    }
    let output = run(command.arg(name).current_dir(folder));
    assert!(output.status.success(), "{}", text(&output));
    for file in ["Cargo.toml", "README.md", "src/main.rs", ".gitignore"] {
        let text = read(&folder.join(name).join(file));
        assert!(
            !text.is_empty() && !text.contains("{{") && !text.contains("{%"),
            "{file} of {name}: {text}"
        );
    }
}

/// Returns the templates of AWS SAM in all examples.
fn sam_templates() -> Vec<PathBuf> {
    let files = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    };
    let mut templates: Vec<PathBuf> = files(&examples())
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|folder| files(folder))
        .filter(|path| path.extension() == Some(OsStr::new("yaml")))
        .collect();
    templates.sort();
    templates
}

/// Returns a program of `tests/tools`.
fn tool(name: &str) -> Command {
    let servers = var_os("REUSE_DB_TESTS_SERVERS").map_or_else(
        || PathBuf::from("/usr/local/lib/reuse-db-tests/servers"),
        PathBuf::from,
    );
    let program = servers.join("python/venv/bin").join(name);
    assert!(
        program.is_file(),
        "`{name}` is missing: bring it with `tests/tools`"
    );
    Command::new(program)
}

fn run(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

fn text(output: &Output) -> String {
    let bytes = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

fn examples() -> PathBuf {
    root().join("examples")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
}
