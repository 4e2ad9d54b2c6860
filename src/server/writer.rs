//! A job's sink: encodes events as the bytes of the reply and writes them into the [`Pipe`]. It
//! lives on the job's thread.

use std::sync::Arc;

use super::limits::Limits;
use super::pipe::Pipe;
use crate::event::{ActionResult, Event, Sink};
use crate::wire::dialect::{ReplyFormat, Writer};

/// The sink of one job.
pub(super) struct PipeWriter {
    pipe: Arc<Pipe>,
    limits: Limits,
    writer: Option<Writer>,
    /// Whether the reply ends after the first event.
    only_first: bool,
}

impl PipeWriter {
    pub(super) fn new(pipe: Arc<Pipe>, format: ReplyFormat, limits: Limits) -> Self {
        let writer = Some(Writer::new(format, limits.reply_bytes));
        Self { pipe, limits, writer, only_first: false }
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
            let (piece, timeout) = (self.limits.reply_queue / 4, self.limits.write);
            writer.finish(piece, |bytes| self.pipe.push(bytes, timeout));
        }
        self.pipe.end();
    }

    fn write(&mut self, event: &Event, action: Option<&str>) {
        let Some(writer) = &mut self.writer else { return };
        let mut out = Vec::new();
        writer.write(event, action, &mut out);
        if !out.is_empty() {
            self.pipe.push(&out, self.limits.stall_timeout);
        }
        if self.only_first {
            self.end();
        }
    }
}

impl Drop for PipeWriter {
    /// The pipe ends even if the job panics.
    fn drop(&mut self) {
        self.pipe.end();
    }
}

impl Sink for PipeWriter {
    fn emit(&mut self, event: Event) {
        self.write(&event, None);
    }

    fn result(&mut self, action: &str, result: ActionResult) {
        for warning in &result.warnings {
            tracing::warn!("{warning}");
        }
        self.write(&Event::Result(result), Some(action));
    }
}
