//! A run's sink: events become the bytes of the reply and go into the [`Pipe`]. It lives on the
//! run's thread. Events are written as they come; text is gathered, because equal actions share a
//! line, and written when the run is over.

use std::sync::Arc;

use super::limits::Limits;
use super::pipe::Pipe;
use crate::event::{Event, Sink};
use crate::wire::frame::{Mode, terminator_into};
use crate::wire::reply::{Dialect, Lines, event_into, record_into};

/// The sink of one run.
pub(super) struct Writer {
    pipe: Arc<Pipe>,
    mode: Mode,
    dialect: Dialect,
    limits: Limits,
    lines: Lines,
}

impl Writer {
    pub(super) fn new(pipe: Arc<Pipe>, mode: Mode, dialect: Dialect, limits: Limits) -> Self {
        Self { pipe, mode, dialect, limits, lines: Lines::default() }
    }

    /// Writes what was gathered, and the terminator. The run is over, so that waiting for a slow
    /// reader costs nobody but its own thread.
    pub(super) fn finish(mut self) {
        let mut out = Vec::new();
        for line in std::mem::take(&mut self.lines).into_lines() {
            record_into(self.mode, &line, &mut out);
            if out.len() >= self.limits.reply_queue / 4 {
                if !self.pipe.push(&out, self.limits.write) {
                    return;
                }
                out.clear();
            }
        }
        terminator_into(self.mode, &mut out);
        self.pipe.push(&out, self.limits.write);
    }
}

impl Drop for Writer {
    /// The pipe ends even when the run panics.
    fn drop(&mut self) {
        self.pipe.end();
    }
}

impl Sink for Writer {
    fn emit(&mut self, event: Event) {
        match (self.dialect, event) {
            (Dialect::Text, Event::Result(result)) => {
                self.lines.push(&result, self.limits.reply_bytes);
            }
            (Dialect::Text, Event::Status(status)) => self.lines.say(status.to_string()),
            (Dialect::Text, _) => {}
            (Dialect::Events, event) => {
                let mut out = Vec::new();
                event_into(&event, &mut out);
                self.pipe.push(&out, self.limits.patience);
            }
        }
    }
}
