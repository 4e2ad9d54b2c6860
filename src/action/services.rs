//! What commands start and keep running until another command stops it, by name.

use std::fmt::Debug;
use std::sync::Mutex;

use indexmap::IndexMap;

use crate::event::Failure;
use crate::lock::lock;
use crate::value::Value;

/// A service that one command starts and another stops: the stub server, an exporter. Dropping it
/// stops it.
pub(crate) trait Service: Debug + Send {
    /// The result of its start command, also if it was already running.
    fn value(&self) -> Value;
}

/// The running services.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<IndexMap<&'static str, Box<dyn Service>>>);

impl Services {
    /// Starts a service unless one of this name is running; returns the value of the running one.
    pub(crate) fn start<S: Service + 'static>(
        &self,
        name: &'static str,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        let mut services = lock(&self.0);
        if let Some(running) = services.get(name) {
            return Ok(running.value());
        }
        let service = start()?;
        let value = service.value();
        services.insert(name, Box::new(service));
        Ok(value)
    }

    /// Stops a service; returns whether it was running.
    pub(crate) fn stop(&self, name: &str) -> bool {
        // Dropped after the lock, because stopping may wait for the service's thread.
        let stopped = lock(&self.0).shift_remove(name);
        stopped.is_some()
    }
}
