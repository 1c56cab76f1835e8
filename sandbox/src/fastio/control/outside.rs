//! What there is outside of Fastio: at public addresses, and at providers of cloud storage.

use axum::body::Bytes;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Failed, body, parse};
use crate::control::Pretty;
use crate::fastio::State;
use crate::fastio::cloud::Family;
use crate::fastio::content::Stored;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudSet {
    path: Option<String>,
    text: Option<String>,
    family: Option<String>,
    drives_state: Option<String>,
    source_status: Option<String>,
    consent: bool,
}

pub async fn set_cloud(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let asked: CloudSet = parse(&body)?;
    let family = asked.family.as_deref().map(|text| Family::parse(text).ok_or(text)).transpose();
    let family = family.map_err(|text| {
        Failed(StatusCode::BAD_REQUEST, format!("{text} is neither cloudsync nor imports"))
    })?;
    state.change(|world| {
        let cloud = &mut world.cloud;
        cloud.only = family.or(cloud.only);
        cloud.drives_state = asked.drives_state.or(cloud.drives_state.take());
        if let (Some(path), Some(text)) = (asked.path, asked.text) {
            cloud.hold(path, text);
        }
        if let Some(status) = asked.source_status {
            cloud.set_status(&status);
        }
        if asked.consent {
            cloud.consent();
        }
    });
    Ok(Pretty(json!({"set": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    url: String,
}

pub async fn put_web(
    Shared(state): Shared<State>,
    Query(Address { url }): Query<Address>,
    request: axum::extract::Request,
) -> Answer {
    let content = Stored::kept(body(request).await?);
    let shown = json!({"url": url, "size": content.size()});
    state.change(|world| world.web.put(url, content));
    Ok(Pretty(shown))
}
