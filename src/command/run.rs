//! `ldctl run`: runs documents in this process. The executor has its own thread and sends its
//! output here, where it is printed and where signals are handled. A cancelled test still returns
//! its records; a second signal does not wait for that.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::document::{self, Local, Source, Taker};
use super::report_files::{self, Reports};
use super::setup::{block_on, data_dir, memory, targets, test_limits};
use super::signal::{Asked, Interrupt};
use super::{cluster, descriptors, executor, one_liner, overrides, web};
use crate::action::{
    Document, DocumentOutcome, Engine, Executor, FileAccess, Files, Overrides, Policy, Rules,
    Surroundings, Where,
};
use crate::cli::{Format, Run, TOKEN_VARIABLE};
use crate::console::{Console, Stderr};
use crate::error::{Error, Exit, reason};
use crate::event::{ActionResult, Event};
use crate::net::Listeners;
use crate::python::Python;
use crate::run::Submission;
use crate::value::Value;
use crate::wire::parameters::MOST_DETAIL;

/// How long the end waits for exporters: a send in progress and the last one, each with the longest
/// timeout that a document may give. A signal ends it.
const CLOSE: Duration = Duration::from_secs(121);

/// The same after a signal, the default of `ldctl serve`.
const CLOSE_AFTER_SIGNAL: Duration = Duration::from_secs(10);

/// The output of a running document.
enum DocumentEvent {
    /// Boxed, because it is far larger than a line.
    Event(Box<Event>),
    /// A line of the command `print`.
    Print(String),
    /// Lines about a request or a response.
    Trace(String),
}

pub(super) fn run(args: &Run, verbose: u8, console: &mut Console) -> Result<Exit, Error> {
    descriptors::raise();
    cluster::needs_master(&args.overrides.cluster)?;
    let limits = test_limits(&args.documents);
    document::stdin_once(&args.files)?;
    let data_dir = data_dir(args.data_dir.as_deref())?;
    let mut overrides = overrides::resolve(&args.overrides, args.host.as_deref())?;
    overrides.once = args.once;
    let reports = Reports::resolve(&args.overrides.report, &args.files)?;
    let database = reports.database.as_deref();
    overrides.database = database.map(|path| report_files::inside(path, &data_dir)).transpose()?;
    let one_liner = one_liner::resolve(args, overrides.users)?;
    // Nothing is to read its lines: what it is for are its figures.
    let usual = (args.once || one_liner.is_some()).then_some(Format::Summary);
    let is_of_url = one_liner.is_some();
    let given = one_liner.or_else(|| args.json.clone());
    let policy = Policy {
        data_dir,
        // The documents are files of whoever runs them.
        access: FileAccess::All,
        secret_files: Vec::new(),
        allow_env: None,
        secret_env: vec![TOKEN_VARIABLE.to_owned()],
        targets: targets(&args.documents)?,
        listen: cluster::listen(&args.documents.allow_listen, &args.overrides.cluster),
        workers: args.documents.worker_allow.clone(),
        limits,
        max_body_bytes: args.documents.max_body_bytes,
        memory: memory(&args.documents),
    };
    let rules = Rules { limits: policy.limits, python: executor::engine(&args.python) };
    let locals = read(args, given, &overrides, &policy, rules)?;
    overrides::must_be_taken(&overrides, &locals)?;
    if locals.len() > 1 && !args.overrides.report.is_empty() {
        return Err(Error::usage("--report is for one document; run several one after the other"));
    }
    if args.print_document {
        locals.iter().for_each(|local| console.print(&local.pretty()));
        return Ok(Exit::Done);
    }
    console.replies(args.printing.output.or(usual), args.printing.quiet);
    if !args.checking.no_check {
        document::without_errors(&locals, "run", console)?;
    }
    let detail = verbose.min(MOST_DETAIL);
    let python = executor::start(&args.python, &policy, console)?.zip(rules.python);
    block_on(async {
        let mut policy = policy;
        let pages = args.web.as_ref().map(web::listen_here).transpose()?;
        policy.targets.own.extend(pages.iter().flat_map(Listeners::addresses));
        let runner =
            Runner { reports, is_of_url, ..Runner::new(policy, python, detail, args.once)? };
        let Some(pages) = pages else { return runner.run_all(locals, console).await };
        let runner = runner.keeping_documents();
        let door = web::show(pages, Arc::clone(&runner.executor) as _, console)?;
        let exit = runner.run_all(locals, console).await;
        match exit {
            Ok(Exit::Interrupted) => door.abandon(),
            _ => door.close().await,
        }
        exit
    })
}

