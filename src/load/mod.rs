//! How load is made: plan, shape, pacer, scenario, virtual user, runner. It knows no protocol and no
//! socket: what a task does is a driver's business.

pub mod faker;
pub mod pacer;
pub mod predicate;
pub mod scenario;
pub mod shape;
mod source;
pub mod template;
mod throttle;

pub use source::Source;
pub use throttle::Throttle;
