//! Responses to requests: most operations with immediate events, the others with a [`Job`].

use std::net::IpAddr;
use std::sync::Arc;

use super::execute::{Followed, Job};
use super::state::ServerState;
use crate::event::{Event, PROTOCOL, Pong};
use crate::run::{Hold, Run, Submission};
use crate::value::Value;
use crate::wire::dialect::Dialect;
use crate::wire::op::Op;
use crate::wire::parameters::{LISTED_RUNS, Parameters};
use crate::wire::refusal::Refusal;
use crate::wire::request::Request;

/// The response to a request.
pub(super) enum Response {
    /// These events.
    Now(Vec<Event>),
    /// The events of a job.
    Job(Job),
    /// The events of a document, whose run may be held by the connection, or go on without it.
    Run(Job, Bond),
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

impl ServerState {
    /// Responds to a request. The session itself handles a quit.
    pub(super) fn respond(
        &self,
        request: Request<Value>,
        peer: IpAddr,
    ) -> Result<Response, Refusal> {
        let executor = Arc::clone(&self.server.executor);
        let Parameters { name, detach, queue, run, limit, state } = request.parameters;
        Ok(match request.op {
            Op::Run => match request.document {
                None => Response::Now(Vec::new()),
                Some(document) => {
                    let events = request.dialect == Dialect::Events;
                    let hold = (events && !detach).then(Arc::<Hold>::default);
                    let submission = Submission {
                        name,
                        peer: Some(peer.to_string()),
                        hold: hold.clone(),
                        patience: queue,
                        // Old clients see the records of all documents, as the reference's do.
                        isolated: events,
                        document: None,
                    };
                    let job = executor.prepare(document, submission);
                    let job = job.map_err(|_| Refusal::invalid_document())?;
                    let bond = match hold {
                        Some(hold) => Bond::Held(hold),
                        None if detach => Bond::Detached,
                        None => Bond::None,
                    };
                    Response::Run(job, bond)
                }
            },
            Op::Ping => Response::Now(vec![Event::Pong(self.pong())]),
            Op::Status => match run {
                Some(run) => Response::Job(executor.report(run)),
                None => Response::Now(vec![Event::Status(executor.status()), Event::DONE]),
            },
            Op::Stop => Response::Job(executor.stop(run)),
            Op::Runs => Response::Job(executor.list(limit.unwrap_or(LISTED_RUNS.0), state)),
            Op::Attach => match executor.follow(run) {
                Followed::Run(run) => Response::Follow(run),
                Followed::Stored(job) => Response::Job(job),
            },
            Op::Quit => Response::Now(vec![Event::DONE]),
        })
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
