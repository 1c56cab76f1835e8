//! What running a rule again would take, before anybody has it done: by `run where missing` or `start run` of what is done to many.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Api, Asked};
use crate::database::{Connection, Error};
use crate::listen::problem::Problem;
use crate::operate::bulk::MOST;
use crate::operate::guard::Admin;
use crate::operate::query::files::place_as_known;
use crate::operate::unreadable;
use crate::run::{self, Definition, Estimate};
use crate::sync::listing::Filter;

/// Over what a rule would be run again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Again {
    /// The rule; with a file it is needed only where several cover that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only this file, by its path or id, whatever result it has; else all of the rule's files that have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgainView {
    pub rule: String,
    #[serde(flatten)]
    pub estimate: Estimate,
    /// What to name as `items`: the first 10,000.
    pub items: Vec<String>,
    /// Of one file: where it is, and what a person says of its present result.
    pub path: Option<String>,
    pub judgement: Option<String>,
}

/// What running a rule again would take: over its files that have no result, or over one file.
#[utoipa::path(get, path = "/api/v1/again", tag = "runs", params(Again), responses((status = 200, body = AgainView)))]
pub async fn estimate(_: Admin, State(api): State<Api>, Asked(asked): Asked<Again>) -> Response {
    let named =
        |definition: &&Arc<Definition>| asked.rule.as_ref().is_none_or(|rule| *rule == definition.rule.name);
    let chosen: Vec<Arc<Definition>> = api.0.definitions.iter().filter(named).cloned().collect();
    let bad = |words: String| Problem::new(StatusCode::BAD_REQUEST, words).into_response();
    match (asked.file, chosen.as_slice()) {
        (_, []) => bad("no rule with [rule.run] is called so".to_owned()),
        (None, [definition]) => match whole(&api, definition).await {
            Ok(view) => Json(view).into_response(),
            Err(error) => unreadable(&error).into_response(),
        },
        (None, _) => bad("name the rule".to_owned()),
        (Some(file), _) => {
            let read = move |connection: &mut Connection| covering(connection, &chosen, &file);
            match api.0.database.observe(read).await {
                Ok(covering) => match covering.as_slice() {
                    [one] => Json(one).into_response(),
                    [] => {
                        let words = "no such file is indexed as it is now under a rule with [rule.run]";
                        Problem::new(StatusCode::NOT_FOUND, words).into_response()
                    }
                    [first, ..] => {
                        bad(format!("several rules run something over it: name {} or another", first.rule))
                    }
                },
                Err(error) => unreadable(&error).into_response(),
            }
        }
    }
}

async fn whole(api: &Api, definition: &Arc<Definition>) -> Result<AgainView, Error> {
    let (estimate, files) = run::survey(&api.0.database, definition, MOST as usize).await?;
    let rule = definition.rule.name.clone();
    let items = files.into_iter().map(|file| format!("{file}:{rule}")).collect();
    Ok(AgainView { rule, estimate, items, path: None, judgement: None })
}

fn covering(
    connection: &mut Connection,
    definitions: &[Arc<Definition>],
    file: &str,
) -> Result<Vec<AgainView>, Error> {
    let name = place_as_known(connection, &Filter::default(), file)?.text().to_owned();
    let mut covering = Vec::new();
    for definition in definitions {
        let Some(indexed) = run::file(connection, definition, &name)? else { continue };
        let judgement = run::judgement_of(connection, (definition, &indexed))?;
        let rule = definition.rule.name.clone();
        covering.push(AgainView {
            estimate: run::estimate_one(connection, definition, &indexed)?,
            items: vec![format!("{}:{rule}", indexed.key)],
            path: Some(indexed.path),
            judgement: judgement.map(|judgement| judgement.words()),
            rule,
        });
    }
    Ok(covering)
}
