//! Figures as people read them.

use crate::value::Value;

/// A count among the members of an object.
pub(super) fn count(from: &Value, member: &str) -> Option<u64> {
    number(from, member).map(|number| number as u64)
}

/// A number among the members of an object.
pub(super) fn number(from: &Value, member: &str) -> Option<f64> {
    from.get(member)?.as_f64().filter(|number| number.is_finite())
}

/// A text among the members of an object.
pub(super) fn text(from: &Value, member: &str) -> String {
    match from.get(member) {
        None | Some(Value::Null) => String::new(),
        Some(value) => value.to_text(),
    }
}

/// A count with its noun.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A duration.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        ..120 => format!("{seconds:.1} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// A moment of a test, to the second.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    if whole < 120 { format!("{whole} s") } else { duration(seconds) }
}

/// A share in percent: what is not nothing is never 0, and what is not all is never 100.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        part if part <= 0.0 => "0".to_owned(),
        part if part < 0.1 => "<0.1".to_owned(),
        part if part < 100.0 && part > 99.9 => ">99.9".to_owned(),
        part => trimmed(part, 1),
    }
}

/// A number with at most so many decimals.
pub(super) fn trimmed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The numbers of a column with the same decimals: more where all are small.
pub(super) fn column(numbers: &[Option<f64>]) -> Vec<Option<String>> {
    let largest = numbers.iter().flatten().copied().fold(0.0, f64::max);
    let decimals = if largest < 10.0 { 2 } else { 1 };
    numbers.iter().map(|number| number.map(|number| format!("{number:.decimals$}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_not_nothing_is_not_shown_as_nothing() {
        for (share, expected) in [
            (0.0, "0"),
            (0.000_01, "<0.1"),
            (0.005, "0.5"),
            (0.5, "50"),
            (0.123_45, "12.3"),
            (0.999_99, ">99.9"),
            (1.0, "100"),
        ] {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (seconds, expected) in [
            (0.26, "0.3 s"),
            (60.0, "60.0 s"),
            (120.0, "2 min 0 s"),
            (3725.0, "62 min 5 s"),
            (7260.0, "2 h 1 min"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn the_numbers_of_a_column_stand_below_each_other() {
        assert_eq!(
            column(&[Some(0.4), None, Some(2.0)]),
            [Some("0.40".into()), None, Some("2.00".into())]
        );
        assert_eq!(column(&[Some(0.4), Some(33.0)]), [Some("0.4".into()), Some("33.0".into())]);
    }
}
