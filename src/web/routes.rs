//! Which requests there are. To add one: a row in [`ROUTES`]; a test over a socket in `tests/it/web.rs`
//! fails until its description in OpenAPI and its responses agree.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use hyper::StatusCode;
use tower_service::Service;

use super::access::Access;
use super::call::{Answer, Call, Handler, Site};
use super::error::Problem;
use super::{events, pages, reply, runs};
use crate::net::http_service::Peer;

/// The path of the check whether the server is up, which needs no token and no name.
pub(super) const HEALTH: &str = "/healthz";

/// A request.
struct Route {
    method: Method,
    /// With the parts that vary in braces.
    path: &'static str,
    access: Access,
    handler: Handler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

const ROUTES: &[Route] = &[
    post("/api/v1/runs", Access::Change, |call| Box::pin(runs::start(call))),
    get("/api/v1/runs", Access::Read, |call| Box::pin(runs::list(call))),
    get("/api/v1/runs/{run}", Access::Read, |call| Box::pin(runs::look(call))),
    get("/api/v1/runs/{run}/events", Access::Read, |call| Box::pin(events::follow(call))),
    post("/api/v1/runs/{run}/stop", Access::Change, |call| Box::pin(runs::stop(call))),
    get(HEALTH, Access::Public, |call| Box::pin(health(call))),
    get("/", Access::Read, |call| Box::pin(pages::index(call))),
    get("/runs/{run}", Access::Read, |call| Box::pin(pages::run(call))),
    get("/login", Access::Public, |call| Box::pin(pages::login(call))),
    post("/login", Access::Login, |call| Box::pin(pages::begin(call))),
    post("/logout", Access::Login, |call| Box::pin(pages::end(call))),
];

const fn get(path: &'static str, access: Access, handler: Handler) -> Route {
    Route { method: Method::Get, path, access, handler }
}

const fn post(path: &'static str, access: Access, handler: Handler) -> Route {
    Route { method: Method::Post, path, access, handler }
}

/// Whether a path is one of the API, whose errors are JSON.
pub(super) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Leads requests to their handlers.
pub(super) fn router(site: &Arc<Site>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let site = Arc::clone(site);
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let handler = move |parts: Result<RawPathParams, RawPathParamsRejection>,
                            request: Request| {
            let site = Arc::clone(&site);
            async move { answer(route, site, parts, request).await }
        };
        router = router.route(route.path, on(filter, handler));
    }
    router
        .method_not_allowed_fallback(|request: Request| async move {
            Problem::method_not_allowed().response(is_api(request.uri().path()))
        })
        .fallback(|request: Request| async move {
            Problem::not_found().response(is_api(request.uri().path()))
        })
}

/// Calls the handler of a request.
pub(super) async fn call(mut router: Router, request: Request) -> Response {
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn answer(
    route: &Route,
    site: Arc<Site>,
    parts: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    let api = is_api(route.path);
    let (head, body) = request.into_parts();
    let path = match parts {
        Ok(parts) => parts.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        Err(RawPathParamsRejection::MissingPathParams(_)) => Vec::new(),
        Err(_) => return Problem::not_found().response(api),
    };
    let Some(peer) = head.extensions.get::<Peer>().cloned() else {
        return Problem::crashed().response(api);
    };
    let asked = head.uri.path_and_query().map_or("/", |asked| asked.as_str()).to_owned();
    tracing::info!("{}: {} {}", peer.address.ip(), head.method, route.path);
    let call = Call { site, peer, head, body: body.into(), path };
    let answered = match call.admitted(route.access).await {
        Ok(call) => (route.handler)(call).await,
        Err(problem) => Err(problem),
    };
    match answered {
        Ok(response) => response,
        // A person has a form for the token.
        Err(problem)
            if !api
                && route.method == Method::Get
                && problem.status == StatusCode::UNAUTHORIZED =>
        {
            pages::to_login(&asked)
        }
        Err(problem) => problem.response(api),
    }
}

/// That it is up.
async fn health(_: Call) -> Answer {
    Ok(reply::of(StatusCode::OK, "text/plain; charset=utf-8", Body::from("ok\n")))
}
