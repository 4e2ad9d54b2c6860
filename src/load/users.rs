//! How many users run: a [`Shape`] decides it by the clock, or [`Commands`] from outside while the
//! test runs. The runner asks both the same questions; users of neither know which it is.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::shape::Shape;

/// How many users run over time.
#[derive(Debug, Clone)]
pub enum Users {
    /// By the clock.
    Shape(Shape),
    /// As commanded.
    Commanded(Arc<Commands>),
}

impl From<Shape> for Users {
    fn from(shape: Shape) -> Self {
        Self::Shape(shape)
    }
}

impl Users {
    /// How many should run `at` this time after the start.
    pub(super) fn at(&self, at: Duration) -> usize {
        match self {
            Self::Shape(shape) => shape.users(at),
            Self::Commanded(commands) => commands.order().users,
        }
    }

    /// If their number is constant from `at` on, until when: `None` for ever, or until a command.
    pub(super) fn level_until(&self, at: Duration) -> Option<Duration> {
        match self {
            Self::Shape(shape) => shape.level_until(at),
            Self::Commanded(_) => None,
        }
    }

    /// When the test ends by the clock.
    pub(super) fn end(&self) -> Option<Duration> {
        match self {
            Self::Shape(shape) => shape.end(),
            Self::Commanded(commands) => commands.end,
        }
    }

    /// Whether the test is over.
    pub(super) fn are_over(&self, at: Duration) -> bool {
        let commanded = match self {
            Self::Shape(_) => false,
            Self::Commanded(commands) => commands.order().urgency == Urgency::End,
        };
        commanded || self.end().is_some_and(|end| at >= end)
    }

    /// The highest number of users.
    pub(super) fn peak(&self) -> usize {
        match self {
            Self::Shape(shape) => shape.peak(),
            Self::Commanded(commands) => commands.most,
        }
    }

    /// One worker's view of them.
    pub(super) fn follow(&self) -> Follower {
        match self {
            Self::Shape(_) => Follower(None),
            Self::Commanded(commands) => Follower(Some(Following {
                orders: commands.orders.subscribe(),
                commands: Arc::clone(commands),
                busy: 0,
            })),
        }
    }
}

/// What has been commanded last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    users: usize,
    urgency: Urgency,
}

/// What becomes of users that are one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// They finish the request in progress.
    Finish,
    /// They drop it.
    Drop,
    /// The test ends: they finish it within the time that every test leaves them.
    End,
}

/// The number of users of a test, commanded from outside while it runs.
#[derive(Debug)]
pub struct Commands {
    orders: watch::Sender<Order>,
    /// The most users that it takes.
    most: usize,
    /// When the test ends without a command.
    end: Option<Duration>,
    /// Users that run or finish a request, as the workers have last counted them.
    busy: AtomicUsize,
}

impl Commands {
    /// No users yet, later at most `most`; the test ends after `end` if it is not ended before.
    pub fn new(most: usize, end: Option<Duration>) -> Arc<Self> {
        let orders = watch::Sender::new(Order { users: 0, urgency: Urgency::Finish });
        Arc::new(Self { orders, most, end, busy: AtomicUsize::new(0) })
    }

    /// Commands a number of users, at once; returns how many there will be.
    pub fn set(&self, users: usize) -> usize {
        let users = users.min(self.most);
        self.give(Order { users, urgency: Urgency::Finish });
        users
    }

    /// Drops the requests of users that are finishing one.
    pub fn drop_unfinished(&self) {
        self.give(Order { urgency: Urgency::Drop, ..self.order() });
    }

    /// Ends the test.
    pub fn end(&self) {
        self.give(Order { users: 0, urgency: Urgency::End });
    }

    /// How many users there will be.
    pub fn users(&self) -> usize {
        self.order().users
    }

    /// The most users that can be commanded.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many users run or finish a request. None are left only when the figures of all of them have
    /// been merged.
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }

    fn order(&self) -> Order {
        *self.orders.borrow()
    }

    /// The end is the last command.
    fn give(&self, order: Order) {
        self.orders.send_if_modified(|last| {
            let new = last.urgency != Urgency::End && *last != order;
            if new {
                *last = order;
            }
            new
        });
    }
}

/// What one worker knows of the commands; nothing where a shape decides.
pub(super) struct Follower(Option<Following>);

struct Following {
    commands: Arc<Commands>,
    orders: watch::Receiver<Order>,
    busy: usize,
}

impl Follower {
    /// Whether there can be commands.
    pub(super) fn is_commanded(&self) -> bool {
        self.0.is_some()
    }

    /// Completes with the next command; never where a shape decides.
    pub(super) async fn changed(&mut self) {
        let Some(following) = &mut self.0 else { return pending().await };
        // The plan, which outlives this, holds the sender.
        if following.orders.changed().await.is_err() {
            pending().await
        }
    }

    /// Whether users that are one too many drop their requests.
    pub(super) fn drops(&self) -> bool {
        self.0.as_ref().is_some_and(|following| following.orders.borrow().urgency == Urgency::Drop)
    }

    /// Whether somebody waits for users that are finishing.
    pub(super) fn is_awaited(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|following| following.busy > 0 && following.orders.borrow().users == 0)
    }

    /// This worker has so many users that run or finish a request.
    pub(super) fn note(&mut self, busy: usize) {
        if let Some(following) = &mut self.0 {
            let change = busy.wrapping_sub(following.busy);
            following.commands.busy.fetch_add(change, Ordering::SeqCst);
            following.busy = busy;
        }
    }
}
