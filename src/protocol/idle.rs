//! Connections between steps. A user that waits or thinks does not read, but its target may expect
//! answers to its pings, or pings, within seconds. One task per worker looks after all idle
//! connections: that costs idle users no task, and steps nothing.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;

/// How often an idle connection is looked at. Targets wait for 20 s and more for what is due.
const ROUND: Duration = Duration::from_secs(1);

/// How many connections are looked at before others have their turn.
const TURN: usize = 256;

/// A connection that is looked after.
pub(crate) trait Tended: Debug + 'static {
    /// Does what is due, and waits for nothing.
    fn tend(&mut self);
}

/// Where a user keeps its connection between steps.
pub(crate) type Slot<T> = RefCell<Option<Box<T>>>;

/// The slots of a worker's users.
#[derive(Debug)]
pub(crate) struct Idle<T> {
    slots: RefCell<Vec<Weak<Slot<T>>>>,
}

impl<T> Default for Idle<T> {
    fn default() -> Self {
        Self { slots: RefCell::default() }
    }
}

impl<T: Tended> Idle<T> {
    /// Looks after a user's slot from now on.
    pub(crate) fn add(self: &Rc<Self>, slot: &Rc<Slot<T>>) {
        let first = {
            let mut slots = self.slots.borrow_mut();
            slots.push(Rc::downgrade(slot));
            slots.len() == 1
        };
        if first {
            tokio::task::spawn_local(rounds(Rc::downgrade(self)));
        }
    }

    /// Looks at some connections from a place in the list; returns the next place, if there are more.
    fn tend(&self, from: usize) -> Option<usize> {
        let mut slots = self.slots.borrow_mut();
        let mut at = from;
        while at < (from + TURN).min(slots.len()) {
            match slots.get(at).and_then(Weak::upgrade) {
                Some(slot) => {
                    if let Some(connection) = slot.borrow_mut().as_mut() {
                        connection.tend();
                    }
                    at += 1;
                }
                None => drop(slots.swap_remove(at)),
            }
        }
        (at < slots.len()).then_some(at)
    }
}

/// Round after round, until no user is left.
async fn rounds<T: Tended>(idle: Weak<Idle<T>>) {
    loop {
        sleep(ROUND).await;
        let mut from = 0;
        loop {
            let Some(idle) = idle.upgrade() else { return };
            match idle.tend(from) {
                Some(next) => from = next,
                None if idle.slots.borrow().is_empty() => return,
                None => break,
            }
            drop(idle);
            yield_now().await;
        }
    }
}