/// Reads and checks all documents before the first one runs; `given` is the one of the command line.
fn read(
    args: &Run,
    given: Option<String>,
    overrides: &Overrides,
    policy: &Policy,
    rules: Rules,
) -> Result<Vec<Local>, Error> {
    let files = Files::open(&policy.data_dir).ok();
    let files = files.map(|files| files.allowing(policy.access.clone()));
    let environment = |name: &str| policy.env(name);
    let around = |later| Surroundings {
        place: Where::Here,
        rules,
        files: files.as_ref(),
        environment: Some(&environment),
        later,
    };
    if let Some(text) = given {
        let name =
            args.files.first().map_or_else(|| "--json".to_owned(), |url| document::name(url));
        return Ok(vec![document::of_text(
            &Source::json(&text),
            &name,
            overrides,
            &around(false),
        )?]);
    }
    let numbered = args.files.iter().enumerate();
    numbered
        .map(|(index, path)| document::read(path, Taker::Run, overrides, &around(index > 0)))
        .collect()
}

pub(super) struct Runner {
    executor: Arc<Executor>,
    sender: mpsc::UnboundedSender<DocumentEvent>,
    said: mpsc::UnboundedReceiver<DocumentEvent>,
    /// Written when the document has ended.
    pub(super) reports: Reports,
    /// Whether the command line is the document.
    is_of_url: bool,
    /// How much is shown of requests.
    detail: u8,
    /// Whether a second signal has ended the wait for a document.
    abandoned: bool,
}

impl Runner {
    /// `traced` says whether requests and responses are shown.
    pub(super) fn new(
        policy: Policy,
        python: Option<(Python, Engine)>,
        detail: u8,
        traced: bool,
    ) -> Result<Self, Error> {
        let (sender, said) = mpsc::unbounded_channel();
        let (printer, tracer) = (sender.clone(), sender.clone());
        let mut executor = Executor::new(policy)
            .map_err(|error| {
                Error::usage(format!("cannot prepare to run documents: {}", reason(&error)))
            })?
            .owned_by("ldctl run")
            .with_output(Box::new(move |line| drop(printer.send(DocumentEvent::Print(line)))));
        if let Some((python, engine)) = python {
            executor = executor.with_python(python, engine);
        }
        if traced {
            let show = move |lines| drop(tracer.send(DocumentEvent::Trace(lines)));
            executor = executor.with_trace(Box::new(show));
        }
        Ok(Self {
            executor: Arc::new(executor),
            sender,
            said,
            reports: Reports::default(),
            is_of_url: false,
            detail,
            abandoned: false,
        })
    }

    /// The same, keeping the documents for whoever looks at their runs.
    fn keeping_documents(mut self) -> Self {
        if let Some(executor) = Arc::get_mut(&mut self.executor) {
            executor.keep_documents();
        }
        self
    }

    /// Runs all documents, then stops what they have left running.
    pub(super) async fn run_all(
        mut self,
        locals: Vec<Local>,
        console: &mut Console,
    ) -> Result<Exit, Error> {
        let mut interrupt = Interrupt::listen()?;
        let executor = Arc::clone(&self.executor);
        let exit = self.run_each(locals, &mut interrupt, console).await;
        if self.abandoned {
            // A second signal waits for nothing: what still runs is left to the system.
            std::mem::forget(executor);
            return exit;
        }
        let most = match exit {
            Ok(Exit::Interrupted) => CLOSE_AFTER_SIGNAL,
            _ => CLOSE,
        };
        let deadline = Instant::now() + most;
        let closing = Arc::clone(&executor);
        let mut closing = spawn_blocking(move || closing.close(deadline));
        loop {
            tokio::select! {
                _ = &mut closing => return exit,
                signal = interrupt.next() => if signal == Asked::Stop {
                    std::mem::forget(executor);
                    return Ok(Exit::Interrupted);
                }
            }
        }
    }

