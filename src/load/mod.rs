//! How load is made: plan, shape, pacer, scenario, virtual user, runner. It knows no protocol and no
//! socket: what a task does is a driver's business.

mod source;

pub use source::Source;
