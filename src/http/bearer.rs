//! The key that a client sends. It can be replaced while calls are made: each call takes the one there is.

use std::fmt;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, Unusable};
use crate::contain::lock;

/// Clones share the key, so that a new one is every clone's at once. Prints nothing of it.
#[derive(Clone)]
pub struct Bearer(Arc<Mutex<HeaderValue>>);

impl Bearer {
    /// # Errors
    /// When the key is empty or holds what no header can, such as a line break from the file it was read from.
    pub fn new(key: &SecretString) -> Result<Self, Failure> {
        Ok(Bearer(Arc::new(Mutex::new(header(key)?))))
    }

    /// What stands behind `Authorization`.
    pub fn header(&self) -> HeaderValue {
        lock(&self.0).clone()
    }

    /// # Errors
    /// As [`Bearer::new`]; the old key stays.
    pub fn replace(&self, key: &SecretString) -> Result<(), Failure> {
        *lock(&self.0) = header(key)?;
        Ok(())
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

/// Marked so that it prints as "Sensitive".
fn header(key: &SecretString) -> Result<HeaderValue, Failure> {
    let key = key.expose_secret();
    let value = HeaderValue::from_str(&format!("Bearer {key}")).ok().filter(|_| !key.is_empty());
    let mut value = value.ok_or(Failure::from(Unusable::Key))?;
    value.set_sensitive(true);
    Ok(value)
}
