//! The list of runs, which starts one and leads to two beside each other.

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use maud::{Markup, html};
use zeroize::Zeroizing;

use super::call::{Answer, Call};
use super::error::{Problem, empty};
use super::{assets, runs, view};
use crate::event::{RunInfo, State, Status};
use crate::report::html as report;
use crate::value::{Map, Value};
use crate::wire::parameters::{LISTED_RUNS, Parameters};

/// All runs.
pub(super) async fn index(call: Call) -> Answer {
    let query = call.head.uri.query().unwrap_or_default().as_bytes();
    let wanted = |key| {
        let mut pairs = url::form_urlencoded::parse(query);
        let found = pairs.find(|(known, _)| known == key).map(|(_, value)| value.into_owned());
        found.filter(|value| !value.trim().is_empty())
    };
    let (state, name) = (wanted("state"), wanted("name"));
    let parameters = read([("state", state.as_deref().map(Value::from))])?;
    // A name may be that of an old run.
    let limit = if name.is_some() { LISTED_RUNS.1 } else { MOST };
    let mut found = runs::all(&call, limit, parameters.state).await?;
    if let Some(name) = &name {
        found.retain(|status| is_called(status, name));
    }
    found.truncate(MOST);
    let can_start = !call.site.read_only;
    let body = html! {
        nav class="bar" aria-label="Pages" {
            a href="/api/v1/openapi.json" { "HTTP API (OpenAPI)" }
            @if call.site.handle.is_guarded() {
                form method="post" action="/logout" { button { "Log out" } }
            }
        }
        p class="link" role="status" hidden {}
        main {
            header { h1 class="page" { "Runs of this server" } }
            (filter(parameters.state, name.as_deref()))
            (table(&found, state.is_some() || name.is_some(), can_start))
            @if can_start { (starting()) }
        }
    };
    Ok(assets::page("Runs", &["list"], &body))
}

/// Runs on the page.
const MOST: usize = 100;

fn read<const N: usize>(members: [(&str, Option<Value>); N]) -> Result<Parameters, Problem> {
    let present = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Ok(Parameters::take(&mut present.collect::<Map>())?)
}

/// Whether a part of the name of a run is this one, in whatever case.
fn is_called(status: &Status, wanted: &str) -> bool {
    let name = status.run.as_ref().and_then(|info| info.name.as_deref()).unwrap_or_default();
    name.to_lowercase().contains(&wanted.trim().to_lowercase())
}

fn filter(state: Option<State>, name: Option<&str>) -> Markup {
    html! {
        form class="filter" method="get" action="/" role="search" {
            label { "Name " input type="search" name="name" value=[name]; }
            label {
                "State "
                select name="state" {
                    option value="" { "all" }
                    @for known in State::OF_RUNS {
                        option value=(known) selected[state == Some(known)] { (known) }
                    }
                }
            }
            button { "Filter" }
        }
    }
}

fn table(runs: &[Status], is_filtered: bool, can_start: bool) -> Markup {
    html! {
        form method="get" action="/compare" id="runs" {
            @if runs.is_empty() {
                p class="empty" {
                    @if is_filtered { "No run is like that. " a href="/" { "Show all runs" } }
                    @else if can_start { "There is no run yet. Start one below, or with " code { "ldctl send" } "." }
                    @else { "There is no run yet." }
                }
            } @else {
                div class="wide" {
                    table class="stack runs" {
                        caption { "The newest runs. Tick two to compare them." }
                        thead { tr {
                            th class="text" scope="col" { "Run" }
                            th class="text" scope="col" { "State" }
                            th class="text" scope="col" { "Name" }
                            th class="text" scope="col" { "Began" }
                            th scope="col" { "Length" }
                            th scope="col" { "Requests" }
                            th scope="col" { "Failed" }
                            th scope="col" { "p95" }
                            th class="text" scope="col" { "Verdict" }
                        } }
                        tbody { @for status in runs { (row(status)) } }
                    }
                }
                @if runs.len() > 1 { p { button { "Compare the two that are ticked" } } }
            }
        }
    }
}

