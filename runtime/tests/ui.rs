//! Mistakes in the use of the attribute: each is one error, with its message and at its place.

use std::error::Error;
use std::fs;
use std::path::Path;

const ALL_DRIVERS: bool = cfg!(all(
    feature = "any",
    feature = "mysql",
    feature = "postgres",
    feature = "sqlite"
));
const NO_DRIVER: bool = cfg!(not(feature = "_sqlx"));

#[test]
fn each_mistake_has_its_message_at_its_place() {
    let cases = trybuild::TestCases::new();
    if ALL_DRIVERS {
        cases.compile_fail("tests/ui/fail/*.rs");
    } else if NO_DRIVER {
        cases.compile_fail("tests/ui/no_features/*.rs");
    }
}

#[test]
fn each_mistake_is_one_error_and_no_warning() -> Result<(), Box<dyn Error>> {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut wrong = Vec::new();
    for set in ["fail", "no_features"] {
        for file in fs::read_dir(ui.join(set))? {
            let case = file?.path();
            if case.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let output = fs::read_to_string(case.with_extension("stderr")).unwrap_or_default();
            let count = |word| output.lines().filter(|line| line.starts_with(word)).count();
            let found = (count("error"), count("warning"));
            if found != (1, 0) {
                wrong.push(format!("{}: {found:?}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "(errors, warnings): {wrong:#?}");
    Ok(())
}
