//! What Fastio's AI reads out of a file, as a test or a person says it does.

use axum::extract::{Path, Query, State as Shared};
use serde::Deserialize;

use super::show::summary;
use super::{Answer, at, missing, profile};
use crate::control::Pretty;
use crate::fastio::State;
use crate::fastio::tree::Extraction;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    state: Option<String>,
}

/// `PUT /_sandbox/texts/{workspace}/{path}`.
pub async fn put(
    Shared(state): Shared<State>,
    Path((id, path)): Path<(String, String)>,
    Query(asked): Query<Reading>,
    text: String,
) -> Answer {
    let profile = profile(&id)?;
    state.change(|world| {
        let key = at(world, &profile, &path)?;
        let tree = world.tree_mut(&profile)?;
        let node = tree.node_mut(key).ok_or_else(|| missing(&path))?;
        let version = node.version().ok_or_else(|| missing(&path))?.id.clone();
        let state = asked.state.unwrap_or_else(|| "ready".to_owned());
        node.extraction = Some(Extraction { state, text, version });
        Ok(Pretty(summary(tree, key)))
    })
}
