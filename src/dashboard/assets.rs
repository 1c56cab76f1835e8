//! The style, the script and the picture of every page, within the program. Each is named after its content, so that a browser
//! keeps it for ever and has another one when the program is another.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::listen::problem::Problem;
use crate::operate::guard::ASSETS;

pub const STYLE: Asset = Asset::new("style", "css", include_bytes!("assets/style.css"));
pub const SCRIPT: Asset = Asset::new("script", "js", include_bytes!("assets/script.js"));
pub const ICON: Asset = Asset::new("icon", "svg", include_bytes!("assets/icon.svg"));

/// One file.
pub struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    /// FNV-1a of the bytes: it tells one version from another, and proves nothing.
    hash: u64,
}

impl Asset {
    const fn new(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        Asset { name, kind, bytes, hash }
    }

    fn file(&self) -> String {
        format!("{}-{:016x}.{}", self.name, self.hash, self.kind)
    }

    /// Where a page finds it.
    pub fn path(&self) -> String {
        format!("{ASSETS}{}", self.file())
    }
}

pub async fn asset(Path(file): Path<String>) -> Response {
    let Some(asset) = [STYLE, SCRIPT, ICON].into_iter().find(|asset| asset.file() == file) else {
        return Problem::new(StatusCode::NOT_FOUND, "there is nothing here").into_response();
    };
    let kind = match asset.kind {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.bytes).into_response()
}
