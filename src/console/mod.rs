//! The only module that prints: results go to stdout, messages and the progress bar to stderr. A
//! closed stdout is not an error, because its reader has what it wanted: the work continues without
//! output, and the exit code reports the result. Text from other machines is escaped for a
//! terminal.

mod announcer;
mod bar;
mod failures;
mod figures;
mod line;
mod log;
mod runs;
mod stderr;
mod style;
mod summary;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::time::Instant;

use crate::cli::{Color, Format};
use crate::error::{Error, Exit, reason};
use crate::escape;
use crate::event::{ActionResult, Event, Progress, State as RunState, Status};

pub use announcer::Announcer;
use bar::Shown;
use line::Line;
pub use stderr::Stderr;
use style::{Role, Style};
use summary::{Page, Summary};

/// The width of a summary that goes elsewhere than to a terminal, in columns.
const WIDTH: usize = 100;

/// The narrowest terminal that a summary is made for.
const LEAST_WIDTH: usize = 30;

/// stdout and stderr.
pub struct Console {
    out: Box<dyn Write>,
    /// Whether stdout is a terminal, which would interpret control characters.
    terminal: bool,
    /// Whether stdout goes elsewhere than stderr, which then has the errors of text output as well.
    is_apart: bool,
    format: Format,
    quiet: bool,
    style: Style,
    /// The name of the document whose replies follow.
    document: Option<String>,
    summary: Summary,
    /// Documents whose verdict is neither good nor bad.
    remarked: usize,
    stderr: Stderr,
    /// Whether actions and requests have lines on stderr.
    verbose: bool,
    /// When the action in progress started.
    since: Instant,
    state: State,
}

/// The state of stdout.
enum State {
    Open,
    /// The reader has closed it.
    Closed,
    /// Writing failed, for example because the disk is full.
    Failed(io::Error),
}

