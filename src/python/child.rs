//! One child process, from its start to its end: its own process group, a thread that reads its lines
//! and hands them to whoever waits for them, a thread that writes requests, and one for what it prints.
//!
//! The reading thread starts the process, because a child that is to end with its parent ends with the
//! thread that started it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::confine::{self, Places};
use super::family::Family;
use super::settings::{Settings, StartError};
use super::shared::Shared;
use super::stderr;
use super::watch::Watch;
use super::wire::{self, About, Answer, Line, Raised};
use crate::error::reason;
use crate::escape::one_line;
use crate::lock::{join_until, lock};
use crate::memory::Memory;

/// How long the child may take until it is ready: it loads Locust, on a busy machine from a cold disk.
const START: Duration = Duration::from_secs(60);

/// How long a process whose output has ended may take to end by itself, so that its exit code is known.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// Responses that wait for one that is slow to take them.
const QUEUE: usize = 64;

/// What is shown of a line that is none of ours, in bytes.
const SHOWN: usize = 100;

/// A running child.
#[derive(Debug)]
pub(super) struct Child {
    about: About,
    input: Sender<Vec<u8>>,
    shared: Arc<Shared>,
    /// Ends when nothing is left of it.
    reading: Mutex<Option<JoinHandle<()>>>,
}

impl Child {
    /// Starts a child and waits until it is ready.
    pub(super) fn start(
        settings: &Settings,
        places: Option<&Arc<Places>>,
        family: &Arc<Family>,
        memory: &Arc<Memory>,
    ) -> Result<Self, StartError> {
        let shown = settings.interpreter.display().to_string();
        let (settings, places, memory) = (settings.clone(), places.cloned(), Arc::clone(memory));
        let (family, shared) = (Arc::clone(family), Arc::new(Shared::default()));
        let (first, greeting) = sync_channel(1);
        let (reading, name) = (Arc::clone(&shared), "python".to_owned());
        let thread = thread::Builder::new().name(name).spawn(move || {
            match launch(&settings, places.as_deref(), &family, &reading) {
                Err(error) => drop(first.send(Err(error))),
                Ok((mut process, input, watch)) => {
                    let failed = attend(&mut process, input, &reading, &memory, &first);
                    let status = reap(&mut process, &reading, &family, watch);
                    let ended = || match status {
                        Some(status) => format!("it ended ({status})"),
                        None => "it ended".to_owned(),
                    };
                    reading.conclude(failed.unwrap_or_else(ended));
                }
            }
        });
        let start = |why: String| StartError::Interpreter(shown.clone(), why);
        let thread = thread.map_err(|error| start(reason(&error)))?;
        match greeting.recv_timeout(START) {
            Ok(Ok((about, input))) => {
                Ok(Self { about, input, shared, reading: Mutex::new(Some(thread)) })
            }
            Ok(Err(error)) => Err(error),
            Err(RecvTimeoutError::Disconnected) => {
                let why = lock(&shared.waiting).ended.clone().unwrap_or_default();
                Err(StartError::Package(shown, why))
            }
            Err(RecvTimeoutError::Timeout) => {
                let why = format!("it was not ready after {} s", START.as_secs());
                shared.end(&why);
                Err(StartError::Package(shown, why))
            }
        }
    }

    /// What it is.
    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Whether it has ended, or is about to.
    pub(super) fn has_ended(&self) -> bool {
        self.shared.sentence.get().is_some() || lock(&self.shared.waiting).ended.is_some()
    }

    /// Why it has ended.
    pub(super) fn why(&self) -> String {
        let ended = lock(&self.shared.waiting).ended.clone();
        ended.or_else(|| self.shared.sentence.get().cloned()).unwrap_or_default()
    }

    /// Where the responses to a request arrive. Nothing arrives if the child has ended.
    pub(super) fn expect(&self, id: u64) -> Receiver<Answer> {
        let (sender, receiver) = sync_channel(QUEUE);
        let mut waiting = lock(&self.shared.waiting);
        if waiting.ended.is_none() {
            waiting.by_id.insert(id, sender);
        }
        receiver
    }

    /// Nobody waits for these responses any more.
    pub(super) fn forget(&self, id: u64) -> bool {
        lock(&self.shared.waiting).by_id.remove(&id).is_some()
    }

    /// Writes a line, sooner or later.
    pub(super) fn write(&self, line: Vec<u8>) {
        let _ = self.input.send(line);
    }

    /// Makes it end, with all processes of its group.
    pub(super) fn end(&self, why: &str) {
        self.shared.end(why);
    }

    /// The same; waits until nothing is left of it, at most until a deadline.
    pub(super) fn end_by(&self, why: &str, deadline: Instant) {
        self.end(why);
        join_until(&mut lock(&self.reading), deadline);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end("it is no longer needed");
    }
}

