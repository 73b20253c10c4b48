use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::control::Settings;
use super::sandbox::Sandbox;

/// The settings of a [`Sandbox`] before it starts.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(super) binary: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) env: BTreeMap<OsString, OsString>,
    pub(super) settings: Settings,
}

impl Builder {
    pub(super) fn new(binary: PathBuf) -> Self {
        let settings = Settings {
            init_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            late_first: Duration::ZERO,
            concurrency: 1,
            freezing: true,
            extensions: true,
            tenant: None,
        };
        let lambda = [
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]bench"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_REGION", "eu-central-1"),
            ("_HANDLER", "bootstrap"),
        ];
        let inherited = ["PATH", "HOME", "RUST_LOG", "RUST_BACKTRACE"];
        let inherited = inherited
            .iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        let env = lambda
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .chain(inherited)
            .collect();
        Self {
            binary,
            arguments: Vec::new(),
            env,
            settings,
        }
    }

    /// Adds an argument of the binary, such as the function behind a launcher.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the function's environment.
    ///
    /// Of the test's own environment, the function inherits only `PATH`, `HOME`, `RUST_LOG` and
    /// `RUST_BACKTRACE`.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the time after which an invocation is killed. The default is 3 s, as in Lambda.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Shortens the first invocation, as Lambda does if the initialization is a part of it.
    pub fn late_first(mut self, late: Duration) -> Self {
        self.settings.late_first = late;
        self
    }

    /// Sets the time after which an initialization is killed. The default is 10 s, as in Lambda.
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.settings.init_timeout = timeout;
        self
    }

    /// Sets the number of invocations that the function accepts at once. The default is 1.
    ///
    /// The function reads the number from `AWS_LAMBDA_MAX_CONCURRENCY`, as on Lambda Managed
    /// Instances.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.settings.concurrency = n;
        self.env("AWS_LAMBDA_MAX_CONCURRENCY", n.to_string())
    }

    /// Sets whether the process is frozen between invocations. The default is `true`.
    ///
    /// Lambda Managed Instances are never frozen.
    pub fn freezing(mut self, freezing: bool) -> Self {
        self.settings.freezing = freezing;
        self
    }

    /// Sets whether extensions can be registered. The default is `true`.
    pub fn extensions(mut self, extensions: bool) -> Self {
        self.settings.extensions = extensions;
        self
    }

    /// Isolates tenants: each event names this one.
    pub fn tenant(mut self, id: &str) -> Self {
        self.settings.tenant = Some(id.to_owned());
        self
    }

    /// Emulates SnapStart.
    ///
    /// The process is frozen at `/restore/next`, and the first invocation restores it.
    pub fn snap_start(self) -> Self {
        self.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    }

    /// Starts the function's first process. Does not wait until the process is initialized.
    pub async fn start(self) -> Sandbox {
        Sandbox::start(self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limits_are_lambdas() {
        let settings = Builder::new(PathBuf::new()).settings;
        assert_eq!(settings.timeout, Duration::from_secs(3));
        assert_eq!(settings.init_timeout, Duration::from_secs(10));
    }
}
