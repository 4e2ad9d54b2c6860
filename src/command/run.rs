//! `ldctl run`: documents in this process. The executor has a thread of its own and sends what is
//! said here, where it is printed and where a signal is heard. A cancelled test still gives what it
//! has recorded; a second signal does not wait for that.

use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::document::{self, Local};
use super::signal::Interrupt;
use super::{block_on, data_dir, targets, test_limits};
use crate::action::{Document, Executor, Outcome, Policy};
use crate::cli::{Run, TOKEN_VARIABLE};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::Event;

/// What a document says while it runs.
enum Said {
    /// Boxed, for it is far larger than a line.
    Event(Box<Event>),
    /// A line of the command `print`.
    Print(String),
}

pub(super) fn run(args: &Run, console: &mut Console) -> Result<Exit, Error> {
    let limits = test_limits(&args.documents);
    let locals: Vec<Local> =
        args.files.iter().map(|path| document::read(path, limits)).collect::<Result<_, _>>()?;
    let policy = Policy {
        data_dir: data_dir(args.data_dir.as_deref())?,
        allow_env: None,
        secret_env: vec![TOKEN_VARIABLE.to_owned()],
        targets: targets(&args.documents)?,
        limits,
    };
    console.replies(args.printing.output.into(), args.printing.quiet);
    block_on(Runner::new(policy)?.run_all(locals, console))
}

struct Runner {
    executor: Arc<Executor>,
    sender: mpsc::UnboundedSender<Said>,
    said: mpsc::UnboundedReceiver<Said>,
}

impl Runner {
    fn new(policy: Policy) -> Result<Self, Error> {
        let (sender, said) = mpsc::unbounded_channel();
        let printer = sender.clone();
        let executor = Executor::new(policy)
            .map_err(|error| Error::usage(format!("cannot prepare to run documents: {error}")))?
            .with_output(Box::new(move |line| drop(printer.send(Said::Print(line)))));
        Ok(Self { executor: Arc::new(executor), sender, said })
    }

    async fn run_all(mut self, locals: Vec<Local>, console: &mut Console) -> Result<Exit, Error> {
        let mut interrupt = Interrupt::listen()?;
        let mut exit = Exit::Done;
        for local in locals {
            match self.run_one(local, &mut interrupt, console).await? {
                Exit::Done => {}
                Exit::Interrupted => return Ok(Exit::Interrupted),
                failed => exit = failed,
            }
        }
        Ok(exit)
    }

    async fn run_one(
        &mut self,
        local: Local,
        interrupt: &mut Interrupt,
        console: &mut Console,
    ) -> Result<Exit, Error> {
        let cancel = CancellationToken::new();
        let mut running = self.spawn(local.document, cancel.clone())?;
        let outcome = loop {
            tokio::select! {
                // What was said comes before the end.
                biased;
                Some(said) = self.said.recv() => match said {
                    Said::Event(event) => console.event(&event, local.test_times.of(&event)),
                    Said::Print(line) => console.printed(&line),
                },
                () = interrupt.next() => {
                    if cancel.is_cancelled() {
                        return Ok(Exit::Interrupted);
                    }
                    cancel.cancel();
                }
                outcome = &mut running => break outcome,
            }
        };
        let outcome = outcome
            .map_err(|_| Error::new(Exit::ActionFailed, "the run broke: a fault of ldctl"))?;
        Ok(match outcome {
            _ if cancel.is_cancelled() => Exit::Interrupted,
            Outcome { busy: true, .. } => Exit::Busy,
            Outcome { failed: 0, .. } => Exit::Done,
            _ => Exit::ActionFailed,
        })
    }

    /// Runs a document in a thread of its own.
    fn spawn(
        &self,
        document: Document,
        cancel: CancellationToken,
    ) -> Result<oneshot::Receiver<Outcome>, Error> {
        let (executor, sender) = (self.executor.clone(), self.sender.clone());
        let (ended, running) = oneshot::channel();
        thread::Builder::new()
            .name("run".to_owned())
            .spawn(move || {
                let mut sink = |event| drop(sender.send(Said::Event(Box::new(event))));
                let _ = ended.send(executor.execute(document, &mut sink, &cancel));
            })
            .map_err(|error| Error::usage(format!("cannot start a thread: {error}")))?;
        Ok(running)
    }
}
