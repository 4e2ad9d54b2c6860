//! Pages without a script: the list of runs, one run, and the login of a browser.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION, REFRESH, SET_COOKIE};
use maud::{Markup, html};
use zeroize::Zeroizing;

use super::access;
use super::call::{Answer, Call};
use super::error::{Problem, empty};
use super::reply;
use super::runs;
use crate::event::{Failure, RunInfo, Status};
use crate::server::local;
use crate::wire::parameters::LISTED_RUNS;

/// The files of a run that its page links to.
const FILES: [&str; 5] =
    ["report.html", "summary.json", "junit.xml", "records.csv", "document.json"];

/// All runs.
pub(super) async fn index(call: Call) -> Answer {
    let runs = runs::all(&call, LISTED_RUNS.0, None).await?;
    let body = html! {
        @if runs.is_empty() { p { "There is no run yet." } } @else {
            table {
                caption { "The newest runs" }
                thead { tr { th { "Run" } th { "State" } th { "Name" } th { "Began" }
                    th { "Length" } th { "Requests" } th { "Failures" } th { "p95" } } }
                tbody { @for status in &runs { (row(status)) } }
            }
        }
        p { a href="/api/v1/openapi.json" { "The same over HTTP" } }
        @if call.site.handle.is_guarded() {
            form method="post" action="/logout" { button { "Log out" } }
        }
    };
    Ok(reply::page(StatusCode::OK, "Runs", &body))
}

/// One run.
pub(super) async fn run(call: Call) -> Answer {
    let number = call.number("run")?;
    let status = runs::describe(&call, number).await?;
    let results = runs::results(&call, number).await?;
    let info = status.run.as_deref();
    let body = html! {
        p { (status) }
        @if let Some(info) = info { (figures(info)) }
        h2 { "Actions" }
        table {
            caption { "What each action returned" }
            thead { tr { th { "Action" } th { "Command" } th { "Result" } } }
            tbody {
                @for result in &results {
                    tr {
                        td { (result.index) }
                        td class="text" { (result.command) }
                        td class="text" { @match &result.error {
                            None => "✓ done",
                            Some(Failure { message, .. }) => { "✗ " (message) }
                        } }
                    }
                }
            }
        }
        h2 { "Files" }
        ul { @for file in FILES {
            li { a href=(format!("/api/v1/runs/{number}/{file}")) { (file) } }
        } }
        p { a href="/" { "All runs" } }
    };
    Ok(reply::page(StatusCode::OK, &format!("Run {number}"), &body))
}

fn row(status: &Status) -> Markup {
    let Some(info) = &status.run else { return html! {} };
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let tenth = |value: Option<f64>, unit: &str| {
        value.map_or_else(String::new, |value| format!("{value:.1} {unit}"))
    };
    html! {
        tr {
            td { a href=(format!("/runs/{}", info.run)) { (info.run) } }
            td class="text" { (status.state) }
            td class="text" { (info.name.as_deref().unwrap_or_default()) }
            td class="text" { (info.started.as_deref().unwrap_or_default()) }
            td { (tenth(info.elapsed_s, "s")) }
            td { (number(info.requests)) }
            td { (number(info.failures)) }
            td { (tenth(info.p95_ms, "ms")) }
        }
    }
}

fn figures(info: &RunInfo) -> Markup {
    let shown = |value: Option<f64>, digits: usize, unit: &str| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}{unit}"))
    };
    let count =
        |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    let tiles = [
        ("requests", "Requests", count(info.requests)),
        ("failures", "Failures", count(info.failures)),
        ("rps", "Per second", shown(info.rps, 1, "")),
        ("p50", "Median", shown(info.p50_ms, 1, " ms")),
        ("p95", "p95", shown(info.p95_ms, 1, " ms")),
        ("p99", "p99", shown(info.p99_ms, 1, " ms")),
        ("users", "Users", count(info.users.map(|users| users as u64))),
    ];
    html! {
        dl class="tiles" {
            @for (figure, name, value) in tiles {
                div { dt { (name) } dd data-figure=(figure) { (value) } }
            }
        }
    }
}

