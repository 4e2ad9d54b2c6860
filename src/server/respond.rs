//! Responses to requests: most operations with immediate events, the others with a [`Job`]. A
//! document is read by its job, not by the thread that serves all connections.

use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::execute::{Execute, Followed, Job, Unready};
use super::state::ServerState;
use crate::counters::Counters;
use crate::event::{Event, PROTOCOL, Pong, ReportFormat};
use crate::memory::Share;
use crate::run::{Hold, Run, Submission};
use crate::value::json_weight;
use crate::wire::dialect::Dialect;
use crate::wire::op::Op;
use crate::wire::parameters::{LISTED_RUNS, Parameters};
use crate::wire::refusal::Refusal;
use crate::wire::request::{Located, Request, parse};

/// The response to a request.
pub(super) enum Response {
    /// These events.
    Now(Vec<Event>),
    /// The events of a job.
    Job(Job),
    /// The events of a document, once it has a place. Its run may be held by the connection, or go
    /// on without it.
    Document(Submitted, Bond),
    /// The events of a run, whoever requested it.
    Follow(Arc<Run>),
}

/// How a run depends on the connection that requests it.
pub(super) enum Bond {
    /// Not at all: the client gets its events as long as it is there.
    None,
    /// It ends with the connection.
    Held(Arc<Hold>),
    /// The reply ends once the document is accepted.
    Detached,
}

/// A document that waits for its place.
pub(super) struct Submitted {
    located: Located,
    submission: Submission,
    /// Whether its refusal says where it is no document; the socket's is the reference's.
    is_explained: bool,
}

/// The bytes of a request, which hold its document; overwritten when dropped.
pub(super) struct RequestBytes {
    bytes: Zeroizing<Vec<u8>>,
    body: Range<usize>,
}

impl RequestBytes {
    /// The body of a request among these bytes.
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>, body: Range<usize>) -> Self {
        Self { bytes, body }
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }
}

/// A document's place among those that are read or run at once, and its memory; returned on drop.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Its turn to be read, until it is; `None` also if it has waited too long for one.
    turn: Option<OwnedSemaphorePermit>,
    memory: Share,
}

/// The job emits events about a run, or why the job that describes the run cannot.
fn if_known(describe: Job, events: Vec<Event>) -> Job {
    Box::new(move |sink, stop| {
        let mut refused = None;
        let mut look = |event| {
            if matches!(event, Event::Error { .. }) {
                refused.get_or_insert(event);
            }
        };
        describe(&mut look, stop);
        let events = refused.map_or(events, |refused| vec![refused]);
        events.into_iter().for_each(|event| sink.emit(event));
    })
}

impl ServerState {
    /// Responds to a request. The session itself handles a quit.
    pub(super) fn respond(&self, request: Request<Located>, peer: IpAddr) -> Response {
        let executor = Arc::clone(&self.server.executor);
        let Parameters { name, file, detach, queue, verbose, run, limit, state, format } =
            request.parameters;
        match request.op {
            Op::Run => match request.document {
                None => Response::Now(Vec::new()),
                Some(located) => {
                    let events = request.dialect == Dialect::Events;
                    let hold = (events && !detach).then(Arc::<Hold>::default);
                    let submission = Submission {
                        name,
                        file,
                        peer: Some(peer.to_string()),
                        hold: hold.clone(),
                        patience: queue,
                        at_once: false,
                        detail: if events { verbose } else { 0 },
                        // Old clients see the records of all documents, as the reference's do.
                        isolated: events,
                        document: None,
                    };
                    let bond = match hold {
                        Some(hold) => Bond::Held(hold),
                        None if detach => Bond::Detached,
                        None => Bond::None,
                    };
                    Response::Document(Submitted { located, submission, is_explained: false }, bond)
                }
            },
            Op::Ping => Response::Now(vec![Event::Pong(self.pong())]),
            Op::Status => match run {
                Some(run) => Response::Job(executor.describe(run)),
                None => Response::Now(vec![Event::Status(executor.status()), Event::DONE]),
            },
            Op::Stop => Response::Job(executor.stop(run)),
            Op::Runs => Response::Job(executor.list(limit.unwrap_or(LISTED_RUNS.0), state)),
            Op::Attach => match executor.follow(run) {
                Followed::Run(run) => Response::Follow(run),
                Followed::Stored(read) => Response::Job(Box::new(move |sink, _| match read() {
                    Ok(events) => events.into_iter().for_each(|(_, event)| sink.emit(event)),
                    Err(refusal) => sink.emit(refusal.into()),
                })),
            },
            Op::Report => {
                let format = format.unwrap_or(ReportFormat::Html);
                Response::Job(executor.report(run, format))
            }
            Op::Link => {
                let path = run.map_or_else(|| "/".to_owned(), |run| format!("/runs/{run}"));
                let events = match self.links.make(&path, self.server.keyring.changes()) {
                    Ok((url, expires_s)) => vec![Event::Link { url, expires_s }, Event::DONE],
                    Err(refusal) => return Response::Now(vec![refusal.into()]),
                };
                match run {
                    Some(run) => Response::Job(if_known(executor.describe(run), events)),
                    None => Response::Now(events),
                }
            }
            Op::Quit => Response::Now(vec![Event::DONE]),
        }
    }

