//! What commands start and keep running until another command stops it, by name. Starting a service
//! may wait for a resolver, and stopping one for a receiver: only callers of the same service wait.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Instant;

use indexmap::IndexMap;

use crate::event::Failure;
use crate::lock::lock;
use crate::value::Value;

/// A service that one command starts and another stops: the stub server, an exporter. Dropping it
/// stops it, and may wait for it.
pub(crate) trait Service: Debug + Send {
    /// The result of its start command, also if it was already running.
    fn value(&self) -> Value;

    /// How many clients are connected to it.
    fn connections(&self) -> usize {
        0
    }

    /// Asks it to end, so that several can end at the same time; dropping it follows.
    fn begin_to_stop(&mut self) {}

    /// Waits for its end, at most until a deadline; returns whether it has ended. Dropping one that
    /// has not does not wait any more.
    fn stop_until(&mut self, _deadline: Instant) -> bool {
        true
    }
}

/// The place of a service, locked while it starts.
type Place = Arc<Mutex<Option<Box<dyn Service>>>>;

/// The running services.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<IndexMap<&'static str, Place>>);

impl Services {
    /// Starts a service unless one of this name is running; returns the value of the running one.
    pub(crate) fn start<S: Service + 'static>(
        &self,
        name: &'static str,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        let place = Arc::clone(lock(&self.0).entry(name).or_default());
        let mut service = lock(&place);
        if let Some(running) = &*service {
            return Ok(running.value());
        }
        let started = start()?;
        let value = started.value();
        *service = Some(Box::new(started));
        Ok(value)
    }

    /// The value of a service that is running, and how many clients are connected to it.
    pub(crate) fn look(&self, name: &str) -> Option<(Value, usize)> {
        let place = lock(&self.0).get(name).cloned()?;
        let running = place.try_lock().ok()?;
        running.as_ref().map(|service| (service.value(), service.connections()))
    }

    /// Stops a service; returns whether it was running.
    pub(crate) fn stop(&self, name: &str) -> bool {
        let place = lock(&self.0).get(name).cloned();
        // Dropped after the lock, because stopping may wait for the service's thread.
        let stopped = place.and_then(|place| lock(&place).take());
        stopped.is_some()
    }

    /// Stops all services at the same time, at most until a deadline. Those that are just starting
    /// are left to the end of the process.
    pub(crate) fn close(&self, deadline: Instant) {
        let places: Vec<Place> = lock(&self.0).values().cloned().collect();
        let running = places.iter().filter_map(|place| match place.try_lock() {
            Ok(mut service) => service.take(),
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned).take(),
            Err(TryLockError::WouldBlock) => None,
        });
        let mut running: Vec<Box<dyn Service>> = running.collect();
        running.iter_mut().for_each(|service| service.begin_to_stop());
        for service in &mut running {
            service.stop_until(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[derive(Debug)]
    struct Silent(mpsc::Receiver<()>);

    impl Service for Silent {
        fn value(&self) -> Value {
            Value::Null
        }

        fn stop_until(&mut self, deadline: Instant) -> bool {
            let left = deadline.saturating_duration_since(Instant::now());
            self.0.recv_timeout(left) != Err(mpsc::RecvTimeoutError::Timeout)
        }
    }

    #[test]
    fn t45_a_service_that_waits_for_a_resolver_delays_no_other_and_no_shutdown() {
        let services = Services::default();
        let (resolved, resolver) = mpsc::channel::<()>();
        let (began, waits) = mpsc::channel();
        std::thread::scope(|scope| {
            let services = &services;
            scope.spawn(move || {
                services.start("slow", || {
                    began.send(()).expect("a test");
                    let _ = resolver.recv();
                    let (_ended, running) = mpsc::channel();
                    Ok(Silent(running))
                })
            });
            waits.recv().expect("a start");
            let (_ended, running) = mpsc::channel();
            assert_eq!(services.start("other", || Ok(Silent(running))), Ok(Value::Null));
            assert!(!services.stop("none"));
            services.close(Instant::now() + Duration::from_millis(1));
            assert!(!services.stop("other"), "it was stopped");
            drop(resolved);
        });
        assert!(services.stop("slow"));
    }
}
