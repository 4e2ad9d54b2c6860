//! A job's sink: encodes events as the bytes of the reply and writes them into the [`Pipe`]. It
//! lives on the job's thread. What a reply holds takes memory under the ceiling; a result that does
//! not fit is replaced by a failure that says so.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::limits::Limits;
use super::pipe::Pipe;
use super::run_log::RunLog;
use super::state::ServerState;
use crate::event::{ActionResult, Event, Failure, FailureKind, Sink};
use crate::memory::Share;
use crate::value::Value;
use crate::wire::dialect::{ReplyFormat, Writer};
use crate::wire::op::Op;

/// The sink of one job.
pub(super) struct PipeWriter {
    pipe: Arc<Pipe>,
    limits: Limits,
    /// How long an event waits for a client that is behind. A test must not; a report has time.
    patience: Duration,
    writer: Option<Writer>,
    /// Whether the reply ends after the first event.
    only_first: bool,
    /// The memory of the value that is being written and of the lines that are collected.
    share: Share,
    log: RunLog,
}

impl PipeWriter {
    pub(super) fn new(
        pipe: Arc<Pipe>,
        format: ReplyFormat,
        server: &ServerState,
        peer: IpAddr,
    ) -> Self {
        let limits = server.limits().clone();
        let writer = Some(Writer::new(format, limits.reply_bytes));
        let share = server.memory.share("a reply");
        let patience = match format.op {
            Op::Report => limits.write,
            _ => limits.stall_timeout,
        };
        let log = RunLog::new(peer);
        Self { pipe, limits, patience, writer, only_first: false, share, log }
    }

    /// Ends the reply after the first event.
    pub(super) fn only_first(mut self) -> Self {
        self.only_first = true;
        self
    }

    /// Writes the rest and the terminator. The job is over, so waiting for a slow reader blocks
    /// only its own thread.
    pub(super) fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.pipe.conclude();
            let (piece, timeout) = (self.limits.reply_queue / 4, self.limits.write);
            writer.finish(piece, |bytes| self.pipe.push(bytes, timeout));
        }
        self.pipe.end();
    }

    fn write(&mut self, event: &Event, action: Option<&str>) {
        let Some(writer) = &mut self.writer else { return };
        let mut out = Vec::new();
        writer.write(event, action, &mut out);
        // More than what was taken for the value only if its text is longer than the value itself.
        let _ = self.share.set(writer.held());
        if !out.is_empty() {
            self.pipe.push(&out, self.patience);
        }
        if self.only_first {
            self.end();
        }
    }

    /// Takes memory for a result: for its value, the text that is made of it, and what waits for the
    /// client.
    fn reserve(&mut self, result: &ActionResult) -> Result<(), Failure> {
        let text = result.text.as_ref().map_or(0, String::len);
        let weight = result.value.as_ref().map_or(0, Value::weight) + text;
        // Small results are what an exhausted ceiling must not prevent: failures, the figures of a
        // test.
        if weight <= SMALL {
            return Ok(());
        }
        let fits = self.share.grow(weight).and_then(|()| self.pipe.reserve(weight));
        fits.map_err(|full| Failure::new(FailureKind::Refused, full.to_string()))
    }
}

/// The weight of a result that needs no share, in bytes.
const SMALL: usize = 16 * 1024;

impl Drop for PipeWriter {
    /// The pipe ends even if the job panics.
    fn drop(&mut self) {
        self.pipe.end();
    }
}

impl Sink for PipeWriter {
    fn emit(&mut self, event: Event) {
        self.log.note(&event);
        self.write(&event, None);
    }

    fn is_open(&self) -> bool {
        !self.pipe.is_dropped()
    }

    fn result(&mut self, action: &str, mut result: ActionResult) {
        for warning in &result.warnings {
            tracing::warn!("{warning}");
        }
        if let Err(failure) = self.reserve(&result) {
            result = ActionResult::new(result.index, &result.command, Err(failure));
        }
        let event = Event::Result(result);
        self.log.note(&event);
        self.write(&event, Some(action));
    }
}
