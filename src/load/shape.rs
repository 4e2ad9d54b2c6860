//! How many users run over time, and when the test ends. A [`Shape`] is a piecewise line over time,
//! from which the runner reads the number of users at any moment, so ramps go down as smoothly as
//! up.

use std::time::Duration;

use super::limits::TestLimits;
use crate::value::field::alternatives;
use crate::value::{Field, Invalid, Kind, Literal, Object, Reader};

/// The most stages a shape may have.
const MAX_STAGES: usize = 10_000;

/// The names of the shapes.
pub const SHAPES: Kind = Kind::OneOf(&["stages", "spike", "soak"]);

/// The fields of `shape_config`, for all shapes.
pub const SHAPE: &[Field] = &[
    Field::optional(
        "stages",
        Kind::Items { of: &Kind::Object(&[STAGE]), least: 1, most: Some(MAX_STAGES) },
        "For stages: the stages, in order.",
    )
    .note(
        "A stage moves from the users of the one before, at spawn_rate, and then holds \
         until its duration is over.",
    )
    .example(
        r#"[{"duration": 30, "users": 20, "spawn_rate": 1}, {"duration": 60,
  "users": 20}]"#,
    ),
    Field::optional("baseline_users", Kind::Count, "For spike: users before and after it.")
        .or(Literal::Int(0)),
    Field::optional("spike_users", Kind::Count, "For spike: users during it.")
        .otherwise("baseline_users"),
    Field::optional(
        "spawn_rate",
        Kind::Rate,
        "For spike and soak: users started or stopped per second.",
    )
    .otherwise("10 for spike; for soak as the ramps need"),
    Field::optional("pre_seconds", Kind::Seconds, "For spike: duration of the part before it.")
        .otherwise("30"),
    Field::optional("spike_seconds", Kind::Seconds, "For spike: duration of the spike.")
        .otherwise("30"),
    Field::optional("post_seconds", Kind::Seconds, "For spike: duration of the part after it.")
        .otherwise("30"),
    Field::optional("users", Kind::Count, "For soak: users while the load is held; required."),
    Field::optional("ramp_seconds", Kind::Seconds, "For soak: duration of the ramp up.")
        .otherwise("60"),
    Field::optional("hold_seconds", Kind::Seconds, "For soak: how long the load is held.")
        .otherwise("600"),
    Field::optional("cooldown_seconds", Kind::Seconds, "For soak: duration of the ramp down.")
        .otherwise("60"),
];

const STAGE: &[Field] = &[
    Field::required("duration", Kind::Seconds, "Duration of the stage."),
    Field::required("users", Kind::Count, "Number of users at its end."),
    Field::optional("spawn_rate", Kind::Rate, "Users started or stopped per second.")
        .or(Literal::Int(1)),
];

/// The number of users over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The line's points: seconds from the start, users. Linear between two points and constant
    /// after the last one. Times never decrease; two points may share a time.
    corners: Vec<(f64, f64)>,
    /// When the test ends; `None` for one that runs until it is stopped.
    end: Option<f64>,
}

impl Shape {
    /// Starts `users` at `rate` per second and ends after `seconds`.
    pub fn constant(users: u64, rate: f64, seconds: Option<f64>) -> Self {
        let mut shape = Self { corners: vec![(0.0, 0.0)], end: seconds };
        shape.towards(users as f64, rate, f64::INFINITY);
        shape
    }

    /// Starts all `users` immediately (an open model's pool).
    pub fn immediate(users: u64, seconds: Option<f64>) -> Self {
        Self { corners: vec![(0.0, users as f64)], end: seconds }
    }

    /// Parses the shape that `load_shape` names, from `shape_config`.
    pub fn parse(
        name: &Reader<'_>,
        config: &mut Object<'_>,
        limits: &TestLimits,
    ) -> Result<Self, Invalid> {
        match name.text()?.to_ascii_lowercase().as_str() {
            "stages" => Self::stages(config, limits),
            "spike" => Self::spike(config, limits),
            "soak" => Self::soak(config, limits),
            other => {
                let known = alternatives(other, &["stages", "spike", "soak"]);
                Err(name.invalid(format!("unknown load shape {other:?}{known}")))
            }
        }
    }

