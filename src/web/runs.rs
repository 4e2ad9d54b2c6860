//! Runs: start, list, look at, stop.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde::Serialize;
use zeroize::Zeroizing;

use super::call::{Answer, Call};
use super::error::Problem;
use super::reply;
use crate::event::{ActionResult, Event, State, Status};
use crate::run::Submission;
use crate::server::{Execute, Followed};
use crate::wire::parameters::{LISTED_RUNS, Parameters};
use crate::wire::refusal::Refusal;

/// A run with the results of its actions.
#[derive(Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    status: &'a Status,
    results: Vec<ActionResult>,
}

/// Several runs.
#[derive(Serialize)]
struct Listed {
    runs: Vec<Status>,
}

/// Starts a document, which goes on by itself.
pub(super) async fn start(mut call: Call) -> Answer {
    let parameters = call.parameters(&["name", "queue"])?;
    let document = call.body().await?;
    let run = submit(&call, document, parameters).await?;
    let status = describe(&call, run).await?;
    let mut response = reply::json(StatusCode::ACCEPTED, &status);
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/runs/{run}")) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// Has a document accepted: the number of its run.
pub(super) async fn submit(
    call: &Call,
    document: Zeroizing<Vec<u8>>,
    parameters: Parameters,
) -> Result<u64, Problem> {
    let submission = Submission {
        name: parameters.name,
        peer: Some(call.from().to_string()),
        patience: parameters.queue,
        at_once: parameters.queue.is_none(),
        isolated: true,
        ..Submission::default()
    };
    let job = call.site.handle.submit(document, submission).await.map_err(Problem::overloaded)?;
    let accepted = match call.ask(job).await {
        Err(problem) if problem.status == StatusCode::CONFLICT => return Err(held(call, problem)),
        accepted => accepted?,
    };
    let Event::Accepted { run, .. } = accepted else { return Err(Problem::crashed()) };
    Ok(run)
}

/// The refusal because of another test, with who it is for programs.
fn held(call: &Call, problem: Problem) -> Problem {
    let status = call.site.handle.executor().status();
    let problem = problem.with("holder", status.run.as_ref().map(|run| run.run));
    problem.with("holder_remaining_s", status.run.and_then(|run| run.remaining_s))
}

/// The newest runs.
pub(super) async fn list(call: Call) -> Answer {
    let parameters = call.parameters(&["limit", "state"])?;
    let limit = parameters.limit.unwrap_or(LISTED_RUNS.0);
    Ok(reply::json(StatusCode::OK, &Listed { runs: all(&call, limit, parameters.state).await? }))
}

/// The newest runs, for a page as well.
pub(super) async fn all(
    call: &Call,
    limit: usize,
    state: Option<State>,
) -> Result<Vec<Status>, Problem> {
    match call.ask(call.site.handle.executor().list(limit, state)).await? {
        Event::Runs { runs } => Ok(runs),
        _ => Err(Problem::crashed()),
    }
}

/// One run, with the results of its actions so far.
pub(super) async fn look(call: Call) -> Answer {
    let run = call.number("run")?;
    let status = describe(&call, run).await?;
    let results = results(&call, run).await?;
    Ok(reply::json(StatusCode::OK, &Described { status: &status, results }))
}

/// The state and figures of a run.
pub(super) async fn describe(call: &Call, run: u64) -> Result<Status, Problem> {
    match call.ask(call.site.handle.executor().describe(run)).await? {
        Event::Status(status) => Ok(status),
        _ => Err(Problem::crashed()),
    }
}

/// The results of its actions so far.
async fn results(call: &Call, run: u64) -> Result<Vec<ActionResult>, Problem> {
    let executor = call.site.handle.executor();
    call.blocking(move || results_of(&executor, run)).await
}

/// The same. Blocks its thread.
pub(super) fn results_of(
    executor: &Arc<dyn Execute>,
    run: u64,
) -> Result<Vec<ActionResult>, Refusal> {
    let of = |event: &Event| match event {
        Event::Result(result) => Some(result.clone()),
        _ => None,
    };
    Ok(match Arc::clone(executor).follow(Some(run)) {
        Followed::Run(run) => {
            let (events, _) = run.events_after(0);
            events.iter().filter_map(|(_, event)| of(event)).collect()
        }
        Followed::Stored(read) => read()?.iter().filter_map(|(_, event)| of(event)).collect(),
    })
}

/// Stops one, and waits for the end of its test for a while.
pub(super) async fn stop(call: Call) -> Answer {
    let run = call.number("run")?;
    match call.ask(call.site.handle.executor().stop(Some(run))).await? {
        Event::Status(status) => Ok(reply::json(StatusCode::ACCEPTED, &status)),
        _ => Err(Problem::crashed()),
    }
}
