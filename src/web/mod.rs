//! The web door: runs in a browser, and the same over HTTP. It is the third way to the executor and
//! its runs, beside the socket and `ldctl run`: no document is parsed here, and no rule lives here
//! alone. It uses the server's [`Handle`], so tokens, failed authentications, places of documents and
//! watchers are those of the socket.
//!
//! A request comes from [`crate::net::http_service`], which has the limits of connections, heads and
//! writing. `site` checks its host, `routes` finds its handler, `access` judges token, session and
//! origin, and a handler asks the executor. `headers` adds what every response has.
//!
//! ```text
//!                routes            which requests there are, and their description
//!  list  live  events  files  tools  pages   handlers: of pages, events, files
//!    view   runs   assets              what pages are made of
//!      openapi    reply            what they say
//!           call                   a request, and what it may use
//!     access  sessions  drawn  error  headers
//! ```

mod access;
mod assets;
mod call;
mod drawn;
mod error;
mod events;
mod files;
mod headers;
mod list;
mod live;
mod openapi;
mod pages;
mod reply;
mod routes;
mod runs;
mod sessions;
#[cfg(test)]
mod tests;
mod tools;
mod view;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use hyper::Request;

use self::access::Hosts;
use self::call::Site;
use self::drawn::Pages;
use self::sessions::Sessions;
use crate::net::Listeners;
use crate::net::http_service::{HttpService, Limits, Peer, RequestBody};
use crate::server::Handle;

/// What a door is opened with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Further names of this machine: requests for others are refused.
    pub names: Vec<String>,
    /// Whether nothing can be started or stopped through it.
    pub read_only: bool,
}

/// A door that is open.
#[derive(Debug)]
pub struct Door {
    service: HttpService,
    url: String,
}

impl Door {
    /// Serves on these sockets, on a thread of its own.
    pub fn open(listeners: Listeners, settings: Settings, handle: Handle) -> io::Result<Self> {
        let secure = handle.keyring().tls().is_some();
        let hosts = Hosts::new(listeners.host(), listeners.port(), &settings.names, secure);
        let url = hosts.url();
        handle.links().lead_to(&url);
        let limits = Limits {
            connections: handle.limits().connections,
            first: handle.limits().request,
            write: handle.limits().write,
            // Bodies are limited where they are read.
            body: usize::MAX,
            ..Limits::DEFAULT
        };
        let keyring = handle.keyring().clone();
        let sessions = Sessions::default();
        let (pages, read_only) = (Pages::default(), settings.read_only);
        let site = Arc::new(Site { handle, hosts, sessions, pages, read_only });
        let router = routes::router(&site);
        let respond = move |request: Request<RequestBody>| {
            let (site, router) = (Arc::clone(&site), router.clone());
            async move { respond(&site, router, request).await }
        };
        let tls = Box::new(move || keyring.tls());
        let service = HttpService::over("web", listeners, tls, limits, respond)?;
        Ok(Self { service, url })
    }

    /// Where it is, for people.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes all connections, and waits for that until a deadline.
    pub fn close(mut self, deadline: Instant) {
        self.service.stop_until(deadline);
    }
}

/// Checks the host of a request before anything else, and secures its response.
async fn respond(site: &Site, router: axum::Router, request: Request<RequestBody>) -> Response {
    let local = request.extensions().get::<Peer>().map(|peer| peer.local);
    let is_checked = request.uri().path() == routes::HEALTH
        || local.is_some_and(|local| site.hosts.are_of(&request, local));
    let is_api = routes::is_api(request.uri().path());
    let mut response = match is_checked {
        true => routes::call(router, request.map(Body::new)).await,
        false => error::Problem::misdirected().response(is_api),
    };
    headers::secure(response.headers_mut());
    response
}