    fn stages(config: &mut Object<'_>, limits: &TestLimits) -> Result<Self, Invalid> {
        let list = config.required("stages")?;
        let stages = list.list()?;
        if stages.is_empty() || stages.len() > MAX_STAGES {
            return Err(
                list.invalid(format!("expected 1 to {MAX_STAGES} stages, got {}", stages.len()))
            );
        }
        let mut shape = Self { corners: vec![(0.0, 0.0)], end: None };
        let mut until = 0.0;
        for stage in stages {
            let mut fields = stage.fields(STAGE)?;
            until = limits.later(until, &fields.required("duration")?)?;
            let users = limits.users(&fields.required("users")?)?;
            let rate = fields.or_default("spawn_rate", |rate| rate.positive())?;
            fields.finish()?;
            shape.towards(users as f64, rate, until);
        }
        shape.end = Some(until);
        Ok(shape)
    }

    fn spike(config: &mut Object<'_>, limits: &TestLimits) -> Result<Self, Invalid> {
        let baseline = config.or_default("baseline_users", |field| limits.users(field))?;
        let spike =
            config.present("spike_users").map_or(Ok(baseline), |field| limits.users(&field))?;
        let rate = config.present("spawn_rate").map_or(Ok(10.0), |rate| rate.positive())?;
        let mut until = 0.0;
        let mut shape = Self { corners: vec![(0.0, 0.0)], end: None };
        for (key, users) in
            [("pre_seconds", baseline), ("spike_seconds", spike), ("post_seconds", baseline)]
        {
            until = config
                .present(key)
                .map_or(Ok(until + 30.0), |field| limits.later(until, &field))?;
            shape.towards(users as f64, rate, until);
        }
        shape.end = Some(until);
        Ok(shape)
    }

    fn soak(config: &mut Object<'_>, limits: &TestLimits) -> Result<Self, Invalid> {
        let users = limits.users(&config.required("users")?)? as f64;
        let rate =
            config.present("spawn_rate").map_or(Ok(f64::INFINITY), |rate| rate.positive())?;
        let mut part = |key: &str, from: f64, default: f64| {
            config.present(key).map_or(Ok(from + default), |field| limits.later(from, &field))
        };
        let ramped = part("ramp_seconds", 0.0, 60.0)?;
        let held = part("hold_seconds", ramped, 600.0)?;
        let end = part("cooldown_seconds", held, 60.0)?;
        let mut shape = Self { corners: vec![(0.0, 0.0)], end: None };
        // The spawn rate limits the ramps; without one only their durations do.
        shape.towards(users, rate.min(users / ramped), held);
        shape.towards(0.0, rate.min(users / (end - held)), end);
        shape.end = Some(end);
        Ok(shape)
    }

    /// Extends the line from its last point at `rate` users per second, then keeps it constant
    /// until `until`.
    fn towards(&mut self, users: f64, rate: f64, until: f64) {
        let (from, level) = self.corners.last().copied().unwrap_or((0.0, 0.0));
        let needed = (users - level).abs() / rate;
        if users != level {
            let reached = from + needed;
            if reached <= until {
                self.corners.push((reached, users));
            } else {
                let step = (until - from) * rate;
                let part = if users > level { level + step } else { level - step };
                self.corners.push((until, part));
                return;
            }
        }
        if until.is_finite() {
            self.corners.push((until, users));
        }
    }

    /// How many users should run `at` this time after the start.
    pub fn users(&self, at: Duration) -> usize {
        // A user starts when its turn begins, not when it ends: the first one immediately.
        let at = at.as_secs_f64() + 1e-6;
        let after = self.corners.partition_point(|(time, _)| *time <= at);
        let before = after.checked_sub(1).and_then(|index| self.corners.get(index));
        let level = match (before, self.corners.get(after)) {
            (Some((t0, u0)), Some((t1, u1))) => u0 + (u1 - u0) * (at - t0) / (t1 - t0),
            (Some((_, users)), None) | (None, Some((_, users))) => *users,
            (None, None) => 0.0,
        };
        // Rounding errors of the line must not add a user.
        (level - 1e-9).ceil().max(0.0) as usize
    }