impl Console {
    /// The process's own stdout and stderr.
    pub fn new(color: Color) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let variable = |name: &str| std::env::var(name).ok();
        let style = Style::of(color, terminal, &variable);
        let stderr = Stderr::new(color);
        let is_apart = !same_place(&io::stdout(), &io::stderr());
        Self { style, is_apart, ..Self::over(Box::new(stdout), terminal, stderr) }
    }

    fn over(out: Box<dyn Write>, terminal: bool, stderr: Stderr) -> Self {
        Self {
            out,
            terminal,
            is_apart: false,
            format: Format::Text,
            quiet: false,
            style: Style::PLAIN,
            document: None,
            summary: Summary::default(),
            remarked: 0,
            stderr,
            verbose: false,
            since: Instant::now(),
            state: State::Open,
        }
    }

    /// Starts to write the log to stderr: warnings; with `verbose` also information, twice also
    /// details; `timed` puts the time before them. A second call does nothing.
    pub fn log(&mut self, verbose: u8, timed: bool) {
        self.verbose = verbose > 0;
        log::start(self.stderr(), verbose, timed);
    }

    /// Sets how replies are printed: unless a format is given, as a summary on a terminal, else as
    /// text. Progress is shown on stderr, unless `quiet`, or its events are on the same terminal.
    pub fn replies(&mut self, format: Option<Format>, quiet: bool) {
        let usual = if self.terminal { Format::Summary } else { Format::Text };
        self.format = format.unwrap_or(usual);
        self.quiet = quiet;
        let is_in_output = self.terminal && self.format == Format::Json;
        self.stderr.show_progress(!(quiet || is_in_output));
    }

    /// Sets the document of the following replies, which errors on stderr name.
    pub fn document(&mut self, name: &str) {
        self.document = Some(name.to_owned());
        self.summary = Summary::of(name);
    }

    /// Prints one reply.
    pub fn event(&mut self, event: &Event) {
        if let Event::Result(_) | Event::Done { .. } = event {
            self.stderr.clear();
        }
        if self.verbose {
            self.remark(event);
        }
        match (self.format, event) {
            _ if self.quiet => {}
            (Format::Json, event) => self.json(event),
            (Format::Text, Event::Result(result)) => self.result(result),
            (Format::Text, _) => {}
            (Format::Summary, event) => {
                let lines = self.summary.event(event, self.page());
                self.lines(&lines);
            }
        }
        match event {
            Event::Result(result) => self.failures(result),
            Event::Started { command, .. } => {
                self.stderr.progress(Shown::Starting(command.clone()));
            }
            Event::Queued(queued) | Event::Accepted { queued: Some(queued), .. } => {
                self.stderr.progress(Shown::Queued(*queued));
            }
            Event::Progress(progress) => self.stderr.progress(Shown::Test(progress.clone())),
            _ => {}
        }
    }

    /// Prints the reply to the action that an option of the command line stands for: a note, and a line
    /// only where programs read them.
    pub fn stored(&mut self, event: &Event, note: &str) {
        match self.format {
            Format::Text => self.stderr.clear(),
            Format::Json | Format::Summary => self.event(event),
        }
        self.note(note);
    }

    /// Says on stderr what happens.
    fn remark(&mut self, event: &Event) {
        match event {
            Event::Started { index, command } => {
                self.since = Instant::now();
                self.stderr.info(&format!("actions[{index}] {command} starts"));
            }
            Event::Result(ActionResult { index, command, ok, .. }) => {
                let how = if *ok { "done" } else { "failed" };
                let took = self.since.elapsed().as_secs_f64();
                self.stderr.info(&format!("actions[{index}] {command} {how} after {took:.3} s"));
            }
            Event::Detail { text, .. } => self.stderr.info(text),
            _ => {}
        }
    }

    /// Shows the state of a run that is watched in its place on the terminal; returns whether that is
    /// possible.
    pub fn watch(&mut self, status: &Status) -> bool {
        if !self.terminal || !self.stderr.is_terminal() || self.format == Format::Json {
            return false;
        }
        self.stderr.progress(match &status.run {
            Some(info) if info.requests.is_some() && status.state != RunState::Queued => {
                Shown::Test(Progress {
                    elapsed_s: info.elapsed_s.unwrap_or_default(),
                    remaining_s: info.remaining_s,
                    users: info.users.unwrap_or_default(),
                    requests: info.requests.unwrap_or_default(),
                    failures: info.failures.unwrap_or_default(),
                    rps: info.rps.unwrap_or_default(),
                    p50_ms: info.p50_ms.unwrap_or_default(),
                    p95_ms: info.p95_ms.unwrap_or_default(),
                    ..Progress::default()
                })
            }
            _ => Shown::Words(status.to_string()),
        });
        true
    }

    /// stderr, for what prints while this console is in use.
    pub fn stderr(&self) -> Stderr {
        self.stderr.clone()
    }

    /// Prints the last line of a document's summary, which agrees with the exit code.
    pub fn verdict(&mut self, exit: Exit) {
        if self.format == Format::Summary && !self.quiet {
            let (role, words) = self.summary.verdict(exit);
            self.remarked += usize::from(role == Role::Warn);
            let lines = summary::verdict_lines(role, &words, self.page());
            self.lines(&lines);
        }
    }

    /// Prints the last line of the summaries of several documents.
    pub fn verdict_of_all(&mut self, documents: usize, failed: usize) {
        if self.format != Format::Summary || self.quiet || documents < 2 {
            return;
        }
        let (role, words) = match (failed, self.remarked) {
            (0, 0) => (Role::Good, format!("all {documents} documents passed")),
            (0, remarked) => (
                Role::Warn,
                format!("no document failed, but {remarked} of {documents} not as asked"),
            ),
            _ => (Role::Bad, format!("failed: {failed} of {documents} documents")),
        };
        let lines = summary::verdict_lines(role, &words, self.page());
        self.lines(&lines);
    }

    /// Prints lines of a summary.
    fn lines(&mut self, lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        let style = self.style;
        let text: String = lines.iter().map(|line| line.render(style) + "\n").collect();
        self.write(text.as_bytes());
    }

    fn page(&self) -> Page {
        let terminal = terminal_size::terminal_size_of(io::stdout()).filter(|_| self.terminal);
        let width = match terminal {
            Some((terminal_size::Width(width), _)) => Some(usize::from(width)),
            None => std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()),
        };
        Page { width: width.unwrap_or(WIDTH).max(LEAST_WIDTH), style: self.style }
    }

    /// Notes that a report that was asked for is not there: the verdict says so.
    pub fn report_missing(&mut self) {
        self.summary.note_missing_report();
    }

    /// Prints one line of a reply in the text dialect, as the JSON object `{"event": "line", …}`
    /// with JSON output.
    pub fn reply_line(&mut self, text: &str, ok: bool) {
        self.say(text, &TextRecord { event: "line", ok, text });
        if !ok {
            self.summary.note_failure();
        }
        let is_hidden = self.quiet || (self.format == Format::Text && self.is_apart);
        if is_hidden && !ok {
            self.error(&format!("{}{text}", self.place()));
        }
    }

    /// Prints a line of a document's output: an object with JSON output.
    pub fn printed(&mut self, text: &str) {
        self.say(text, &Printed { event: "print", text });
    }

    /// Prints lines about a request or a response: an object with JSON output.
    pub fn trace(&mut self, text: &str) {
        self.say(text, &Printed { event: "trace", text });
    }

    /// Prints the number of a run, where it is not a part of the event itself.
    pub fn number(&mut self, run: u64) {
        if self.format != Format::Json {
            self.print(&run.to_string());
        }
    }

    /// Prints a table of runs: one event with JSON output.
    pub fn runs(&mut self, runs: Vec<Status>) {
        match self.format {
            Format::Json => self.json(&Event::Runs { runs }),
            _ => runs::table(&runs).iter().for_each(|line| self.print(line)),
        }
    }

    /// Prints one of two forms: a line, or an object with JSON output.
    pub fn say(&mut self, text: &str, object: &impl serde::Serialize) {
        match self.format {
            _ if self.quiet => {}
            Format::Json => self.json(object),
            Format::Text | Format::Summary => self.print(text),
        }
    }

    /// Prints one line on stdout.
    pub fn print(&mut self, text: &str) {
        let text = if self.terminal { escape::for_terminal(text) } else { Cow::Borrowed(text) };
        self.write(format!("{text}\n").as_bytes());
    }

    /// Writes bytes to stdout, unchanged.
    pub fn write(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Open) {
            if self.terminal {
                self.stderr.clear();
            }
            let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
            self.keep(written);
        }
    }

    /// Prints a message on stderr.
    pub fn message(&mut self, text: &str) {
        self.stderr.message(text);
    }

    /// Prints a warning on stderr.
    pub fn warn(&mut self, text: &str) {
        self.stderr.warn(text);
    }

    /// A message that is left out where only errors are asked for.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.message(text);
        }
    }

    /// A warning that is left out where only errors are asked for.
    pub fn advise(&mut self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Prints a finding about a document on stderr, in its own form; with `quiet` only an error.
    pub fn finding(&mut self, line: &str, is_error: bool) {
        if is_error || !self.quiet {
            let _ = writeln!(io::stderr(), "{}", escape::for_terminal(line).replace('\n', " "));
        }
    }

    /// Prints an error on stderr.
    pub fn error(&mut self, text: &str) {
        self.stderr.error(text);
    }

    /// Prompts for a secret on the terminal, without echo.
    pub fn secret(&mut self, prompt: &str) -> io::Result<String> {
        rpassword::prompt_password(prompt)
    }

    /// Removes the progress bar and reports whether everything could be written. Does not touch
    /// stdout, which an [`Announcer`] may still hold for a slow reader.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.stderr.clear();
        match &self.state {
            State::Open | State::Closed => Ok(()),
            State::Failed(error) => {
                let why = format!("cannot write to stdout: {}", reason(error));
                Err(Error::new(Exit::ActionFailed, why))
            }
        }
    }

    /// Prints a result as in the text dialect, and its warnings.
    fn result(&mut self, result: &ActionResult) {
        result.warnings.iter().for_each(|warning| self.warn(warning));
        self.print(&result.line());
    }

    /// Prints the part of a result that belongs on stderr: why requests failed, and the error
    /// itself if no other output has it.
    fn failures(&mut self, result: &ActionResult) {
        let is_shown = self.format == Format::Summary || self.quiet;
        if let (false, Some(value)) = (is_shown, &result.value) {
            for line in failures::lines(value) {
                self.message(&line);
            }
        }
        // The line of the text dialect stays the reference's, which has fewer errors.
        let is_hidden = self.format == Format::Text && (result.text.is_some() || self.is_apart);
        if let (true, Some(failure)) = (self.quiet || is_hidden, &result.error) {
            let ActionResult { index, command, .. } = result;
            self.error(&format!("{}actions[{index}] {command}: {failure}", self.place()));
        }
    }

    /// The place of an error, as its message begins.
    fn place(&self) -> String {
        self.document.as_ref().map_or_else(String::new, |name| format!("{name}: "))
    }

    fn json(&mut self, object: &impl serde::Serialize) {
        match serde_json::to_string(object) {
            Ok(json) => self.print(&escape::json_for_terminal(&json)),
            Err(error) => self.error(&format!("a reply cannot be written as JSON: {error}")),
        }
    }

    /// Keeps what became of stdout.
    fn keep(&mut self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.state = match error.kind() {
                io::ErrorKind::BrokenPipe => State::Closed,
                _ => State::Failed(error),
            };
        }
    }
}

