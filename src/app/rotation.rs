//! Secrets in files that changed are taken up while the server runs: no delivery is refused and no job fails because of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::config::{Config, SecretFiles};
use crate::contain::{blocking, lock};
use crate::receive::Keys;
use crate::{fastio, openai};

/// How soon a changed file is seen. Whoever rotates a secret waits longer than this before the old one ends.
const LOOK: Duration = Duration::from_secs(10);

/// The files, and who uses what is in them.
#[derive(Clone)]
pub struct Rotation {
    files: Arc<Mutex<SecretFiles>>,
    fastio: fastio::Client,
    openai: openai::Client,
    keys: Keys,
}

impl Rotation {
    /// None where no secret stands in a file.
    pub fn of(config: &Config, parts: &Parts) -> Option<Self> {
        let files = SecretFiles::of(config);
        let (fastio, openai) = (parts.work.fastio.clone(), parts.work.openai.clone());
        let keys = parts.receive.public.keys();
        (!files.is_empty()).then(|| Rotation { files: Arc::new(Mutex::new(files)), fastio, openai, keys })
    }

    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(LOOK) => {} }
            let _ = self.once().await;
        }
    }

    /// Looks once. What cannot be used is told, and what there was goes on.
    pub async fn once(&self) -> Taken {
        let files = self.files.clone();
        let rotated = match blocking(move || lock(&files).look()).await {
            None => return Taken::Nothing,
            Some(Ok(rotated)) => rotated,
            Some(Err(error)) => return Taken::refused(&error),
        };
        let secrets = &rotated.secrets;
        let taken = (|| {
            self.keys.replace(&secrets.fastio_webhook, &secrets.openai_webhook)?;
            self.fastio.use_key(&secrets.fastio_api_key()?)?;
            if let Ok(key) = secrets.openai_api_key() {
                self.openai.use_key(&key)?;
            }
            anyhow::Ok(())
        })();
        if let Err(error) = taken {
            return Taken::refused(&error);
        }
        if !rotated.variables.is_empty() {
            let variables = rotated.variables.join(", ");
            tracing::info!(variables, "secrets were read again and are used from now on");
        }
        if !rotated.at_a_start.is_empty() {
            let variables = rotated.at_a_start.join(", ");
            tracing::warn!(variables, "a file with a secret changed that is used from the next start on");
        }
        Taken::Used(rotated.variables)
    }
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// No file changed.
    Nothing,
    /// What these variables name is used from now on.
    Used(Vec<String>),
    /// Why what is in the files cannot be used.
    Refused(String),
}

impl Taken {
    fn refused(why: &dyn std::fmt::Display) -> Self {
        let why = why.to_string();
        tracing::error!(error = why, "a file with a secret changed and cannot be used; the old one goes on");
        Taken::Refused(why)
    }
}
