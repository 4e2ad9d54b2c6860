//! How load is generated: plan, shape, pacer, scenario, virtual user, scheduler, runner. Independent of
//! protocols and sockets: a driver performs the tasks.

mod alarm;
mod conditioner;
pub mod driver;
pub mod faker;
mod limits;
pub mod misses;
pub mod pacer;
mod plan;
pub mod predicate;
mod progress;
mod runner;
pub mod scenario;
mod scheduler;
mod search;
mod seed;
pub mod shape;
mod source;
mod stop;
mod streamed;
pub mod template;
mod throttle;
mod trace;
mod user;
mod users;
mod words;
mod workload;

pub use conditioner::{Conditioner, LOST};
pub use limits::{MAX_TEXT, MOST_SECONDS, MOST_TASKS, MOST_USERS, TestLimits};
pub use plan::{Plan, Settings};
pub use progress::{Progress, ProgressTicker};
pub use runner::{RunError, note_users};
pub use search::{Bounds, Search};
pub use source::{CsvError, CsvRows, CsvTable, CsvTables};
pub use streamed::{Elsewhere, Happening, OVERTIME, Request, Streamed};
pub use throttle::Throttle;
pub use trace::Trace;
pub use users::{Commands, Users};
pub use words::in_words;
pub use workload::{AnyTasks, Runnable, Workload};

#[cfg(test)]
mod tests;
