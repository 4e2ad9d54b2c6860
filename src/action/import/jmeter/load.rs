//! The load of thread groups.

use super::super::load::{constant, whole};
use super::Reader;
use super::tree::Node;
use crate::value::{Map, Value};

/// The duration of a group that ends with its loops, in seconds: a limit that is seldom reached.
const MAX_SECONDS: f64 = 3600.0;

/// The duration of a group that never ends, in seconds.
const UNTIL_STOPPED: f64 = 60.0;

/// Groups that start their threads evenly.
const PLAIN: [&str; 4] =
    ["ThreadGroup", "SetupThreadGroup", "PostThreadGroup", "ConcurrencyThreadGroup"];

/// Groups whose level is a rate of arrivals.
const RATES: [&str; 2] = ["ArrivalsThreadGroup", "FreeFormArrivalsThreadGroup"];

impl Reader {
    /// That of a group, as members of a test; empty if the group has none.
    pub(super) fn load(&mut self, group: &Node) -> Map {
        let kind = group.tag.rsplit('.').next().unwrap_or_default();
        let number = |name: &str| group.property(name).and_then(|text| self.number(text));
        let threads = number("ThreadGroup.num_threads").or_else(|| number("TargetLevel"));
        let Some(threads) = threads.filter(|_| !RATES.contains(&kind)) else {
            self.import.notices.note("thread groups whose load is not known", group.name());
            return Map::new();
        };
        let ramp = number("ThreadGroup.ramp_time").or_else(|| number("RampUp")).unwrap_or(0.0);
        let hold = number("Hold");
        let loops = group.element("ThreadGroup.main_controller");
        let forever = loops.is_none_or(|loops| loops.is_true("LoopController.continue_forever"));
        let loops = loops.and_then(|loops| loops.property("LoopController.loops"));
        let loops = loops.and_then(|loops| self.number(loops)).filter(|loops| *loops >= 1.0);
        let duration =
            number("ThreadGroup.duration").filter(|_| group.is_true("ThreadGroup.scheduler"));
        let seconds = match (duration, hold, loops) {
            (Some(seconds), _, _) => seconds,
            (None, Some(hold), _) => ramp + hold,
            (None, None, Some(_)) => MAX_SECONDS,
            (None, None, None) => {
                self.import.notices.say(format!(
                    "a thread group without an end: it runs for {UNTIL_STOPPED} seconds"
                ));
                UNTIL_STOPPED
            }
        };
        if !PLAIN.contains(&kind) {
            let name = format!("{} ({kind})", group.name());
            self.import.notices.note("thread groups whose steps are left out", name);
        }
        let delay = group.property("ThreadGroup.delay").and_then(|text| self.number(text));
        if delay.is_some_and(|delay| delay > 0.0) {
            self.import.notices.leave_out("delay of a thread group");
        }
        let rate = if ramp > 0.0 { threads / ramp } else { threads };
        let mut load = constant(threads, rate, seconds);
        if let Some(loops) = loops.filter(|_| !forever || duration.is_none()) {
            load.insert(
                "iterations".to_owned(),
                Value::Int(whole(loops * threads.max(1.0)).max(1)),
            );
        }
        // Users of JMeter do not wait between iterations.
        load.insert("wait_time".to_owned(), 0_i64.into());
        load
    }
}
