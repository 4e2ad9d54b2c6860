//! The model of load of a test in words, for its report.

use std::fmt;

use super::pacer::{Distribution, Pacing, Rate, Wait};
use super::shape::Shape;

/// Corners of a shape that are listed.
const MOST_CORNERS: usize = 10;

/// The model of load: `closed: 10 users, 0.1 to 0.2 s between iterations, for 60 s`. `name` is that of a
/// shape.
pub fn in_words(shape: &Shape, pacing: Pacing, name: Option<&str>) -> String {
    let peak = shape.peak();
    let users = if peak == 1 { "user" } else { "users" };
    let length = shape.end().map_or_else(
        || "until it is stopped".to_owned(),
        |end| format!("for {} s", end.as_secs_f64()),
    );
    match pacing {
        Pacing::Open(Rate { per_second, distribution, .. }) => {
            let spread = match distribution {
                Distribution::Constant => "",
                Distribution::Poisson => " (Poisson)",
            };
            format!(
                "open: {per_second} iterations per second{spread} {length}, with at most {peak} {users}"
            )
        }
        Pacing::Closed(wait) => match name {
            None => {
                let ramp = ramp(shape);
                format!("closed: {peak} {users}{ramp} {length}, {wait} between iterations")
            }
            Some(name) => {
                let corners = corners(shape);
                format!(
                    "closed, {name}: up to {peak} {users} {length}{corners}, {wait} between iterations"
                )
            }
        },
    }
}

/// How long a constant number of users takes to start.
fn ramp(shape: &Shape) -> String {
    match shape.corners().get(1) {
        Some((reached, _)) if *reached >= 0.05 => format!(" (all after {reached:.1} s)"),
        _ => String::new(),
    }
}

fn corners(shape: &Shape) -> String {
    let corners = shape.corners();
    let listed = corners.iter().skip(1).take(MOST_CORNERS);
    let listed: Vec<String> =
        listed.map(|(at, users)| format!("{users:.0} at {at:.0} s")).collect();
    let more = if corners.len() > MOST_CORNERS + 1 { ", …" } else { "" };
    if listed.is_empty() { String::new() } else { format!(" ({}{more})", listed.join(", ")) }
}

impl fmt::Display for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range() {
            (_, max) if max <= 0.0 => out.write_str("no wait"),
            (min, max) if min == max => write!(out, "{min} s"),
            (min, max) => write!(out, "{min} to {max} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_of_load_is_described_in_words() {
        let closed = Pacing::Closed(Wait::DEFAULT);
        let constant = Shape::constant(10, 5.0, Some(60.0));
        assert_eq!(
            in_words(&constant, closed, None),
            "closed: 10 users (all after 2.0 s) for 60 s, 0.1 to 0.2 s between iterations"
        );
        assert_eq!(
            in_words(&constant, closed, Some("soak")),
            "closed, soak: up to 10 users for 60 s (10 at 2 s), 0.1 to 0.2 s between iterations"
        );
        let open = Shape::immediate(1, None);
        assert_eq!(
            in_words(&open, Pacing::Open(200.0.into()), None),
            "open: 200 iterations per second until it is stopped, with at most 1 user"
        );
    }
}