    async fn run_each(
        &mut self,
        locals: Vec<Local>,
        interrupt: &mut Interrupt,
        console: &mut Console,
    ) -> Result<Exit, Error> {
        let mut exits = Vec::new();
        for local in locals {
            console.document(&local.name);
            local.warn(console);
            // Gates and reports of a file apply to its own tests.
            self.executor.clear_records();
            let exit = self.run_one(local, interrupt, console).await?;
            let exit = self.report(exit, interrupt, console).await;
            console.verdict(exit);
            if exit == Exit::Interrupted {
                return Ok(exit);
            }
            exits.push(exit);
        }
        let mut failed = exits.iter().filter(|exit| **exit != Exit::Done);
        console.verdict_of_all(exits.len(), failed.clone().count());
        Ok(failed.next_back().copied().unwrap_or(Exit::Done))
    }

    /// Writes the reports, unless a second signal has ended the wait.
    async fn report(
        &mut self,
        exit: Exit,
        interrupt: &mut Interrupt,
        console: &mut Console,
    ) -> Exit {
        if self.abandoned || self.reports.is_empty() {
            return exit;
        }
        let (reports, executor) = (self.reports.clone(), Arc::clone(&self.executor));
        let mut writing = spawn_blocking(move || reports.write(&executor));
        loop {
            tokio::select! {
                outcomes = &mut writing => {
                    return report_files::tell(exit, &report_files::joined(outcomes), console);
                }
                signal = interrupt.next() => if signal == Asked::Stop {
                    self.abandoned = true;
                    return Exit::Interrupted;
                }
            }
        }
    }

    async fn run_one(
        &mut self,
        local: Local,
        interrupt: &mut Interrupt,
        console: &mut Console,
    ) -> Result<Exit, Error> {
        // What keeps the records is put behind the document's own actions.
        let last = local.document.len().checked_sub(1);
        let database = self.reports.database.clone();
        let stored = |event: &Event| match event {
            Event::Result(ActionResult { index, ok: true, value, .. }) if Some(*index) == last => {
                let run = value.as_ref().map(Value::to_text).unwrap_or_default();
                Some(format!("run {run} in the database {}", database.as_ref()?.display()))
            }
            _ => None,
        };
        let cancel = CancellationToken::new();
        let submission = Submission {
            isolated: true,
            detail: self.detail,
            document: self.shown(local.written.get()),
            file: Some(local.name).filter(|name| !name.starts_with("--")),
            ..Submission::default()
        };
        let running = self.spawn(local.document, submission, cancel.clone())?;
        let executor = Arc::clone(&self.executor);
        let stderr = console.stderr();
        let is_of_url = self.is_of_url;
        let say = |said| match said {
            DocumentEvent::Event(mut event) => {
                if is_of_url {
                    one_liner::hint_at_options(&mut event);
                }
                match stored(&event) {
                    Some(note) => console.stored(&event, &note),
                    None => console.event(&event),
                }
            }
            DocumentEvent::Print(line) => console.printed(&line),
            DocumentEvent::Trace(lines) => console.trace(&lines),
        };
        let asked = |signal| match signal {
            Asked::Status => {
                stderr.message(&format!("status: {}", executor.status()));
                ControlFlow::Continue(())
            }
            Asked::Stop => stop(&cancel, &stderr),
        };
        let Some(outcome) = output_until(running, &mut self.said, say, interrupt, asked).await
        else {
            self.abandoned = true;
            return Ok(Exit::Interrupted);
        };
        let outcome = outcome
            .map_err(|_| Error::new(Exit::ActionFailed, "the run crashed (a bug in ldctl)"))?;
        Ok(match outcome {
            _ if cancel.is_cancelled() => Exit::Interrupted,
            DocumentOutcome { busy: true, .. } => Exit::Busy,
            DocumentOutcome { failed: 0, .. } => Exit::Done,
            _ => Exit::ActionFailed,
        })
    }

