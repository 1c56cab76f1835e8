//! What signatures are checked by now, which a rotation of secrets changes while requests are taken: each request is checked
//! by one of both from its head to its body.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;

use super::handler::DeliveryService;
use super::hint::{self, Hints};
use super::signature::{NoSecret, Policy, Verifier, standard};
use crate::contain::lock;

/// One of several, the newest.
pub(super) struct Current<T>(Mutex<Arc<T>>);

impl<T> Current<T> {
    pub fn new(first: T) -> Self {
        Current(Mutex::new(Arc::new(first)))
    }

    pub fn get(&self) -> Arc<T> {
        lock(&self.0).clone()
    }

    fn put(&self, next: T) {
        *lock(&self.0) = Arc::new(next);
    }
}

/// By which the secrets of a running listener are replaced.
#[derive(Clone)]
pub struct Keys {
    pub(super) service: Arc<DeliveryService>,
    pub(super) hints: Option<Arc<Hints>>,
    pub(super) policy: Policy,
    pub(super) late_seconds: u32,
}

/// Secrets that cannot be used. Those there were stay.
#[derive(Debug, thiserror::Error)]
pub enum BadSecrets {
    #[error(transparent)]
    None(#[from] NoSecret),
    #[error("OPENAI_WEBHOOK_SECRET: {0}")]
    OpenAi(#[from] standard::BadSecret),
}

impl Keys {
    /// Checks signatures by these from now on: all of them, or none of them when one cannot be used. Where OpenAI's webhooks are
    /// not taken in, for want of a secret at the start, they are not from now on either.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn replace(&self, fastio: &[SecretString], openai: &[SecretString]) -> Result<(), BadSecrets> {
        let ours = Verifier::new(fastio, self.policy.clone())?.taking_late(self.late_seconds);
        if let Some(hints) = self.hints.as_ref().filter(|_| !openai.is_empty()) {
            hints.verifier.put(hint::verifier(openai)?);
        }
        self.service.verifier.put(ours);
        Ok(())
    }
}
