//! The child for those that need it: one at a time, started again after its end, and one test in it at
//! a time, because LoadDensity keeps a test's tasks and records in one place for all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::child::Child;
use super::confine::Places;
use super::family::Family;
use super::settings::{Settings, StartError};
use super::wire::{self, About, Answer, Row};
use crate::lock::lock;
use crate::memory::Memory;
use crate::value::Value;

/// Records of one line.
const ROWS: usize = 500;

/// How long its owner waits for the end of a child.
const PARTING: Duration = Duration::from_secs(1);

/// Why a child ends with its owner.
const CLOSED: &str = "the server ends";

/// The executor's Python.
#[derive(Debug)]
pub struct Python {
    settings: Settings,
    places: Option<Arc<Places>>,
    family: Arc<Family>,
    memory: Arc<Memory>,
    child: Mutex<Option<Arc<Child>>>,
    closed: AtomicBool,
    about: About,
    next: AtomicU64,
    /// Whether a test runs in it.
    testing: Arc<AtomicBool>,
}

/// A request in progress. Dropping it stops it.
#[derive(Debug)]
pub struct Call {
    id: u64,
    child: Arc<Child>,
    answers: Receiver<Answer>,
    /// Given back at its end.
    place: Option<Testing>,
}

/// What a request has come to.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Nothing new.
    Nothing,
    /// A response.
    Answer(Answer),
    /// The child has ended before the last response; the text says why.
    Lost(String),
}

/// The place of the one test.
#[derive(Debug)]
struct Testing(Arc<AtomicBool>);

impl Drop for Testing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Python {
    /// Starts the child, and fails where it cannot run LoadDensity.
    pub fn start(settings: Settings, memory: &Arc<Memory>) -> Result<Self, StartError> {
        if !cfg!(unix) {
            let shown = settings.interpreter.display().to_string();
            let why = "--executor needs Linux or another Unix".to_owned();
            return Err(StartError::Interpreter(shown, why));
        }
        let places = settings.confined.then(|| Places::of(&settings)).transpose()?.map(Arc::new);
        let family = Arc::new(Family::new(settings.confined));
        let child = Child::start(&settings, places.as_ref(), &family, memory)?;
        Ok(Self {
            about: child.about().clone(),
            settings,
            places,
            family,
            memory: Arc::clone(memory),
            child: Mutex::new(Some(Arc::new(child))),
            closed: AtomicBool::new(false),
            next: AtomicU64::new(1),
            testing: Arc::default(),
        })
    }

    /// What it is.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Calls a command.
    pub fn call(&self, name: &str, arguments: Option<&Value>) -> Result<Call, StartError> {
        let call = self.expect()?;
        call.child.write(wire::call(call.id, name, arguments));
        Ok(call)
    }

    /// Takes the place of the one test, which the call keeps; `None` if another has it.
    pub fn test(&self, arguments: &Value) -> Option<Result<Call, StartError>> {
        let place = self.place()?;
        Some(self.expect().map(|mut call| {
            call.child.write(wire::test(call.id, arguments));
            call.place = Some(place);
            call
        }))
    }

    /// [`Self::call`] of a command that reads these records, in the place of the one test; `None` if a
    /// test has it.
    pub fn call_alone(
        &self,
        name: &str,
        arguments: Option<&Value>,
        rows: &[Row],
    ) -> Option<Result<Call, StartError>> {
        let place = self.place()?;
        Some(self.expect().map(|mut call| {
            // An empty list as well, so that it reads no others.
            rows.chunks(ROWS).chain(rows.is_empty().then_some(rows)).for_each(|rows| {
                call.child.write(wire::rows(call.id, rows));
            });
            call.child.write(wire::call(call.id, name, arguments));
            call.place = Some(place);
            call
        }))
    }

    /// Ends the child for good; waits until nothing is left of it, at most until a deadline.
    pub fn close(&self, deadline: Instant) {
        self.closed.store(true, Ordering::SeqCst);
        // One that is just being started is ended by whoever starts it.
        if let Ok(mut child) = self.child.try_lock()
            && let Some(child) = child.take()
        {
            child.end_by(CLOSED, deadline);
        }
    }

    fn place(&self) -> Option<Testing> {
        let taken = self.testing.swap(true, Ordering::Acquire);
        (!taken).then(|| Testing(Arc::clone(&self.testing)))
    }

    fn expect(&self) -> Result<Call, StartError> {
        let child = self.child()?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let answers = child.expect(id);
        Ok(Call { id, child, answers, place: None })
    }

    /// The child that runs; a new one if the last has ended.
    fn child(&self) -> Result<Arc<Child>, StartError> {
        let closed = || {
            let shown = self.settings.interpreter.display().to_string();
            StartError::Interpreter(shown, CLOSED.to_owned())
        };
        let mut current = lock(&self.child);
        match &*current {
            Some(child) if !child.has_ended() => return Ok(Arc::clone(child)),
            _ if self.closed.load(Ordering::SeqCst) => return Err(closed()),
            Some(child) => {
                tracing::warn!("the executor's Python is started again: {}", child.why());
            }
            None => {}
        }
        let places = self.places.as_ref();
        let child = Child::start(&self.settings, places, &self.family, &self.memory)?;
        let child = Arc::clone(current.insert(Arc::new(child)));
        if self.closed.load(Ordering::SeqCst) {
            child.end(CLOSED);
            return Err(closed());
        }
        Ok(child)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.close(Instant::now() + PARTING);
    }
}

impl Call {
    /// The next response, waited for at most so long.
    pub fn next(&mut self, patience: Duration) -> Step {
        match self.answers.recv_timeout(patience) {
            Ok(answer) => Step::Answer(answer),
            Err(RecvTimeoutError::Timeout) => Step::Nothing,
            Err(RecvTimeoutError::Disconnected) => Step::Lost(self.child.why()),
        }
    }

    /// Asks it to end; its last response follows.
    pub fn stop(&self) {
        self.child.write(wire::stop(self.id));
    }

    /// Ends the child, because this request does not end.
    pub fn kill(&self, why: &str) {
        self.child.end(why);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.child.forget(self.id) {
            self.stop();
        }
    }
}
