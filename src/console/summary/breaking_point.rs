//! The result of a search for the largest load: what was found, and every probe.

use crate::console::figures::{count, counted, duration, number, text, trimmed};
use crate::console::style::{Role, Style};
use crate::value::Value;

/// The probes, if a value is the result of a search.
pub(super) fn probes(value: &Value) -> Option<&[Value]> {
    match (value.get("held_at"), value.get("failed_at"), value.get("probes")) {
        (Some(_), Some(_), Some(Value::List(probes))) => Some(probes),
        _ => None,
    }
}

/// What was found, in words.
pub(super) fn found(value: &Value, probes: &[Value]) -> (Role, String) {
    let load = |member| number(value, member).map(|load| trimmed(load, 2));
    let unit = text(value, "unit");
    let (role, found) = match (load("held_at"), load("failed_at")) {
        (Some(held), Some(failed)) => {
            (Role::Strong, format!("{held} {unit} hold, {failed} do not"))
        }
        (Some(held), None) => (Role::Strong, format!("{held} {unit} hold")),
        (None, Some(failed)) => (Role::Bad, format!("even {failed} {unit} do not hold")),
        (None, None) => (Role::Bad, "nothing was found".to_owned()),
    };
    let tried = counted(probes.len() as u64, "probe");
    let took = number(value, "seconds").map(|seconds| format!(", {}", duration(seconds)));
    (role, format!("{found}   ({tried}{})", took.unwrap_or_default()))
}

/// A line for each probe.
pub(super) fn items(probes: &[Value], style: Style) -> Vec<(Role, String)> {
    let columns = Columns::of(probes);
    probes.iter().map(|probe| columns.item(probe, style)).collect()
}

/// The widths of the columns.
struct Columns {
    load: usize,
    requests: usize,
    p95: usize,
}

impl Columns {
    fn of(probes: &[Value]) -> Self {
        let widest = |text: fn(&Value) -> String| {
            probes.iter().map(|probe| text(probe).len()).max().unwrap_or(0)
        };
        Self { load: widest(load), requests: widest(requests), p95: widest(p95) }
    }

    fn item(&self, probe: &Value, style: Style) -> (Role, String) {
        let held = matches!(probe.get("held"), Some(Value::Bool(true)));
        let role = if held { Role::Good } else { Role::Bad };
        let (load, requests, p95) = (load(probe), requests(probe), p95(probe));
        let Self { load: of_load, requests: of_requests, p95: of_p95 } = self;
        let mut words = format!(
            "{} {load:>of_load$}  {requests:>of_requests$} requests  p95 {p95:>of_p95$} ms",
            style.symbol(role)
        );
        let reason = text(probe, "reason");
        if !reason.is_empty() {
            words.push_str(&format!("  {reason}"));
        }
        (role, words)
    }
}

fn load(probe: &Value) -> String {
    trimmed(number(probe, "load").unwrap_or(0.0), 2)
}

fn requests(probe: &Value) -> String {
    count(probe, "requests").unwrap_or(0).to_string()
}

fn p95(probe: &Value) -> String {
    format!("{:.1}", number(probe, "p95_ms").unwrap_or(0.0))
}
