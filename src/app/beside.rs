//! Parts for a command beside a server, or without one.

use std::sync::Arc;

use super::operator::settings_shown;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::feed::{self, Feed};
use crate::operate::api::{self, Api};
use crate::operate::query::Known;
use crate::operate::query::search::Searcher;
use crate::{fastio, openai};

/// What asks OpenAI, as the settings say.
///
/// # Errors
/// A key or an address that cannot be used.
pub fn openai_client(config: &Config) -> anyhow::Result<openai::Client> {
    let settings = &config.openai;
    let names = (settings.organization.as_deref(), settings.project.as_deref());
    let login = config.openai_login()?;
    Ok(openai::Client::new(&settings.base_url, login, names.0, names.1)?)
}

/// What programs ask, for a command beside a server.
///
/// # Errors
/// Settings or keys that cannot work.
pub fn api_beside(config: &Config, database: &Database, known: Known) -> anyhow::Result<Api> {
    let definitions = config.runs(&known.rules)?;
    Ok(Api::new(api::ApiParts {
        database: database.clone(),
        searcher: Searcher { database: database.clone(), openai: openai_client(config)? },
        clock: Clock::default(),
        known,
        definitions: definitions.into_iter().map(Arc::new).collect(),
        wake: Arc::default(),
        settings: settings_shown(config),
    }))
}

/// What compares and lists, for a command beside a server.
///
/// # Errors
/// Settings or keys that cannot work.
pub fn feed(config: &Config, database: Database) -> anyhow::Result<Feed> {
    Ok(Feed::new(feed::Parts {
        database,
        clock: Clock::default(),
        fastio: fastio::Client::new(&config.fastio.base_url, config.secrets.fastio_api_key()?)?,
        openai: openai_client(config)?,
        rules: config.rules()?,
        settings: config.feed.clone(),
        sweeps: config.sweep.clone(),
        wake: Arc::default(),
        heard: Arc::default(),
    }))
}
