//! Stand-ins for what AWS puts beside a function and before a database.
//!
//! - [`Gate`]: TLS and IAM before a real server, as RDS has them;
//! - [`KeysEndpoint`]: the keys of a function that SnapStart restores;
//! - [`Secrets`] and [`SecretsExtension`]: Secrets Manager, its rotations, and the extension that
//!   keeps secrets beside a function.
//!
//! Each checks what AWS checks, and a test moves its [`Clock`].

mod authority;
mod clock;
mod gate;
mod iam;
mod keys;
mod keys_endpoint;
mod mysql_gate;
mod postgres_gate;
mod rotation;
mod secrets;
mod secrets_extension;

pub use authority::{Authority, Identity};
pub use clock::Clock;
pub use gate::{Gate, SignIn};
pub use iam::{Iam, Service};
pub use keys::{Keys, Role};
pub use keys_endpoint::KeysEndpoint;
pub use rotation::{Rotation, Users};
pub use secrets::{Secrets, Stage};
pub use secrets_extension::SecretsExtension;
