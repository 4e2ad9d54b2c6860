//! stderr: messages and the log, and below them the line about a running test. One lock for all of them,
//! so that no message stands in the middle of that line.
//!
//! The cursor stays at the beginning of the line. A terminal that becomes narrower breaks the line, and
//! the cursor still is where it begins: erasing from there leaves nothing behind, in terminals that break
//! lines and in those that cut them.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};

use super::bar::{self, Lines, Shown};
use super::style::{Role, Style, is_dumb};
use crate::cli::Color;
use crate::escape;
use crate::lock::lock;
use crate::redact;

/// From the cursor to the end of the screen.
const ERASE: &str = "\x1b[J";

/// The width of a terminal that does not tell it.
const WIDTH: usize = 80;

/// stderr of the process; clones are the same.
#[derive(Clone)]
pub struct Stderr(Arc<Mutex<State>>);

struct State {
    out: Box<dyn Write + Send>,
    style: Style,
    /// Whether the line can be drawn again in its place.
    terminal: bool,
    /// The columns of the terminal.
    columns: Box<dyn Fn() -> Option<usize> + Send>,
    /// Whether progress is wanted.
    progress: bool,
    lines: Lines,
    shown: Option<Shown>,
}

impl Stderr {
    /// The process's own.
    pub(super) fn new(color: Color) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let terminal = io::stderr().is_terminal();
        let style = Style::of(color, terminal, &variable);
        let columns = || {
            let size = terminal_size::terminal_size_of(io::stderr());
            size.map(|(terminal_size::Width(width), _)| usize::from(width))
        };
        Self::over(
            Box::new(io::stderr()),
            style,
            terminal && !is_dumb(&variable),
            Box::new(columns),
        )
    }

    fn over(
        out: Box<dyn Write + Send>,
        style: Style,
        terminal: bool,
        columns: Box<dyn Fn() -> Option<usize> + Send>,
    ) -> Self {
        let (progress, lines, shown) = (false, Lines::default(), None);
        Self(Arc::new(Mutex::new(State { out, style, terminal, columns, progress, lines, shown })))
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        lock(&self.0).terminal
    }

    /// Prints a message.
    pub fn message(&self, text: &str) {
        self.say(Role::Strong, "note", text);
    }

    /// Prints what is said only on request.
    pub(super) fn info(&self, text: &str) {
        self.say(Role::Soft, "info", text);
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        self.say(Role::Warn, "warning", text);
    }

    /// Prints an error.
    pub fn error(&self, text: &str) {
        self.say(Role::Bad, "error", text);
    }

    /// One line without secrets and without what a terminal interprets.
    fn say(&self, role: Role, kind: &str, text: &str) {
        let text = redact::text(text);
        let text = escape::for_terminal(&text).replace('\n', " ");
        let mut state = lock(&self.0);
        let kind = state.style.paint(role, &format!("{kind}:"));
        state.write(&format!("{kind} {text}\n"));
    }

    /// Writes lines that are whole.
    pub(super) fn lines(&self, text: &str) {
        lock(&self.0).write(text);
    }

    /// Its colours and characters.
    pub(super) fn style(&self) -> Style {
        lock(&self.0).style
    }

    /// Sets whether progress is shown.
    pub(super) fn show_progress(&self, wanted: bool) {
        lock(&self.0).progress = wanted;
    }

    /// Shows progress: in its place on a terminal, elsewhere as a line now and then.
    pub(super) fn progress(&self, what: Shown) {
        let mut state = lock(&self.0);
        if !state.progress {
            return;
        }
        if state.terminal {
            state.erase();
            state.shown = Some(what);
            state.draw();
        } else if let Some(line) = state.lines.next(&what) {
            let kind = state.style.paint(Role::Strong, "note:");
            state.write(&format!("{kind} {line}\n"));
        }
    }

    /// Removes the line about a test.
    pub(super) fn clear(&self) {
        let mut state = lock(&self.0);
        state.erase();
        state.shown = None;
    }
}

impl State {
    /// Errors are ignored, because they could not be reported.
    fn write(&mut self, text: &str) {
        self.erase();
        let _ = self.out.write_all(text.as_bytes());
        self.draw();
        let _ = self.out.flush();
    }

    fn erase(&mut self) {
        if self.shown.is_some() {
            let _ = write!(self.out, "\r{ERASE}");
            let _ = self.out.flush();
        }
    }

    fn draw(&mut self) {
        if let Some(shown) = &self.shown {
            let columns = (self.columns)().unwrap_or(WIDTH);
            let line = bar::line(shown, columns, self.style).render(self.style);
            let _ = write!(self.out, "{line}\r");
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Progress;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(terminal: bool, act: impl FnOnce(&Stderr)) -> String {
        let captured = Captured::default();
        let out = Box::new(captured.clone());
        let stderr = Stderr::over(out, Style::UNICODE, terminal, Box::new(|| Some(40)));
        stderr.show_progress(true);
        act(&stderr);
        String::from_utf8(lock(&captured.0).clone()).expect("UTF-8")
    }

    fn test(elapsed_s: f64) -> Shown {
        Shown::Test(Progress { elapsed_s, ..Progress::default() })
    }

    #[test]
    fn a_message_takes_the_place_of_the_line_which_moves_down() {
        let text = written(true, |stderr| {
            stderr.progress(test(1.0));
            stderr.message("hello");
            stderr.clear();
        });
        assert_eq!(
            text,
            "  1 s  0 users  0 requests  0 failed\r\r\u{1b}[Jnote: hello\n\
             \u{20} 1 s  0 users  0 requests  0 failed\r\r\u{1b}[J"
        );
    }

    #[test]
    fn where_there_is_no_terminal_a_line_is_written_now_and_then() {
        let text = written(false, |stderr| {
            (1..=25).for_each(|second| stderr.progress(test(f64::from(second))));
            stderr.clear();
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("note: 10 s: 0 users"), "{text}");
    }

    #[test]
    fn progress_that_is_not_wanted_is_not_shown() {
        for terminal in [true, false] {
            let text = written(terminal, |stderr| {
                stderr.show_progress(false);
                stderr.progress(test(10.0));
                stderr.warn("x");
            });
            assert_eq!(text, "warning: x\n");
        }
    }

    #[test]
    fn t23_a_message_cannot_control_the_terminal() {
        let text = written(true, |stderr| stderr.error("a\u{1b}[2J\nb"));
        assert_eq!(text, "error: a\\x1b[2J b\n");
    }
}