    /// Waits for a place for a document in a request of so many bytes.
    pub(super) async fn admit_document(&self, bytes: usize) -> Result<Place, Refusal> {
        let most = self.limits().documents;
        let place = Arc::clone(&self.documents).acquire_owned();
        let Ok(Ok(permit)) = timeout(self.limits().document_wait, place).await else {
            let what = format!("{most} documents are running already (--max-documents {most})");
            return Err(Refusal::busy(&what));
        };
        let mut memory = self.memory.share("the document");
        memory.grow(bytes).map_err(|full| Refusal::busy(&full.to_string()))?;
        // Its turn only spares the processors: one that takes long to read does not hold up others
        // for ever.
        let turn = Arc::clone(self.reading.of(bytes)).acquire_owned();
        let turn = timeout(self.limits().request / 2, turn).await.ok().and_then(Result::ok);
        Ok(Place { _permit: permit, turn, memory })
    }

    fn pong(&self) -> Pong {
        Pong {
            server: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            uptime_s: self.started.elapsed().as_secs_f64(),
            runs: self.server.executor.runs(),
            counts: Some(self.counters().read()),
        }
    }
}

impl Submitted {
    /// A document that is all of its request.
    pub(super) fn whole(bytes: &[u8], submission: Submission) -> Self {
        Self { located: Located::whole(bytes), submission, is_explained: true }
    }

    /// The job that reads and runs it.
    pub(super) fn into_job(
        self,
        request: RequestBytes,
        place: Place,
        shared: &Arc<ServerState>,
    ) -> Job {
        let shared = Arc::clone(shared);
        Box::new(move |sink, cancel| {
            let mut place = place;
            let executor = Arc::clone(&shared.server.executor);
            let prepare = || self.prepare(request, &mut place.memory, executor, cancel);
            let prepared = catch_unwind(AssertUnwindSafe(prepare));
            place.turn = None;
            match prepared {
                Ok(Ok(job)) => job(sink, cancel),
                Ok(Err(refusal)) => sink.emit(refusal.into()),
                Err(_) => {
                    Counters::count(&shared.counters().panics);
                    sink.emit(Refusal::unreadable().into());
                }
            }
        })
    }

    fn prepare(
        self,
        request: RequestBytes,
        memory: &mut Share,
        executor: Arc<dyn Execute>,
        cancel: &CancellationToken,
    ) -> Result<Job, Refusal> {
        let document = {
            let text = self.located.text(request.body());
            let weight = json_weight(&text);
            memory.grow(weight).map_err(|full| Refusal::busy(&full.to_string()))?;
            parse(&text)?
        };
        let request = self.is_explained.then_some(request);
        Arc::clone(&executor).prepare(document, self.submission, cancel).map_err(|unready| {
            match (unready, request) {
                (Unready::Invalid(_), Some(request)) => {
                    let text = self.located.text(request.body());
                    explained(&executor.lint(&text))
                }
                (unready, _) => unready.into(),
            }
        })
    }
}

/// The refusal of what is no document, with the first of what is found in it.
fn explained(findings: &[serde_json::Value]) -> Refusal {
    let refusal = Refusal::invalid_document();
    let Some(found) = findings.first() else { return refusal };
    let Refusal { kind, message } = refusal;
    let (line, column) = (&found["line"], &found["column"]);
    let why = found["message"].as_str().unwrap_or_default();
    Refusal::new(kind, format!("{message}; line {line}, column {column}: {why}"))
}

impl From<Unready> for Refusal {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Invalid(_) => Self::invalid_document(),
            Unready::Late | Unready::Cancelled => Self::limit(&unready.to_string()),
        }
    }
}
