//! What stands on the operator listener: its routes, and what its pages stand on.

use super::work::Work;
use crate::clock::Clock;
use crate::config::{Config, Shown};
use crate::dashboard::{self, Dashboard};
use crate::database::Database;
use crate::govern::Governor;
use crate::operate::api::{self, SettingView};
use crate::operate::guard::Guard;
use crate::operate::headroom::Headroom;
use crate::operate::mcp;
use crate::operate::routes::{Routes, Stated};
use crate::operate::{self, Observer};
use crate::queue::Queue;

/// Every route of the operator listener, with who may ask.
pub fn operator_routes() -> Vec<Stated> {
    let (asked, pages, scraped) = (api::routes(), dashboard::routes(), operate::scraped());
    let agents = mcp::routes();
    [operate::routes().stated(), asked.stated(), agents.stated(), pages.stated(), scraped.stated()].concat()
}

/// What the pages stand on.
pub struct Beneath<'a> {
    pub database: &'a Database,
    pub clock: &'a Clock,
    pub queue: &'a Queue,
    pub governor: &'a Governor,
    pub work: &'a Work,
}

/// The pages of the operator listener.
///
/// # Errors
/// Rules that cannot work.
pub fn pages(
    config: &Config,
    beneath: &Beneath<'_>,
    (observer, guard): (Observer, Guard),
) -> anyhow::Result<Routes> {
    let Beneath { database, clock, queue, work, .. } = *beneath;
    let dashboard = Dashboard::new(dashboard::Parts {
        database: database.clone(),
        observer,
        searcher: work.searcher(),
        clock: clock.clone(),
        headroom: headroom(config, beneath)?,
        guard,
        rules: config.rules()?,
        definitions: work.runs.definitions().to_vec(),
        environment: config.operate.environment.as_str().to_owned(),
        settings: settings_shown(config),
        storage: config.about().storage,
        wake: queue.wake(),
    });
    Ok(dashboard::routes().with_state(dashboard))
}

/// What says how much is left of OpenAI's limits.
pub(super) fn headroom(config: &Config, beneath: &Beneath<'_>) -> anyhow::Result<Headroom> {
    Ok(Headroom {
        clock: beneath.clock.clone(),
        database: beneath.database.clone(),
        governor: beneath.governor.clone(),
        rules: config.rules()?,
        definitions: beneath.work.runs.definitions().to_vec(),
    })
}

/// The settings as the operator listener tells them.
pub(super) fn settings_shown(config: &Config) -> Vec<SettingView> {
    let shown = config.shown().into_iter();
    shown.map(|Shown { name, value, from }| SettingView { name, value, from }).collect()
}