    /// The document without its secrets, where it is kept.
    fn shown(&self, written: &str) -> Option<String> {
        let keeps = self.executor.table().keeps_documents();
        let value = keeps.then(|| Value::parse(written).ok()).flatten()?;
        serde_json::to_string(&value.redacted()).ok()
    }

    /// Runs a document in its own thread.
    fn spawn(
        &self,
        document: Document,
        submission: Submission,
        cancel: CancellationToken,
    ) -> Result<oneshot::Receiver<DocumentOutcome>, Error> {
        let (executor, sender) = (self.executor.clone(), self.sender.clone());
        let (ended, running) = oneshot::channel();
        thread::Builder::new()
            .name("run".to_owned())
            .spawn(move || {
                let mut sink = |event| drop(sender.send(DocumentEvent::Event(Box::new(event))));
                let outcome = executor.execute_as(submission, document, &mut sink, &cancel);
                // Let go of before the end is known: the process may exit then, and whoever drops the
                // executor last waits until its exporters have sent their last figures.
                drop(executor);
                let _ = ended.send(outcome);
            })
            .map_err(|error| Error::usage(format!("cannot start a thread: {}", reason(&error))))?;
        Ok(running)
    }
}

/// Prints all output until a run has ended; returns `None` if a signal ends the wait.
async fn output_until<T>(
    running: impl Future<Output = T>,
    said: &mut mpsc::UnboundedReceiver<DocumentEvent>,
    mut say: impl FnMut(DocumentEvent),
    interrupt: &mut Interrupt,
    mut asked: impl FnMut(Asked) -> ControlFlow<()>,
) -> Option<T> {
    let mut running = pin!(running);
    let ended = loop {
        tokio::select! {
            biased;
            Some(one) = said.recv() => say(one),
            signal = interrupt.next() => if asked(signal).is_break() {
                return None;
            },
            ended = &mut running => break ended,
        }
    };
    // The last output may have arrived after the previous check.
    while let Ok(one) = said.try_recv() {
        say(one);
    }
    Some(ended)
}

/// Cancels a run; breaks the second time.
fn stop(cancel: &CancellationToken, stderr: &Stderr) -> ControlFlow<()> {
    if cancel.is_cancelled() {
        return ControlFlow::Break(());
    }
    stderr.message(match stderr.is_terminal() {
        true => "stopping; press Ctrl-C again to end at once",
        false => "stopping; a second signal ends at once",
    });
    cancel.cancel();
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_has_ended_does_not_hold_the_executor() {
        let dir = tempfile::tempdir().unwrap();
        let runner = Runner::new(Policy::inside(dir.path()), None, 0, false).unwrap();
        for _ in 0..100 {
            let action = Value::parse(r#"[["abs", [1]]]"#).unwrap();
            let document = Document::parse(action).unwrap();
            let running =
                runner.spawn(document, Submission::default(), CancellationToken::new()).unwrap();
            assert_eq!(running.await.unwrap().failed, 0);
            assert_eq!(Arc::strong_count(&runner.executor), 1);
        }
    }

    #[tokio::test]
    async fn output_at_the_moment_of_the_end_is_printed() {
        let (sender, mut said) = mpsc::unbounded_channel();
        // Polled only when there is no output yet, like a run that ends between two checks.
        let running = async { sender.send(DocumentEvent::Print("last".to_owned())).is_ok() };
        let mut printed = Vec::new();
        let say = |one| match one {
            DocumentEvent::Print(line) => printed.push(line),
            DocumentEvent::Event(event) => panic!("{event:?}"),
            DocumentEvent::Trace(lines) => panic!("{lines}"),
        };
        let mut interrupt = Interrupt::listen().unwrap();
        let ended =
            output_until(running, &mut said, say, &mut interrupt, |_| ControlFlow::Break(()));
        assert_eq!(ended.await, Some(true));
        assert_eq!(printed, ["last"]);
    }
}
