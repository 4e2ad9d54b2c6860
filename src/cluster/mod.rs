//! Load from several machines by Locust's protocol. [`zmtp`] carries the frames and [`message`] types
//! them.

pub mod message;
pub mod zmtp;
