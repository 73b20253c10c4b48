use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::control::Terms;
use super::sandbox::Sandbox;

/// What a sandbox is to be like.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(super) binary: PathBuf,
    pub(super) env: BTreeMap<OsString, OsString>,
    pub(super) terms: Terms,
}

impl Builder {
    pub(super) fn new(binary: PathBuf) -> Self {
        let terms = Terms {
            timeout: Duration::from_secs(3),
            concurrency: 1,
            freezing: true,
            extensions: true,
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
        Self { binary, env, terms }
    }

    /// Sets a variable of the function's environment. Of the tests' own it has only `PATH`, `HOME`,
    /// `RUST_LOG`, `RUST_BACKTRACE`.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// How long an invocation may take before the process is killed. 3 s unless set, as in Lambda.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = timeout;
        self
    }

    /// Managed concurrency: tells the function to take `n` invocations at once. 1 unless set.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.terms.concurrency = n;
        self.env("AWS_LAMBDA_MAX_CONCURRENCY", n.to_string())
    }

    /// Whether the process is frozen between invocations: yes unless set. Lambda Managed Instances
    /// are never frozen.
    pub fn freezing(mut self, freezing: bool) -> Self {
        self.terms.freezing = freezing;
        self
    }

    /// Whether extensions can be registered: yes unless set.
    pub fn extensions(mut self, extensions: bool) -> Self {
        self.terms.extensions = extensions;
        self
    }

    /// Tells the function that a snapshot will be taken of it after its initialization: it is
    /// frozen at `/restore/next`, and restored by the first invocation.
    pub fn snap_start(self) -> Self {
        self.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    }

    /// Starts the function's first process, and does not wait for it to be ready.
    pub async fn start(self) -> Sandbox {
        Sandbox::start(self).await
    }
}