fn row(status: &Status) -> Markup {
    let Some(info) = &status.run else { return html! {} };
    let shown = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let count = |value: Option<u64>| shown(value.map(report::count));
    html! {
        tr {
            td class="text" {
                input type="checkbox" name="run" value=(info.run)
                    aria-label=(format!("Compare run {}", info.run));
                " " a href=(format!("/runs/{}", info.run)) { (info.run) }
            }
            td class="text" data-l="State" { span class=(format!("badge {}", view::class(status.state))) { (view::mark(status.state)) " " (status.state) } }
            td class="text" data-l="Name" { (info.name.as_deref().unwrap_or("–")) }
            td class="text" data-l="Began" {
                @match &info.started { Some(started) => (view::clock(started)), None => "–" }
            }
            td data-l="Length" { (shown(info.elapsed_s.map(view::length))) }
            td data-l="Requests" { (count(info.requests)) }
            td data-l="Failed" class=[info.failures.filter(|count| *count > 0).map(|_| "bad")] { (count(info.failures)) }
            td data-l="p95" { (shown(info.p95_ms.map(report::millis))) }
            td class="text" data-l="Verdict" { (verdict(status.state, info)) }
        }
    }
}

fn verdict(state: State, info: &RunInfo) -> Markup {
    html! {
        @match &info.message {
            Some(why) if state.is_final() => span class=(view::class(state)) { (why) },
            _ if state.is_final() => span class=(view::class(state)) { (view::word(state)) },
            _ => span class="soft" { "not yet" },
        }
    }
}

fn starting() -> Markup {
    html! {
        h2 id="start" { "Start a run" }
        form class="starting" method="post" action="/runs" aria-labelledby="start" {
            p {
                label for="document" { "Document" }
                textarea id="document" name="document" rows="12" spellcheck="false" required
                    aria-describedby="hint findings" placeholder="[[\"LD_start_test\", {…}]]" {}
            }
            p class="soft" id="hint" { "Paste a document of actions as JSON, or drop a file anywhere on this form." }
            p class="scripted" hidden { label { "From a file " input type="file" accept=".json,application/json"; } }
            div id="findings" role="status" aria-live="polite" {}
            div class="row" {
                label { "Name " input name="name" maxlength="200"; }
                label { "Wait for another test to end, at most seconds " input type="number" name="queue" min="0" step="1" placeholder="0"; }
                button class="go" { "Start" }
            }
            p class="bad" role="alert" id="refused" hidden {}
        }
    }
}

/// Starts the document of a form.
pub(super) async fn start(mut call: Call) -> Answer {
    let body = call.body().await?;
    let mut document = Zeroizing::new(String::new());
    let (mut name, mut queue) = (None, None);
    for (key, value) in url::form_urlencoded::parse(&body) {
        match &*key {
            "document" => document = Zeroizing::new(value.into_owned()),
            "name" => name = Some(value.trim().to_owned()).filter(|name| !name.is_empty()),
            "queue" => queue = value.trim().parse::<i64>().ok().filter(|queue| *queue > 0),
            _ => {}
        }
    }
    let parameters = read([("name", name.map(Value::from)), ("queue", queue.map(Value::Int))])?;
    let document = Zeroizing::new(document.as_bytes().to_vec());
    let run = runs::submit(&call, document, parameters).await?;
    Ok(view::to_run(run))
}

/// Leads to two runs beside each other, the newer one first.
pub(super) async fn compare(call: Call) -> Answer {
    let query = call.head.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "run");
    let mut runs: Vec<u64> = pairs.filter_map(|(_, run)| super::call::number(&run)).collect();
    runs.sort_unstable();
    runs.dedup();
    let [before, now] = runs[..] else {
        let why = "tick two runs to compare them";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-document", why));
    };
    let mut response = empty(StatusCode::SEE_OTHER);
    let to = HeaderValue::from_str(&format!("/api/v1/runs/{now}/compare/{before}.html"));
    response.headers_mut().insert(LOCATION, to.map_err(|_| Problem::not_found())?);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_by_a_part_of_their_name_and_its_markup_is_text() {
        let info = RunInfo { run: 1, name: Some("<b>Shop</b>".to_owned()), ..RunInfo::default() };
        let status = Status { state: State::Failed, run: Some(Box::new(info)) };
        assert!(is_called(&status, " shop ") && !is_called(&status, "bank"));
        let html = row(&status).into_string();
        assert!(html.contains("&lt;b&gt;Shop") && !html.contains("<b>"), "{html}");
    }
}