/// The form for the token.
pub(super) async fn login(call: Call) -> Answer {
    Ok(login_form(&target(call.head.uri.query()), None, StatusCode::OK))
}

fn login_form(to: &str, wrong: Option<&str>, status: StatusCode) -> Response {
    let body = html! {
        @if let Some(wrong) = wrong { p class="verdict bad" { (wrong) } }
        form method="post" action="/login" {
            input type="hidden" name="to" value=(to);
            label { "Token of this server "
                input type="password" name="token" autocomplete="current-password" required autofocus;
            }
            " "
            button { "Log in" }
        }
    };
    reply::page(status, "Log in", &body)
}

/// Begins a session for the token.
pub(super) async fn begin(mut call: Call) -> Answer {
    let body = call.body().await?;
    let (mut token, mut to) = (Zeroizing::new(String::new()), "/".to_owned());
    for (key, value) in url::form_urlencoded::parse(&body) {
        match &*key {
            "token" => token = Zeroizing::new(value.into_owned()),
            "to" => to = local(&value).unwrap_or("/").to_owned(),
            _ => {}
        }
    }
    let admitted = access::admit(&call.site.handle, call.from(), Some(token.as_str()));
    if let Err(problem) = admitted {
        tokio::time::sleep(problem.delay).await;
        let wrong = "This is not a token of this server.";
        return Ok(login_form(&to, Some(wrong), StatusCode::UNAUTHORIZED));
    }
    let key = call.site.sessions.begin(call.site.handle.keyring()).ok_or_else(Problem::crashed)?;
    Ok(redirect(&to, call.site.hosts.set_cookie(Some(&key))))
}

/// Opens a link: a session, and a page that leads on. A redirect would be the other site's, if the link is
/// on one, and the cookie would not be sent along.
pub(super) async fn open(call: Call) -> Answer {
    let Some(path) = call.site.handle.links().open(call.part("key")) else {
        let why =
            "this link was opened already, or is older than a minute; `ldctl open` makes another";
        return Err(Problem::new(StatusCode::GONE, "unavailable", why));
    };
    let key = call.site.sessions.begin(call.site.handle.keyring()).ok_or_else(Problem::crashed)?;
    let body = html! { p { a href=(path) { "Go on" } } };
    let mut response = reply::page(StatusCode::OK, "Logged in", &body);
    let headers = response.headers_mut();
    if let (Some(cookie), Ok(refresh)) =
        (call.site.hosts.set_cookie(Some(&key)), HeaderValue::from_str(&format!("0;url={path}")))
    {
        headers.insert(SET_COOKIE, cookie);
        headers.insert(REFRESH, refresh);
    }
    Ok(response)
}

/// Ends the sessions of a browser.
pub(super) async fn end(call: Call) -> Answer {
    for key in call.site.hosts.keys(&call.head.headers) {
        call.site.sessions.end(key);
    }
    Ok(redirect("/login", call.site.hosts.set_cookie(None)))
}

/// Sends a browser that is not logged in to the login, which sends it back.
pub(super) fn to_login(path: &str) -> Response {
    let to: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    redirect(&format!("/login?to={to}"), None)
}

fn redirect(to: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, to);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Where a query wants to go afterwards.
fn target(query: Option<&str>) -> String {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let to = pairs.find(|(key, _)| key == "to").map(|(_, to)| to.into_owned());
    to.as_deref().and_then(local).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t87_the_login_form_leads_only_to_paths_of_this_server() {
        assert_eq!(target(Some("a=b&to=%2Fruns%2F3")), "/runs/3");
        assert_eq!(target(Some("to=%2F%2Fevil.example")), "/");
        assert_eq!(target(None), "/");
    }
}
