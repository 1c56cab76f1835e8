//! The dashboard: pages of the operator listener, made on the server and whole without a script. A page is found by what somebody
//! wants to know, says it in the words of the command that says the same, and names that command.
//!
//! Pages read through the observer's connection, so that no worker waits for one. What a person does goes through
//! [`crate::operate::act`], which asks nothing of any service: it changes our rows, and the queue does the rest. Each handler
//! states whom it is for.

mod actions;
mod assets;
mod bulk;
mod chart;
mod escape;
mod export;
mod file;
mod files;
mod form;
mod holds;
mod jobs;
mod log;
mod overview;
mod page;
mod range;
mod review;
mod runs;
mod search;
mod settings;
mod sign_in;
mod sweeps;
mod timeline;
mod webhooks;

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::listen::problem::Problem;
use crate::operate::Observer;
use crate::operate::api::SettingView;
use crate::operate::guard::{Guard, Role};
use crate::operate::headroom::Headroom;
use crate::operate::query::search::Searcher;
use crate::operate::routes::Routes;
use crate::rule::Rules;
use crate::run::Definition;
use crate::sync::budget::Plan;

pub use page::dress;

/// Rows of a list on one page: what a person looks through, and little enough to send.
const ROWS: u32 = 50;

/// What the pages are made of.
pub struct Parts {
    pub database: Database,
    pub observer: Observer,
    pub searcher: Searcher,
    pub clock: Clock,
    pub headroom: Headroom,
    pub guard: Guard,
    pub rules: Rules,
    pub definitions: Vec<Arc<Definition>>,
    /// What this Docket is called; empty where it has no name.
    pub environment: String,
    pub settings: Vec<SettingView>,
    /// What OpenAI may hold.
    pub storage: Plan,
    /// What to notify when jobs were added.
    pub wake: Arc<Notify>,
}

/// All of them. Clones share them.
#[derive(Clone)]
pub struct Dashboard(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// What was counted of hours that are over.
    hours: Mutex<chart::Hours>,
}

impl std::ops::Deref for Dashboard {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl Dashboard {
    pub fn new(parts: Parts) -> Self {
        Dashboard(Arc::new(Shared { parts, hours: Mutex::default() }))
    }

    fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Reads for a page, on the connection that no worker needs.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, crate::database::Error> + Send + 'static,
    ) -> Result<T, Problem> {
        self.database.observe(work).await.map_err(|error| page::unreadable(&error))
    }
}

/// Every page and action, with whom it is for.
pub fn routes() -> Routes<Dashboard> {
    Routes::default()
        .get(None, "/assets/{file}", assets::asset)
        .get(None, "/sign-in", sign_in::page)
        .post(None, "/sign-in", sign_in::sign_in)
        .post(Role::Viewer, "/sign-out", sign_in::sign_out)
        // Who only sees files and runs is sent there.
        .get(Role::Viewer, "/", overview::page)
        .get(Role::Viewer, "/files", files::page)
        .get(Role::Viewer, "/file", file::page)
        .get(Role::Viewer, "/search", search::page)
        .get(Role::Viewer, "/runs", runs::page)
        .get(Role::Viewer, "/runs/folders", runs::folders)
        .get(Role::Viewer, "/runs/export", export::runs)
        .get(Role::Viewer, "/runs/{id}", review::page)
        .get(Role::Viewer, "/runs/{id}/export", export::run)
        .get(Role::Admin, "/webhooks", webhooks::page)
        .get(Role::Admin, "/jobs", jobs::page)
        .get(Role::Admin, "/jobs/{id}", jobs::one)
        .get(Role::Admin, "/sweeps", sweeps::page)
        .get(Role::Admin, "/sweeps/{sweep}", sweeps::one)
        .get(Role::Admin, "/settings", settings::page)
        .get(Role::Admin, "/log", log::page)
        .get(Role::Admin, "/bulk/{id}", bulk::page)
        .post(Role::Admin, "/bulk/{id}/stop", bulk::stop)
        .post(Role::Admin, "/confirm", actions::confirm)
        .post(Role::Admin, "/act", actions::act)
}
