//! The log on stderr: in the same form as other messages, with the time where a server runs for weeks.

use std::fmt;
use std::io::{self, Write};

use jiff::Timestamp;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::stderr::Stderr;
use super::style::{Role, Style};
use crate::redact;

/// Starts to write the log: warnings; with `verbose` also information, twice also details. A second
/// call does nothing.
pub(super) fn start(stderr: Stderr, verbose: u8, timed: bool) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    let style = stderr.style();
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .event_format(Form { style, timed })
        .with_writer(move || Lines(stderr.clone()))
        .try_init();
}

/// The form of a line: `warning: text`, with the time before it where that is wanted.
struct Form {
    style: Style,
    timed: bool,
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.timed {
            write!(writer, "{:.3} ", Timestamp::now())?;
        }
        let (role, kind) = match *event.metadata().level() {
            Level::ERROR => (Role::Bad, "error:"),
            Level::WARN => (Role::Warn, "warning:"),
            Level::INFO => (Role::Soft, "info:"),
            _ => (Role::Soft, "debug:"),
        };
        write!(writer, "{} ", self.style.paint(role, kind))?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Writes the log without secrets, which messages of libraries may hold as well. A message arrives
/// in one piece.
struct Lines(Stderr);

impl Write for Lines {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.0.lines(&redact::text(&String::from_utf8_lossy(message)));
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
