//! HTTP tasks.

mod answer;
mod check;
mod decode;
mod fault;
mod json;
mod target;
