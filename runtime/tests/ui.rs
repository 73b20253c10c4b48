//! The attribute in its users' hands: each mistake with its one error, each hazard without any.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const ALL: bool = cfg!(all(
    feature = "any",
    feature = "mysql",
    feature = "postgres",
    feature = "sqlite"
));
const NONE: bool = cfg!(not(feature = "_sqlx"));

// Apart from the hazards, since those are built to be run, and mistakes are only checked, all at once.
#[test]
fn mistakes() {
    let cases = trybuild::TestCases::new();
    if ALL {
        cases.compile_fail("tests/ui/fail/*.rs");
    } else if NONE {
        cases.compile_fail("tests/ui/no_features/*.rs");
    }
}

#[test]
fn hazards() {
    if ALL {
        trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
    }
}

#[test]
fn a_mistake_is_one_error() -> Result<(), Box<dyn Error>> {
    let mut wrong = Vec::new();
    for set in ["fail", "no_features"] {
        for case in files_of(set)? {
            let (errors, warnings) = if case.extension().is_some_and(|end| end == "rs") {
                if case.with_extension("stderr").exists() {
                    continue;
                }
                (0, 0)
            } else {
                let told = fs::read_to_string(&case)?;
                let count = |word| told.lines().filter(|line| line.starts_with(word)).count();
                (count("error"), count("warning"))
            };
            if (errors, warnings) != (1, 0) {
                wrong.push(format!(
                    "{}: {errors} errors, {warnings} warnings",
                    case.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

fn files_of(set: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ui")
        .join(set);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}
