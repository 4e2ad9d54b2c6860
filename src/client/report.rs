//! The report of a run, piece by piece.

use std::io;
use std::time::Duration;

use super::{ClientError, Endpoint};
use crate::event::{Event, ReportFormat};
use crate::wire::dialect::Reply;
use crate::wire::op::Op;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::token::Token;

/// Why a report has not arrived.
#[derive(Debug, thiserror::Error)]
pub enum ReportFault {
    /// The server, or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What takes the pieces.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Requests the report of a run, or of the one whose test runs, or else of the last, and passes its
/// pieces to `write` in their order. Each may take `limit`. Returns what must be known of the figures.
pub async fn report(
    endpoint: &Endpoint,
    token: Option<&Token>,
    run: Option<u64>,
    format: ReportFormat,
    limit: Duration,
    write: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Vec<String>, ReportFault> {
    let parameters = Parameters { run, format: Some(format), ..Parameters::default() };
    let request = Request::new(Op::Report).with(parameters);
    let mut replies = endpoint.ask(request, token, limit).await?;
    let address = endpoint.address();
    let (mut notes, mut pieces, mut done) = (Vec::new(), 0, false);
    while let Some(reply) = replies.next().await? {
        if let Some(refusal) = replies.refusal(&reply) {
            return Err(refusal.into());
        }
        match reply {
            Reply::Event(Event::Report { text, warnings, .. }) => {
                notes.extend(warnings);
                pieces += 1;
                write(&text)?;
            }
            Reply::Event(Event::Done { .. }) => done = true,
            Reply::Event(_) => {}
            Reply::Line(_) => return Err(ClientError::NotThisProtocol { address }.into()),
        }
    }
    match (pieces, done) {
        // A server that does not support the op replies with the terminator alone.
        (0, false) => Err(ClientError::UnknownRequest { address, what: Op::Report.name() }.into()),
        (_, false) => Err(ClientError::Truncated { address }.into()),
        (_, true) => Ok(notes),
    }
}
