//! The files of a run: reports, the rows of its requests, its document. They are made while they are
//! sent, at the client's pace, so that no report of every request is ever held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Frame;
use hyper::header::{CONTENT_DISPOSITION, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::call::{Answer, Call};
use super::error::Problem;
use super::{headers, reply, runs};
use crate::event::{Event, ReportFormat, Sink, Status};
use crate::net::http_service::InUse;
use crate::report::html::{SCRIPT, STYLE};
use crate::server::Job;
use crate::wire::refusal::Refusal;

/// What must be known of the figures, where a file has no place for it.
const WARNING: HeaderName = HeaderName::from_static("ldctl-warning");

/// Pieces that wait for a client, each below a frame's length.
const WAITING: usize = 2;

/// The media type of pages.
const HTML: &str = "text/html; charset=utf-8";

/// The page of a run.
pub(super) async fn page(call: Call) -> Answer {
    report(call, ReportFormat::Html, HTML, "html").await
}

/// The figures of a run.
pub(super) async fn summary(call: Call) -> Answer {
    report(call, ReportFormat::Summary, "application/json", "summary.json").await
}

/// The names of a run as testcases.
pub(super) async fn junit(call: Call) -> Answer {
    report(call, ReportFormat::Junit, "application/xml", "junit.xml").await
}

/// The requests of a run.
pub(super) async fn records(call: Call) -> Answer {
    report(call, ReportFormat::Csv, "text/csv; charset=utf-8", "records.csv").await
}

/// The document of a run, without its secrets.
pub(super) async fn document(call: Call) -> Answer {
    let run = call.number("run")?;
    let executor = call.site.handle.executor();
    let document = call.blocking(move || executor.document(run)).await?;
    let mut response = reply::of(StatusCode::OK, "application/json", Body::from(document));
    name_file(&mut response, run, "document.json");
    Ok(response)
}

/// A run beside another one.
pub(super) async fn compare(call: Call) -> Answer {
    let run = call.number("run")?;
    let with = call.part("other").strip_suffix(".html").and_then(super::call::number);
    let with = with.ok_or_else(Problem::not_found)?;
    let job = call.site.handle.executor().compare(run, with);
    let name = format!("and-{with}.html");
    send(&call, run, job, HTML, &name).await
}

async fn report(call: Call, format: ReportFormat, media: &'static str, name: &str) -> Answer {
    let run = call.number("run")?;
    let job = call.site.handle.executor().report(Some(run), format);
    send(&call, run, job, media, name).await
}

/// Sends what a job writes.
async fn send(call: &Call, run: u64, job: Job, media: &'static str, name: &str) -> Answer {
    let (sender, mut pieces) = mpsc::channel(WAITING);
    call.site.handle.start(call.from(), job, Queue(sender));
    let (first, warnings) = match pieces.recv().await {
        Some(Event::Report { text, warnings, .. }) => (text, warnings),
        Some(Event::Done { .. }) => (String::new(), Vec::new()),
        Some(Event::Error { kind, message }) => {
            let problem = Problem::from(Refusal::new(kind, message));
            return Err(not_yet(call, run, problem).await);
        }
        _ => return Err(Problem::crashed()),
    };
    let file = File { first: Some(first.into()), pieces, _in_use: call.peer.in_use.clone() };
    let mut response = reply::of(StatusCode::OK, media, Body::new(file));
    name_file(&mut response, run, name);
    let headers = response.headers_mut();
    if media == HTML {
        headers::allow_inline(headers, &[STYLE], &[SCRIPT]);
    }
    for warning in warnings {
        let shown: String =
            warning.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
        if let Ok(value) = HeaderValue::from_str(&shown) {
            headers.append(WARNING, value);
        }
    }
    Ok(response)
}

/// Tells what is not there yet, and what never was, from what is no longer there.
async fn not_yet(call: &Call, run: u64, problem: Problem) -> Problem {
    if problem.status != StatusCode::GONE {
        return problem;
    }
    match runs::describe(call, run).await {
        Ok(status) if !status.state.is_final() => problem.with_status(StatusCode::CONFLICT),
        // It has made no test.
        Ok(Status { run: Some(run), .. }) if run.requests.is_none() => {
            problem.with_status(StatusCode::CONFLICT)
        }
        _ => problem,
    }
}

/// The name under which browsers keep it; pages they show.
fn name_file(response: &mut Response, run: u64, name: &str) {
    let how = if name.ends_with("html") { "inline" } else { "attachment" };
    let separator = if name == "html" { '.' } else { '-' };
    let value = format!("{how}; filename=\"run-{run}{separator}{name}\"");
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
}

/// Passes on the events of a job to a client, and waits for it. A client that does not read is
/// disconnected at the deadline of writing, which ends the job.
struct Queue(mpsc::Sender<Event>);

impl Sink for Queue {
    fn emit(&mut self, event: Event) {
        // Whoever asked may have left.
        drop(self.0.blocking_send(event));
    }

    fn is_open(&self) -> bool {
        !self.0.is_closed()
    }
}

/// The body of a file.
struct File {
    first: Option<Bytes>,
    pieces: mpsc::Receiver<Event>,
    _in_use: InUse,
}

impl hyper::body::Body for File {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Poll::Ready(match ready!(this.pieces.poll_recv(context)) {
            Some(Event::Report { text, .. }) => Some(Ok(Frame::data(text.into()))),
            Some(Event::Done { .. }) => None,
            // The client sees that it is not whole.
            _ => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}
