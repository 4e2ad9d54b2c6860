//! Load from several machines by Locust's protocol: a worker of any master, and a master of any
//! workers. [`zmtp`] carries the frames, [`message`] types them, and reports become figures again.

mod master;
mod merge;
pub mod message;
mod reminder;
mod report;
mod usage;
mod worker;
pub mod zmtp;

pub use master::{Health, Master, MasterOptions, MasterOutcome, Status};
pub use worker::{Worker, WorkerEnd, WorkerOptions, WorkerOutcome};
