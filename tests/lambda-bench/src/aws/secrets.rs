use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// A store of secrets, as AWS Secrets Manager. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    secrets: BTreeMap<String, Secret>,
    denied: HashSet<String>,
}

/// A secret: its versions, and their stages.
#[derive(Debug, Default)]
struct Secret {
    versions: Vec<String>,
    stages: BTreeMap<Stage, usize>,
}

/// The stage of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `AWSCURRENT`.
    Current,
    /// `AWSPENDING`.
    Pending,
    /// `AWSPREVIOUS`.
    Previous,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Current, Self::Pending, Self::Previous];

    /// Returns the name of the stage at AWS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Pending => "AWSPENDING",
            Self::Previous => "AWSPREVIOUS",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

impl Secrets {
    /// Returns the ARN of a secret, which ends in six characters that its name has not.
    pub fn arn(name: &str) -> String {
        format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-BeNcH0")
    }

    /// Stores a secret of a database: the fields of the JSON that RDS writes.
    pub fn put(&self, name: &str, fields: &Value) {
        let mut inner = self.lock();
        let secret = inner.secrets.entry(name.to_owned()).or_default();
        secret.versions.push(fields.to_string());
        let new = secret.versions.len() - 1;
        secret.stages.insert(Stage::Current, new);
    }

    /// Denies the secret to the function.
    pub fn deny(&self, name: &str) {
        self.lock().denied.insert(name.to_owned());
    }

    /// Returns the fields of a version.
    ///
    /// # Panics
    ///
    /// If there is no such version.
    pub fn get(&self, name: &str, stage: Stage) -> Value {
        let inner = self.lock();
        let version = inner.secrets.get(name).and_then(|secret| secret.at(stage));
        let version = version.expect("a version of this stage");
        serde_json::from_str(version).expect("the JSON of a database")
    }

    /// Stores a version that a rotation is making.
    pub(super) fn put_pending(&self, name: &str, fields: &Value) {
        let mut inner = self.lock();
        let secret = inner.secrets.get_mut(name).expect("a secret");
        secret.versions.push(fields.to_string());
        let new = secret.versions.len() - 1;
        secret.stages.insert(Stage::Pending, new);
    }

    /// Makes the pending version the current one.
    pub(super) fn finish(&self, name: &str) {
        let mut inner = self.lock();
        let secret = inner.secrets.get_mut(name).expect("a secret");
        let new = secret
            .stages
            .remove(&Stage::Pending)
            .expect("a pending version");
        if let Some(old) = secret.stages.insert(Stage::Current, new) {
            secret.stages.insert(Stage::Previous, old);
        }
    }

    /// Answers `GetSecretValue`, by the secret's name, its ARN, or its ARN without the last six
    /// characters. The error is the type and the text of the service.
    pub(super) fn answer(&self, id: &str, stage: Stage) -> Result<Value, (&'static str, String)> {
        const MISSING: &str = "ResourceNotFoundException";
        let inner = self.lock();
        let is = |name: &&String| {
            let arn = Self::arn(name);
            let partial = arn.rsplit_once('-').map(|(partial, _)| partial);
            *name == id || arn == id || partial == Some(id)
        };
        let missing = || {
            (
                MISSING,
                "Secrets Manager can't find the specified secret.".to_owned(),
            )
        };
        if inner.denied.iter().any(|name| is(&name)) {
            let text = format!(
                "User: arn:aws:sts::123456789012:assumed-role/bench/bench is not authorized to \
                 perform: secretsmanager:GetSecretValue on resource: {id} because no \
                 identity-based policy allows the secretsmanager:GetSecretValue action"
            );
            return Err(("AccessDeniedException", text));
        }
        let name = inner.secrets.keys().find(is).ok_or_else(missing)?;
        let version = inner.secrets[name].at(stage).ok_or_else(|| {
            let text = "Secrets Manager can't find the specified secret value for staging label: ";
            (MISSING, format!("{text}{}", stage.name()))
        })?;
        Ok(json!({
            "ARN": Self::arn(name),
            "CreatedDate": "2026-01-01T00:00:00Z",
            "Name": name,
            "SecretBinary": null,
            "SecretString": version,
            "VersionId": "00000000-0000-0000-0000-000000000000",
            "VersionStages": [stage.name()],
            "ResultMetadata": {},
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secret {
    fn at(&self, stage: Stage) -> Option<&str> {
        let version = *self.stages.get(&stage)?;
        self.versions.get(version).map(String::as_str)
    }
}
