//! Which requests there are. To add one: a row in [`ROUTES`]; a test over a socket in `tests/it/web.rs`
//! fails until its description in OpenAPI and its responses agree.

use std::future::ready;
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
use super::call::{Answer, Call, Handled, Handler, Site};
use super::error::Problem;
use super::openapi::{self, Described, Parameter, Reply, Sent};
use super::{assets, events, files, list, live, pages, reply, runs, tools};
use crate::net::http_service::Peer;

/// The path of the check whether the server is up, which needs no token and no name.
pub(super) const HEALTH: &str = "/healthz";

/// The path of the figures for Prometheus.
const METRICS: &str = "/metrics";

/// A request.
struct Route {
    method: Method,
    /// With the parts that vary in braces.
    path: &'static str,
    access: Access,
    handler: Handler,
    /// Its description, unless it is a page.
    described: Option<Described>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

const JSON: &str = "application/json";

const ROUTES: &[Route] = &[
    post("/api/v1/runs", Access::Change, |call| Box::pin(runs::start(call))).described(Described {
        body: Some(Sent::Document),
        parameters: &[Parameter::Name, Parameter::Queue],
        errors: &[
            (400, "It is not JSON, or not a document."),
            (409, "Another test has the place; the error names its run."),
            (413, "It is longer than 1 MiB."),
        ],
        ..json("startRun", "Starts a document, which goes on by itself.", 202, "Run")
    }),
    get("/api/v1/runs", Access::Read, |call| Box::pin(runs::list(call))).described(Described {
        parameters: &[Parameter::Limit, Parameter::State],
        errors: &[(400, "A parameter is wrong.")],
        ..json("listRuns", "Lists the newest runs.", 200, "Runs")
    }),
    get("/api/v1/runs/{run}", Access::Read, |call| Box::pin(runs::look(call))).described(
        Described {
            parameters: &[Parameter::Run],
            errors: &[UNKNOWN],
            ..json(
                "getRun",
                "Returns a run with the results of its actions.",
                200,
                "RunWithResults",
            )
        },
    ),
    get("/api/v1/runs/{run}/events", Access::Read, |call| Box::pin(events::follow(call)))
        .described(Described {
            parameters: &[Parameter::Run, Parameter::LastEventId],
            errors: &[
                (204, "The client has all events."),
                (400, "The number of the last event is none."),
                UNKNOWN,
            ],
            ..file("followRun", "Sends the events of a run as they happen.", "text/event-stream")
        }),
    post("/api/v1/runs/{run}/stop", Access::Change, |call| Box::pin(runs::stop(call))).described(
        Described {
            parameters: &[Parameter::Run],
            errors: &[UNKNOWN],
            ..json("stopRun", "Stops a run; one that has ended stays as it is.", 202, "Run")
        },
    ),
    get("/api/v1/runs/{run}/report.html", Access::Read, |call| Box::pin(files::page(call)))
        .described(file("getReport", "Returns the report of a run as a page.", "text/html")),
    get("/api/v1/runs/{run}/summary.json", Access::Read, |call| Box::pin(files::summary(call)))
        .described(file("getSummary", "Returns the figures of a run.", JSON)),
    get("/api/v1/runs/{run}/junit.xml", Access::Read, |call| Box::pin(files::junit(call)))
        .described(file("getJunit", "Returns a testcase for each name.", "application/xml")),
    get("/api/v1/runs/{run}/records.csv", Access::Read, |call| Box::pin(files::records(call)))
        .described(file("getRecords", "Returns a row for each request.", "text/csv")),
    get("/api/v1/runs/{run}/document.json", Access::Read, |call| Box::pin(files::document(call)))
        .described(file("getDocument", "Returns the document, without its secrets.", JSON)),
    get("/api/v1/runs/{run}/compare/{other}", Access::Read, |call| Box::pin(files::compare(call)))
        .described(Described {
            parameters: &[Parameter::Run, Parameter::Other],
            ..file("compareRuns", "Returns a run beside another one as a page.", "text/html")
        }),
    post("/api/v1/lint", Access::Send, |call| Box::pin(tools::lint(call))).described(Described {
        body: Some(Sent::Text),
        errors: &[(413, "It is longer than 1 MiB.")],
        ..json("lint", "Checks a document, and runs nothing.", 200, "Findings")
    }),
    post("/api/v1/links", Access::Send, |call| Box::pin(tools::link(call))).described(Described {
        body: Some(Sent::Path),
        errors: &[(400, "It is no path of this server.")],
        ..json("makeLink", "Makes a link that logs a browser in once.", 200, "Link")
    }),
    get("/api/v1/openapi.json", Access::Read, describe).described(Described {
        errors: &[],
        parameters: &[],
        ..file("describe", "Returns this description.", JSON)
    }),
    get(METRICS, Access::Read, |call| Box::pin(tools::metrics(call))).described(Described {
        errors: &[],
        parameters: &[],
        ..file("scrape", "Returns the figures of all tests for Prometheus.", "text/plain")
    }),
    get(HEALTH, Access::Public, |call| Box::pin(health(call))).described(Described {
        errors: &[],
        parameters: &[],
        ..file("checkHealth", "Says that the server is up.", "text/plain")
    }),
    get("/", Access::Read, |call| Box::pin(list::index(call))),
    post("/runs", Access::Change, |call| Box::pin(list::start(call))),
    get("/compare", Access::Read, |call| Box::pin(list::compare(call))),
    get("/runs/{run}", Access::Read, |call| Box::pin(live::run(call))),
    get("/runs/{run}/parts", Access::Read, |call| Box::pin(live::follow(call))),
    get("/runs/{run}/charts", Access::Read, |call| Box::pin(live::charts(call))),
    post("/runs/{run}/stop", Access::Change, |call| Box::pin(live::stop(call))),
    get("/favicon.ico", Access::Public, |call| Box::pin(assets::icon(call))),
    get("/assets/{name}", Access::Public, |call| Box::pin(assets::get(call))),
    get("/login", Access::Public, |call| Box::pin(pages::login(call))),
    post("/login", Access::Login, |call| Box::pin(pages::begin(call))),
    post("/logout", Access::Login, |call| Box::pin(pages::end(call))),
    get("/open/{key}", Access::Public, |call| Box::pin(pages::open(call))),
];

const UNKNOWN: (u16, &str) = (404, "There is no such run.");

const OF_FILES: &[(u16, &str)] = &[
    UNKNOWN,
    (409, "It is not there: the run is in progress, or has made no test."),
    (410, "What it is made of is no longer kept."),
];

/// A response of JSON.
const fn json(id: &'static str, doc: &'static str, status: u16, schema: &'static str) -> Described {
    let reply = Reply { status, media: JSON, schema: Some(schema) };
    Described { id, doc, parameters: &[], body: None, reply, errors: &[] }
}

/// A file of a run.
const fn file(id: &'static str, doc: &'static str, media: &'static str) -> Described {
    let reply = Reply { status: 200, media, schema: None };
    Described { id, doc, parameters: &[Parameter::Run], body: None, reply, errors: OF_FILES }
}

const fn get(path: &'static str, access: Access, handler: Handler) -> Route {
    Route { method: Method::Get, path, access, handler, described: None }
}

const fn post(path: &'static str, access: Access, handler: Handler) -> Route {
    Route { method: Method::Post, path, access, handler, described: None }
}

impl Route {
    const fn described(self, described: Described) -> Self {
        Self {
            method: self.method,
            path: self.path,
            access: self.access,
            handler: self.handler,
            described: Some(described),
        }
    }
}

/// Whether a path is for programs, for whom errors are JSON; a script on a page is one too.
pub(super) fn is_api(path: &str) -> bool {
    let is_of_script =
        path.starts_with("/runs/") && (path.ends_with("/parts") || path.ends_with("/charts"));
    path == "/api" || path.starts_with("/api/") || matches!(path, METRICS | HEALTH) || is_of_script
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

/// The description of all this.
fn describe(_: Call) -> Handled {
    let described = ROUTES.iter().filter_map(|route| {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        // Its last part ends like a file; the router knows parts that are whole.
        let path = match route.path {
            "/api/v1/runs/{run}/compare/{other}" => "/api/v1/runs/{run}/compare/{other}.html",
            path => path,
        };
        Some((method, path, route.access != Access::Public, route.described.as_ref()?))
    });
    Box::pin(ready(Ok(reply::json(StatusCode::OK, &openapi::document(described)))))
}

/// That it is up.
async fn health(_: Call) -> Answer {
    Ok(reply::of(StatusCode::OK, "text/plain; charset=utf-8", Body::from("ok\n")))
}