/// Whether two streams are the same terminal, pipe or file.
#[cfg(unix)]
fn same_place(one: &impl AsFd, other: &impl AsFd) -> bool {
    let place = |stream: &dyn Fn() -> rustix::io::Result<rustix::fs::Stat>| {
        stream().ok().map(|stat| (stat.st_dev, stat.st_ino))
    };
    place(&|| rustix::fs::fstat(one)) == place(&|| rustix::fs::fstat(other))
}

/// Whether two streams are the same terminal.
#[cfg(not(unix))]
fn same_place(one: &impl IsTerminal, other: &impl IsTerminal) -> bool {
    one.is_terminal() && other.is_terminal()
}

impl Default for Console {
    fn default() -> Self {
        Self::new(Color::default())
    }
}

/// A line of the text dialect as an object.
#[derive(serde::Serialize)]
struct TextRecord<'a> {
    event: &'static str,
    ok: bool,
    text: &'a str,
}

/// A line of the command `print` as an object.
#[derive(serde::Serialize)]
struct Printed<'a> {
    event: &'static str,
    text: &'a str,
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::value::Value;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Fails every write.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn printed(terminal: bool, act: impl FnOnce(&mut Console)) -> String {
        let captured = Captured::default();
        let mut console =
            Console::over(Box::new(captured.clone()), terminal, Stderr::new(Color::Never));
        act(&mut console);
        let bytes = captured.0.lock().expect("one thread").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    fn result(value: Value) -> Event {
        Event::Result(ActionResult::new(0, "LD_summary", Ok(value)))
    }

    #[test]
    fn text_output_is_one_line_per_action_as_in_python() {
        let text = printed(false, |console| {
            console.event(&Event::Started { index: 0, command: "LD_summary".into() });
            console.event(&result(Value::dict([("status", "cleared".into())])));
        });
        assert_eq!(text, "{'status': 'cleared'}\n");
    }

    #[test]
    fn text_output_omits_what_a_value_has_beyond_the_reference() {
        let value = Value::dict([("status", "done".into()), ("summary", Value::Null)]);
        let text = Some("{'status': 'done'}".to_owned());
        let result = ActionResult { text, ..ActionResult::new(0, "x", Ok(value)) };
        let printed = printed(false, |console| console.event(&Event::Result(result)));
        assert_eq!(printed, "{'status': 'done'}\n");
    }

    #[test]
    fn json_output_is_one_object_per_event() {
        let text = printed(false, |console| {
            console.replies(Some(Format::Json), false);
            console.event(&result(Value::Null));
            console.reply_line("None", true);
        });
        let expected = "{\"event\":\"result\",\"index\":0,\"command\":\"LD_summary\",\"ok\":true,\
                        \"value\":null}\n{\"event\":\"line\",\"ok\":true,\"text\":\"None\"}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn quiet_prints_no_reply() {
        let text = printed(false, |console| {
            console.replies(Some(Format::Json), true);
            console.event(&result(Value::Null));
            console.reply_line("None", true);
        });
        assert_eq!(text, "");
    }

    #[test]
    fn t23_the_replies_of_a_server_cannot_control_a_terminal() {
        let text = printed(true, |console| console.print("\u{1b}[2J\u{9b}1m\tdone"));
        assert_eq!(text, "\\x1b[2J\\x9b1m\tdone\n");
    }

    #[test]
    fn a_pipe_gets_the_bytes_unchanged() {
        assert_eq!(printed(false, |console| console.print("\u{1b}[2J")), "\u{1b}[2J\n");
    }

    #[test]
    fn f14_a_closed_stdout_is_not_an_error() {
        let mut console = Console::over(
            Box::new(Broken(io::ErrorKind::BrokenPipe)),
            false,
            Stderr::new(Color::Never),
        );
        console.print("x");
        assert!(console.finish().is_ok());
    }

    #[test]
    fn f14_a_full_disk_is_an_error() {
        let mut console = Console::over(
            Box::new(Broken(io::ErrorKind::StorageFull)),
            false,
            Stderr::new(Color::Never),
        );
        console.print("x");
        let error = console.finish().expect_err("nothing could be written");
        assert_eq!(error.to_string(), "cannot write to stdout: no storage space");
    }
}
