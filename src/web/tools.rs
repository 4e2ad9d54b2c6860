//! What is asked for beside runs: findings in a document, links for browsers, and figures for
//! Prometheus.

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::call::{Answer, Call};
use super::error::Problem;
use super::reply;
use crate::event::ErrorKind;
use crate::wire::refusal::Refusal;

/// What is found in a document, as `ldctl lint` finds it.
pub(super) async fn lint(mut call: Call) -> Answer {
    let text = call.body().await?;
    let executor = call.site.handle.executor();
    if text.is_empty() {
        return Err(Refusal::new(ErrorKind::InvalidJson, "there is no document").into());
    }
    // It takes as much memory as a document that is read.
    let job = move || match std::str::from_utf8(&text) {
        Ok(text) => Ok(executor.lint(text)),
        Err(error) => {
            let why = format!("not UTF-8 from byte {} on", error.valid_up_to());
            Err(Refusal::new(ErrorKind::InvalidJson, why))
        }
    };
    let found = call.blocking(job).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "findings": found })))
}

/// What a link is for.
#[derive(Deserialize)]
struct Wanted {
    path: String,
}

/// Makes a link that logs a browser in once.
pub(super) async fn link(mut call: Call) -> Answer {
    let body = call.body().await?;
    let Wanted { path } = serde_json::from_slice(&body)
        .map_err(|error| Refusal::new(ErrorKind::InvalidJson, error.to_string()))?;
    let handle = &call.site.handle;
    let (url, expires_s) = handle.links().make(&path, handle.keyring().changes())?;
    Ok(reply::json(StatusCode::OK, &json!({ "url": url, "expires_s": expires_s })))
}

/// The figures of all tests.
pub(super) async fn metrics(call: Call) -> Answer {
    let executor = call.site.handle.executor();
    let headers = call.head.headers.clone();
    let respond = move || Ok(executor.figures().map(|figures| figures.respond(&headers)));
    let response = call.blocking(respond).await?.ok_or_else(Problem::not_found)?;
    let (head, scrape) = response.into_parts();
    Ok(Response::from_parts(head, Body::new(scrape)))
}
