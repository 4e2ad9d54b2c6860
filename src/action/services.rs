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

/// The name of a service, and the run it belongs to, if it belongs to one.
type Key = (&'static str, Option<u64>);

/// The running services.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<IndexMap<Key, Place>>);

/// A run that starts, uses and stops services of its own. Documents of the text dialect are one
/// tenant: as in the reference, each of them sees what the others have started.
pub(crate) struct Tenant<'a> {
    /// `None`: the documents of the text dialect.
    pub(super) run: Option<u64>,
    /// Whether a run has ended, so that what it has left running belongs to everybody.
    pub(super) has_ended: Box<dyn Fn(u64) -> bool + 'a>,
}

impl Tenant<'_> {
    fn may_use(&self, (_, owner): &Key) -> bool {
        *owner == self.run || owner.is_none_or(&self.has_ended)
    }
}

impl Services {
    /// Starts a service unless one of this name is running; returns the value of the running one.
    pub(crate) fn start<S: Service + 'static>(
        &self,
        name: &'static str,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        self.start_at((name, None), start)
    }

    /// Starts a service of a run, unless one of this name is running that the run may use; returns the
    /// value of the running one.
    pub(crate) fn start_of<S: Service + 'static>(
        &self,
        name: &'static str,
        tenant: &Tenant<'_>,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        let own = (name, tenant.run);
        let usable = self.usable(name, tenant).into_iter().filter(|key| *key != own);
        let left = usable.filter_map(|key| self.at(&key)).find_map(|place| {
            let running = place.try_lock().ok()?;
            running.as_ref().map(|service| service.value())
        });
        // A place that is locked has one that starts or stops.
        let has_own = self
            .at(&own)
            .is_some_and(|place| place.try_lock().map_or(true, |service| service.is_some()));
        match left.filter(|_| !has_own) {
            Some(value) => Ok(value),
            None => self.start_at(own, start),
        }
    }

    fn start_at<S: Service + 'static>(
        &self,
        key: Key,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        let place = Arc::clone(lock(&self.0).entry(key).or_default());
        let mut service = lock(&place);
        if let Some(running) = &*service {
            return Ok(running.value());
        }
        let started = match start() {
            Ok(started) => started,
            Err(failure) => {
                drop(service);
                self.forget(&key);
                return Err(failure);
            }
        };
        let value = started.value();
        *service = Some(Box::new(started));
        Ok(value)
    }

    fn at(&self, key: &Key) -> Option<Place> {
        lock(&self.0).get(key).cloned()
    }

    /// What a run may use: its own, and what others have left running.
    fn usable(&self, name: &str, tenant: &Tenant<'_>) -> Vec<Key> {
        let keys: Vec<Key> = lock(&self.0).keys().copied().collect();
        keys.into_iter().filter(|key| key.0 == name && tenant.may_use(key)).collect()
    }

    /// Forgets the place of a run, which only the run itself uses.
    fn forget(&self, key: &Key) {
        if key.1.is_some() {
            lock(&self.0).swap_remove(key);
        }
    }

    /// The services of this name that are running: the run that each belongs to, its value, and how many
    /// clients are connected to it.
    pub(crate) fn look(&self, name: &str) -> Vec<(Option<u64>, Value, usize)> {
        let all: Vec<(Key, Place)> =
            lock(&self.0).iter().map(|(key, place)| (*key, Arc::clone(place))).collect();
        let of_name = all.into_iter().filter(|((other, _), _)| *other == name);
        let running = of_name.filter_map(|((_, owner), place)| {
            let running = place.try_lock().ok()?;
            running.as_ref().map(|service| (owner, service.value(), service.connections()))
        });
        running.collect()
    }

    /// Stops a service; returns whether it was running.
    pub(crate) fn stop(&self, name: &'static str) -> bool {
        self.stop_at(&(name, None))
    }

    /// Stops a run's service of this name; where it has none, those that others have left running.
    /// Returns whether one was running.
    pub(crate) fn stop_of(&self, name: &'static str, tenant: &Tenant<'_>) -> bool {
        if self.stop_at(&(name, tenant.run)) {
            return true;
        }
        let left = self.usable(name, tenant);
        left.iter().filter(|key| self.stop_at(key)).count() > 0
    }

    fn stop_at(&self, key: &Key) -> bool {
        let place = self.at(key);
        // Dropped after the lock, because stopping may wait for the service's thread.
        let stopped = place.and_then(|place| lock(&place).take());
        self.forget(key);
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

    fn quick() -> Result<Silent, Failure> {
        Ok(Silent(mpsc::channel().1))
    }

    #[test]
    fn what_a_run_has_started_is_its_own_until_the_run_has_ended() {
        let services = Services::default();
        let tenant = |run, has_ended: fn(u64) -> bool| {
            let has_ended: Box<dyn Fn(u64) -> bool> = Box::new(has_ended);
            Tenant { run, has_ended }
        };
        let start = |run, has_ended| {
            services.start_of("stub", &tenant(run, has_ended), quick).expect("started");
            services.look("stub").len()
        };
        let stop = |run, has_ended| services.stop_of("stub", &tenant(run, has_ended));
        let none: fn(u64) -> bool = |_| false;
        assert_eq!(start(Some(1), none), 1);
        assert_eq!(start(Some(1), none), 1);
        assert!(!stop(Some(2), none) && !stop(None, none));
        assert_eq!(start(Some(2), none), 2);
        assert!(stop(Some(2), none));
        assert_eq!(services.look("stub").len(), 1);
        let first: fn(u64) -> bool = |run| run == 1;
        assert_eq!(start(Some(3), first), 1);
        assert!(stop(Some(3), first) && !stop(Some(3), first));
        // A run that has stopped its own takes what another one has left, as one that had none.
        assert_eq!(start(None, none), 1);
        assert!(stop(None, none));
        assert_eq!(start(Some(1), none), 1);
        assert_eq!(start(None, first), 1, "the port is taken by the other one");
        assert!(stop(None, first));
        // Documents of the text dialect share theirs, and leave them to everybody.
        assert_eq!(start(None, none), 1);
        assert_eq!(start(Some(4), none), 1);
        assert!(stop(Some(4), none));
        assert!(lock(&services.0).len() <= 1, "no places of ended runs are kept");
    }
}
