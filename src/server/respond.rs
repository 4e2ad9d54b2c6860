//! Responses to requests: most operations with immediate events, the others with a [`Job`].

use std::net::IpAddr;
use std::sync::Arc;

use super::execute::Job;
use super::state::ServerState;
use crate::event::{Event, PROTOCOL, Pong};
use crate::run::Submission;
use crate::value::Value;
use crate::wire::dialect::Dialect;
use crate::wire::op::Op;
use crate::wire::refusal::Refusal;
use crate::wire::request::Request;

/// The response to a request.
pub(super) enum Response {
    /// These events.
    Now(Vec<Event>),
    /// The events of a job.
    Job(Job),
}

impl ServerState {
    /// Responds to a request. The session itself handles a quit.
    pub(super) fn respond(
        &self,
        request: Request<Value>,
        peer: IpAddr,
    ) -> Result<Response, Refusal> {
        let executor = Arc::clone(&self.server.executor);
        Ok(match request.op {
            Op::Run => match request.document {
                None => Response::Now(Vec::new()),
                Some(document) => {
                    let submission = Submission {
                        peer: Some(peer.to_string()),
                        // Old clients see the records of all documents, as the reference's do.
                        isolated: request.dialect == Dialect::Events,
                        ..Submission::default()
                    };
                    let job = executor.prepare(document, submission);
                    Response::Job(job.map_err(|_| Refusal::invalid_document())?)
                }
            },
            Op::Ping => Response::Now(vec![Event::Pong(self.pong())]),
            Op::Status => Response::Now(vec![Event::Status(executor.status()), Event::DONE]),
            Op::Stop => Response::Job(executor.stop()),
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
