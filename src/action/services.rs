//! What a command starts and what runs on until another command stops it, by its name.

use std::fmt::Debug;
use std::sync::Mutex;

use indexmap::IndexMap;

use crate::event::Failure;
use crate::lock::lock;
use crate::value::Value;

/// Something that a command starts and that runs on until another stops it: the stub server, an
/// exporter. Dropping it stops it.
pub(crate) trait Service: Debug + Send {
    /// What its start command gives, also when it is already running.
    fn value(&self) -> Value;
}

/// The services that run.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<IndexMap<&'static str, Box<dyn Service>>>);

impl Services {
    /// Starts a service unless one of this name runs already; gives the value of the one that runs.
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

    /// Stops a service; whether it ran.
    pub(crate) fn stop(&self, name: &str) -> bool {
        // Dropped after the lock, for stopping may wait for the service's thread.
        let stopped = lock(&self.0).shift_remove(name);
        stopped.is_some()
    }
}
