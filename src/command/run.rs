//! `ldctl run`: documents in this process. The executor has a thread of its own and sends its
//! events here, where they are printed and where a signal is heard. A cancelled test still gives
//! what it has recorded; a second signal does not wait for that.

use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::document::{self, Local};
use super::signal::Interrupt;
use super::{data_dir, runtime};
use crate::action::{Document, Executor, Outcome, Policy};
use crate::cli::{Run, TOKEN_VARIABLE};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::Event;

pub(super) fn run(args: &Run, console: &mut Console) -> Result<Exit, Error> {
    let locals: Vec<Local> =
        args.files.iter().map(|path| document::read(path)).collect::<Result<_, _>>()?;
    let policy = Policy {
        data_dir: data_dir(args.data_dir.as_deref())?,
        allow_env: None,
        secret_env: vec![TOKEN_VARIABLE.to_owned()],
    };
    let executor = Executor::new(policy)
        .map_err(|error| Error::usage(format!("cannot prepare to run documents: {error}")))?;
    console.replies(args.printing.output.into(), args.printing.quiet);
    runtime()?.block_on(run_all(Arc::new(executor), locals, console))
}

async fn run_all(
    executor: Arc<Executor>,
    locals: Vec<Local>,
    console: &mut Console,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    let mut exit = Exit::Done;
    for local in locals {
        match run_one(&executor, local, &mut interrupt, console).await? {
            Exit::Done => {}
            Exit::Interrupted => return Ok(Exit::Interrupted),
            failed => exit = failed,
        }
    }
    Ok(exit)
}

async fn run_one(
    executor: &Arc<Executor>,
    local: Local,
    interrupt: &mut Interrupt,
    console: &mut Console,
) -> Result<Exit, Error> {
    let cancel = CancellationToken::new();
    let (mut events, running) = spawn(executor.clone(), local.document, cancel.clone())?;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => console.event(&event, local.test_times.of(&event)),
                None => break,
            },
            () = interrupt.next() => {
                if cancel.is_cancelled() {
                    return Ok(Exit::Interrupted);
                }
                cancel.cancel();
            }
        }
    }
    let outcome = running
        .join()
        .map_err(|_| Error::new(Exit::ActionFailed, "the run broke: this is a fault of ldctl"))?;
    Ok(match outcome {
        _ if cancel.is_cancelled() => Exit::Interrupted,
        Outcome { busy: true, .. } => Exit::Busy,
        Outcome { failed: 0, .. } => Exit::Done,
        _ => Exit::ActionFailed,
    })
}

/// Runs a document in a thread of its own. Its events end with it.
fn spawn(
    executor: Arc<Executor>,
    document: Document,
    cancel: CancellationToken,
) -> Result<(mpsc::UnboundedReceiver<Event>, thread::JoinHandle<Outcome>), Error> {
    let (sender, events) = mpsc::unbounded_channel();
    let running = thread::Builder::new()
        .name("run".to_owned())
        .spawn(move || {
            let mut sink = |event| drop(sender.send(event));
            executor.execute(document, &mut sink, &cancel)
        })
        .map_err(|error| Error::usage(format!("cannot start a thread: {error}")))?;
    Ok((events, running))
}
