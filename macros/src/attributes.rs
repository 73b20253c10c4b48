//! Where the attributes below ours go.

use syn::Attribute;

/// Which of the items that a handler becomes an attribute is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goes {
    /// What says whether there is a function at all: to all.
    Everywhere,
    /// What describes the function, or sets a lint: to both functions.
    BothFunctions,
    /// What wraps a body: to the function that has the user's.
    WithBody,
}

/// `expect` goes with the body: on the other function it would go unfulfilled.
pub(crate) fn goes(attribute: &Attribute) -> Goes {
    let path = attribute.path();
    let is = |names: &[&str]| names.iter().any(|name| path.is_ident(name));
    if is(&["cfg", "cfg_attr"]) {
        Goes::Everywhere
    } else if is(&[
        "allow",
        "deny",
        "deprecated",
        "doc",
        "forbid",
        "must_use",
        "warn",
    ]) {
        Goes::BothFunctions
    } else {
        Goes::WithBody
    }
}