/// Starts the process in this thread.
fn launch(
    settings: &Settings,
    places: Option<&Places>,
    family: &Arc<Family>,
    shared: &Arc<Shared>,
) -> Result<(Process, Sender<Vec<u8>>, Watch), StartError> {
    let shown = || settings.interpreter.display().to_string();
    let failed = |error: &std::io::Error| StartError::Interpreter(shown(), reason(error));
    let mut command = match places {
        Some(places) => places.command(settings),
        None => Command::new(&settings.interpreter),
    };
    command
        .args(["-c", &settings.program, &settings.refused.join(",")])
        .env_clear()
        .envs(settings.environment.iter().cloned())
        .current_dir(&settings.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    own_group(&mut command);
    // Where its process has ended at once, nothing is left to be limited.
    let mut process = family.spawn(&mut command).map_err(|error| failed(&error))?;
    *lock(&shared.process) = Some(process.id());
    if let Err(error) = confine::limit_memory(process.id(), settings.memory) {
        tracing::warn!("the memory of the executor's Python is not limited: {}", reason(&error));
    }
    let (input, lines) = mpsc::channel::<Vec<u8>>();
    if let Some(stdin) = process.stdin.take() {
        spawn("python-in", move || write_all(stdin, &lines)).map_err(|error| failed(&error))?;
    }
    if let Some(stderr) = process.stderr.take() {
        let follow = || stderr::follow(stderr, |line| tracing::info!("python: {line}"));
        spawn("python-log", follow).map_err(|error| failed(&error))?;
    }
    let watch = Watch::start(process.id(), settings.memory, shared, family);
    Ok((process, input, watch.map_err(|error| failed(&error))?))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Writes lines until there are no more, or the process takes none.
fn write_all(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    for line in lines {
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

/// The first response, or why there is none.
type Greeting = Result<(About, Sender<Vec<u8>>), StartError>;

/// Reads all lines of a process. Returns why it failed, if it said so.
fn attend(
    process: &mut Process,
    input: Sender<Vec<u8>>,
    shared: &Shared,
    memory: &Arc<Memory>,
    first: &SyncSender<Greeting>,
) -> Option<String> {
    let mut greeted = Some((first, input));
    let mut failed = None;
    if let Some(stdout) = process.stdout.take() {
        let mut source = BufReader::with_capacity(1 << 16, stdout);
        let mut line = Vec::new();
        let mut share = memory.share("responses of the executor's Python");
        while let Some(whole) = next_line(&mut source, &mut line) {
            let fits = match line.len() {
                0..0x1_0000 => Ok(()),
                _ => share.set(wire::weight(&line)),
            };
            match fits.map(|()| whole.then(|| wire::read(&line)).flatten()) {
                Err(full) => {
                    if let Some(id) = wire::id(&line) {
                        shared.hand_on(id, no_memory(&full.to_string()));
                    }
                }
                Ok(Some(Line::Ready(about))) => {
                    if let Some((first, input)) = greeted.take() {
                        let _ = first.send(Ok((about, input)));
                    }
                }
                Ok(Some(Line::Failed(why))) => failed = Some(why),
                Ok(Some(Line::Answer(id, answer))) if greeted.is_none() => {
                    shared.hand_on(id, answer);
                }
                Ok(_) => {
                    shared.end(&violation(&line, whole));
                    break;
                }
            }
            if line.capacity() > 1 << 20 {
                line = Vec::new();
            }
            let _ = share.set(0);
        }
    }
    failed
}

fn no_memory(full: &str) -> Answer {
    let (kind, message) = ("MemoryError".to_owned(), full.to_owned());
    Answer::Raised(Raised {
        text: format!("MemoryError({})", crate::value::quote(full)),
        kind,
        message,
    })
}

fn violation(line: &[u8], whole: bool) -> String {
    if !whole {
        return format!("it sent a line of more than {} MiB", wire::MAX_LINE >> 20);
    }
    let text = String::from_utf8_lossy(line.get(..SHOWN).unwrap_or(line));
    format!("it sent what is not of its protocol: {}", one_line(&text))
}

/// Reads the next line without its end; `None` at the end of all, `false` for one that is too long.
fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> Option<bool> {
    line.clear();
    let read = source.by_ref().take(wire::MAX_LINE as u64 + 1).read_until(b'\n', line);
    match read {
        Ok(0) | Err(_) => None,
        Ok(_) if line.last() == Some(&b'\n') => {
            line.pop();
            Some(true)
        }
        Ok(read) => Some(read <= wire::MAX_LINE),
    }
}

/// Ends what is left of a process and of those that it has started, and returns how it ended by itself.
fn reap(
    process: &mut Process,
    shared: &Shared,
    family: &Family,
    watch: Watch,
) -> Option<ExitStatus> {
    let until = Instant::now() + LAST_BREATH;
    while shared.sentence.get().is_none() && is_running(process.id()) && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    shared.kill();
    watch.join();
    let mut known = lock(&shared.process);
    *known = None;
    family.bury(process)
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// Whether a process has not ended yet; it is not reaped by this.
#[cfg(unix)]
fn is_running(process: u32) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    super::shared::pid(process)
        .is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(not(unix))]
fn is_running(_: u32) -> bool {
    false
}