    /// If the number of users is constant from `at` on, until when: `None` for ever.
    pub fn level_until(&self, at: Duration) -> Option<Duration> {
        let at = at.as_secs_f64();
        let after = self.corners.partition_point(|(time, _)| *time <= at);
        let mut level = after.checked_sub(1).and_then(|index| self.corners.get(index))?.1;
        let mut until = None;
        for (time, users) in self.corners.get(after..).unwrap_or_default() {
            if (users - level).abs() > f64::EPSILON {
                return Some(Duration::from_secs_f64(until.unwrap_or(at)));
            }
            until = Some(*time);
            level = *users;
        }
        None
    }

    /// When the test ends.
    pub fn end(&self) -> Option<Duration> {
        self.end.map(Duration::from_secs_f64)
    }

    /// Where the curve of users bends: seconds and users, at least the beginning.
    pub(super) fn corners(&self) -> &[(f64, f64)] {
        &self.corners
    }

    /// The highest number of users.
    pub fn peak(&self) -> usize {
        self.corners.iter().map(|(_, users)| users.ceil() as usize).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn curve(shape: &Shape, seconds: &[f64]) -> Vec<usize> {
        seconds.iter().map(|at| shape.users(Duration::from_secs_f64(*at))).collect()
    }

    fn parse(name: &str, config: &str) -> Result<Shape, Invalid> {
        let name = name.into();
        let config = Value::parse(config).expect("JSON");
        let mut fields = Reader::at(&config, "/shape_config").fields(SHAPE)?;
        let limits = TestLimits::default();
        let shape = Shape::parse(&Reader::at(&name, "/load_shape"), &mut fields, &limits)?;
        fields.finish()?;
        Ok(shape)
    }

    #[test]
    fn a_constant_shape_ramps_at_the_spawn_rate_and_then_stays() {
        let shape = Shape::constant(50, 10.0, Some(60.0));
        assert_eq!(curve(&shape, &[0.0, 0.95, 2.0, 4.95, 5.0, 30.0]), [1, 10, 21, 50, 50, 50]);
        assert_eq!(shape.end(), Some(Duration::from_secs(60)));
        assert_eq!(shape.level_until(Duration::from_secs(6)), None);
        assert_eq!(shape.peak(), 50);
    }

    #[test]
    fn stages_ramp_up_and_down() {
        let shape = parse(
            "stages",
            r#"{"stages": [{"duration": 10, "users": 20, "spawn_rate": 10},
                           {"duration": 10, "users": 5, "spawn_rate": 5}]}"#,
        )
        .expect("a shape");
        assert_eq!(
            curve(&shape, &[0.95, 2.0, 9.9, 11.0, 12.0, 13.0, 19.0]),
            [10, 20, 20, 15, 10, 5, 5]
        );
        assert_eq!(shape.end(), Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_spike_goes_up_and_back_down() {
        let shape = parse(
            "spike",
            r#"{"baseline_users": 2, "spike_users": 10, "spawn_rate": 100,
                "pre_seconds": 1, "spike_seconds": 2, "post_seconds": 1}"#,
        )
        .expect("a shape");
        assert_eq!(curve(&shape, &[0.5, 1.5, 2.9, 3.5]), [2, 10, 10, 2]);
        assert_eq!(shape.end(), Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_soak_ramps_up_during_ramp_seconds_and_down_during_cooldown_seconds() {
        let shape = parse(
            "soak",
            r#"{"users": 10, "ramp_seconds": 10, "hold_seconds": 5, "cooldown_seconds": 10}"#,
        )
        .expect("a shape");
        assert_eq!(curve(&shape, &[4.95, 10.0, 14.0, 20.0, 24.95]), [5, 10, 10, 5, 1]);
    }

    #[test]
    fn limits_and_unknown_shapes_are_refused_with_their_place() {
        let refusal = |name, config| parse(name, config).unwrap_err().to_string();
        assert_eq!(
            refusal("stages", r#"{"stages": [{"duration": 1, "users": 1000000000}]}"#),
            "/shape_config/stages/0/users: 1000000000 users exceed --max-users 100000"
        );
        assert_eq!(
            refusal("wave", "{}"),
            "/load_shape: unknown load shape \"wave\"; expected stages, spike or soak"
        );
        assert_eq!(
            refusal("soak", r#"{"users": 1, "ramp_seconds": -1}"#),
            "/shape_config/ramp_seconds: expected a number of at least 0, got -1"
        );
    }
}
