//! Responses: JSON, and pages in the style of the report.

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::headers;
use crate::report::html::STYLE;

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // Plain data always serializes.
    let text = serde_json::to_vec(value).unwrap_or_default();
    of(status, "application/json", Body::from(text))
}

/// A body of a media type.
pub(super) fn of(status: StatusCode, media: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// A page without a script.
pub(super) fn page(status: StatusCode, title: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without it, forms do not tell this server where they come from.
                meta name="referrer" content="same-origin";
                title { (title) " · ldctl" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) } }
                main { (body) }
            }
        }
    };
    let mut response =
        of(status, "text/html; charset=utf-8", Body::from(page.into_string().into_bytes()));
    headers::allow_inline(response.headers_mut(), &[STYLE], &[]);
    response
}
