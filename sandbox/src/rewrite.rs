//! Bodies of JSON that are changed on their way, where a stand-in plays a service that keeps or shows things otherwise.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;

/// The request with what `change` made of its body. One that is no JSON stays as it is.
pub async fn request(request: Request<Body>, change: impl FnOnce(&mut Value)) -> Request<Body> {
    let (mut head, body) = request.into_parts();
    let body = json(body, &mut head.headers, change).await;
    Request::from_parts(head, body)
}

/// The reply with what `change` made of its body. One that is no JSON stays as it is.
pub async fn reply(response: Response<Body>, change: impl FnOnce(&mut Value)) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let body = json(body, &mut head.headers, change).await;
    Response::from_parts(head, body)
}

async fn json(body: Body, headers: &mut HeaderMap, change: impl FnOnce(&mut Value)) -> Body {
    let whole = whole(body).await;
    let Ok(mut value) = serde_json::from_slice(&whole) else { return Body::from(whole) };
    change(&mut value);
    headers.remove(CONTENT_LENGTH);
    Body::from(value.to_string())
}

/// Calls `change` for each member called `name`, however deep.
pub fn each(value: &mut Value, name: &str, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if key == name {
                    change(member);
                } else {
                    each(member, name, change);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, name, change)),
        _ => {}
    }
}

/// All of a body, or nothing of one that breaks off.
pub async fn whole(body: Body) -> Bytes {
    body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}
