//! What pages load: our scripts and styles, which hold nothing of anybody. A name has the digest of its
//! content, so browsers may keep it.

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use super::call::{Answer, Call};
use super::error::{Problem, empty};
use super::reply;
use crate::report::html::{SCRIPT, STYLE};

/// A file.
struct Asset {
    /// Its name, without its digest.
    stem: &'static str,
    ending: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 5] = [
    Asset { stem: "report", ending: "css", content: STYLE },
    Asset { stem: "page", ending: "css", content: include_str!("page/page.css") },
    Asset { stem: "report", ending: "js", content: SCRIPT },
    Asset { stem: "live", ending: "js", content: include_str!("page/live.js") },
    Asset { stem: "list", ending: "js", content: include_str!("page/list.js") },
];

/// Their names with digests.
static NAMES: LazyLock<[String; ASSETS.len()]> = LazyLock::new(|| {
    ASSETS.map(|Asset { stem, ending, content }| {
        let digest = Sha256::digest(content);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{stem}-{digest}.{ending}")
    })
});

/// Sends one.
pub(super) async fn get(call: Call) -> Answer {
    let wanted = call.part("name");
    let found = NAMES.iter().zip(&ASSETS).find(|(name, _)| *name == wanted);
    let (_, asset) = found.ok_or_else(Problem::not_found)?;
    let media = match asset.ending {
        "css" => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    let mut response = reply::of(StatusCode::OK, media, Body::from(asset.content));
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    Ok(response)
}

/// There is no icon, which browsers ask for anyway.
pub(super) async fn icon(_: Call) -> Answer {
    Ok(empty(StatusCode::NO_CONTENT))
}

/// A page with these scripts. It is whole without them.
pub(super) fn page(title: &str, scripts: &[&str], body: &Markup) -> Response {
    let of = |ending: &'static str| {
        ASSETS.iter().zip(NAMES.iter()).filter(move |(asset, _)| asset.ending == ending)
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without it, forms do not tell this server where they come from.
                meta name="referrer" content="same-origin";
                title { (title) " · ldctl" }
                @for (_, name) in of("css") { link rel="stylesheet" href=(format!("/assets/{name}")); }
                @for (asset, name) in of("js") {
                    @if scripts.contains(&asset.stem) { script src=(format!("/assets/{name}")) defer {} }
                }
            }
            body { (body) }
        }
    };
    let body = Body::from(page.into_string().into_bytes());
    reply::of(StatusCode::OK, "text/html; charset=utf-8", body)
}
