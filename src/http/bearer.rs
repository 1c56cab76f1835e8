//! The key that a client sends. It can be replaced while calls are made: each call takes the one there is.

use std::fmt;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, Unusable};
use crate::contain::lock;

/// Clones share the key, so that a new one is every clone's at once. Prints nothing of it.
#[derive(Clone)]
pub struct Bearer {
    value: Arc<Mutex<HeaderValue>>,
    /// What stands before the key.
    scheme: &'static str,
}

impl Bearer {
    /// # Errors
    /// When the key is empty or holds what no header can, such as a line break from the file it was read from.
    pub fn new(key: &SecretString) -> Result<Self, Failure> {
        Bearer::behind("Bearer ", key)
    }

    /// For a header that holds the key alone.
    ///
    /// # Errors
    /// As [`Bearer::new`].
    pub fn bare(key: &SecretString) -> Result<Self, Failure> {
        Bearer::behind("", key)
    }

    fn behind(scheme: &'static str, key: &SecretString) -> Result<Self, Failure> {
        Ok(Bearer { value: Arc::new(Mutex::new(header(scheme, key)?)), scheme })
    }

    /// What stands in the header.
    pub fn header(&self) -> HeaderValue {
        lock(&self.value).clone()
    }

    /// # Errors
    /// As [`Bearer::new`]; the old key stays.
    pub fn replace(&self, key: &SecretString) -> Result<(), Failure> {
        *lock(&self.value) = header(self.scheme, key)?;
        Ok(())
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

/// Marked so that it prints as "Sensitive".
fn header(scheme: &str, key: &SecretString) -> Result<HeaderValue, Failure> {
    let key = key.expose_secret();
    let value = HeaderValue::from_str(&format!("{scheme}{key}")).ok().filter(|_| !key.is_empty());
    let mut value = value.ok_or(Failure::from(Unusable::Key))?;
    value.set_sensitive(true);
    Ok(value)
}
