//! Why a request fails, as a status and, in the API, as `{"error": {"kind", "message"}}`: with the
//! kinds and the words of the socket where it has them.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use maud::html;
use serde_json::{Map, Value as Json, json};

use super::reply;
use crate::event::{BUSY, ErrorKind};
use crate::wire::refusal::Refusal;

/// Why a request fails.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    kind: Cow<'static, str>,
    message: String,
    /// Further members of the error. Boxed, as most have none.
    further: Option<Box<Map<String, Json>>>,
    /// How long the response waits.
    pub(super) delay: Duration,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        kind: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (kind, message) = (kind.into(), message.into());
        Self { status, kind, message, further: None, delay: Duration::ZERO }
    }

    /// No such path.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path")
    }

    /// Not for this path.
    pub(super) fn method_not_allowed() -> Self {
        let message = "this path has other methods; the header Allow lists them";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
    }

    /// For a host that this is not.
    pub(super) fn misdirected() -> Self {
        let message = "this is not the host that the request names; --web-host adds a name";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", message)
    }

    /// Not from a page of ours.
    pub(super) fn foreign() -> Self {
        let message = "the request does not come from a page of this server (Origin)";
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// Nothing can be changed here.
    pub(super) fn read_only() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "nothing can be started or stopped here")
    }

    /// The body is too long.
    pub(super) fn too_large(most: usize) -> Self {
        let refusal = Refusal::limit(&format!("the body is longer than {most} bytes"));
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..refusal.into() }
    }

    /// The server cannot do it now.
    pub(super) fn overloaded(refusal: Refusal) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..refusal.into() }
    }

    /// The job ended without a word.
    pub(super) fn crashed() -> Self {
        Refusal::internal("the request crashed; see the server's log").into()
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Adds a member to the error.
    pub(super) fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.further.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// As JSON, or as a page.
    pub(super) fn response(self, is_api: bool) -> Response {
        let Self { status, kind, message, further, .. } = self;
        let mut response = if is_api {
            let mut error = Map::new();
            error.insert("kind".to_owned(), kind.into());
            error.insert("message".to_owned(), message.into());
            error.extend(further.into_iter().flat_map(|further| *further));
            reply::json(status, &json!({ "error": error }))
        } else {
            let reason = status.canonical_reason().unwrap_or("Error");
            let body = html! { p { (message) } p { a href="/" { "All runs" } } };
            reply::page(status, reason, &body)
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(Refusal { kind, message }: Refusal) -> Self {
        let status = match kind {
            ErrorKind::TokenRequired | ErrorKind::Unauthorised => StatusCode::UNAUTHORIZED,
            ErrorKind::InvalidJson | ErrorKind::InvalidDocument | ErrorKind::FrameLength => {
                StatusCode::BAD_REQUEST
            }
            ErrorKind::Timeout => StatusCode::REQUEST_TIMEOUT,
            // Of a test, or of everything else that has places.
            ErrorKind::Busy if message.starts_with(BUSY) => StatusCode::CONFLICT,
            ErrorKind::Busy | ErrorKind::Limit => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::UnknownRun => StatusCode::NOT_FOUND,
            ErrorKind::Unavailable => StatusCode::GONE,
            ErrorKind::Internal | ErrorKind::Other => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let name = match serde_json::to_value(kind) {
            Ok(Json::String(name)) => name,
            _ => "other".to_owned(),
        };
        Self::new(status, name, message)
    }
}

/// An empty response of a status.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
