//! Numbers and texts as the page shows them: tiles, tables and gates round alike.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::redact;

/// Bytes of HTML for a name and for an error.
pub(super) const NAME_ROOM: usize = 200;
pub(super) const ERROR_ROOM: usize = 500;

/// A count with thousands separators.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A latency with three significant digits, in a suitable unit.
pub fn millis(value: f64) -> String {
    match value {
        _ if value >= 10_000.0 => format!("{:.1} s", value / 1000.0),
        _ if value >= 100.0 => format!("{value:.0} ms"),
        _ if value >= 10.0 => format!("{value:.1} ms"),
        _ if value >= 1.0 || value == 0.0 => format!("{value:.2} ms"),
        _ => format!("{:.0} µs", value * 1000.0),
    }
}

/// A time since the start.
pub(super) fn seconds(value: f64) -> String {
    match value {
        _ if value >= 7200.0 => format!("{} h", trimmed(value / 3600.0)),
        _ if value >= 180.0 => format!("{} min", trimmed(value / 60.0)),
        _ => format!("{} s", trimmed(value)),
    }
}

/// A number with up to `digits` decimals, without those that say nothing.
pub(super) fn decimals(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn trimmed(value: f64) -> String {
    decimals(value, 1)
}

/// A fraction as a percentage. Values above zero never read as 0 %, and values below one never as
/// 100 %.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent > 0.0 && percent < 0.01 => "< 0.01 %".to_owned(),
        _ if percent > 99.99 && percent < 100.0 => "> 99.99 %".to_owned(),
        _ if percent == 0.0 || percent >= 100.0 => format!("{percent:.0} %"),
        _ => format!("{percent:.2} %"),
    }
}

/// A rate with three significant digits.
pub(super) fn rate(value: f64) -> String {
    match value {
        _ if value >= 100.0 => count(value.round() as u64),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// An amount of bytes.
pub(super) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = value as f64;
    let mut unit = "B";
    for larger in UNITS {
        if scaled < 1024.0 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{value} B") } else { format!("{scaled:.1} {unit}") }
}

/// A number on an axis.
pub(super) fn short(value: f64) -> String {
    let (scaled, suffix) = match value {
        _ if value >= 1e9 => (value / 1e9, "G"),
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ if value >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{}{suffix}", decimals(scaled, 3))
}

/// A number that a script sorts by, with the significant digits.
pub(super) fn short_key(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

/// A latency on an axis, with three significant digits.
pub(super) fn tick_millis(value: f64) -> String {
    let digit = 10f64.powf(value.max(1e-6).log10().floor() - 2.0);
    let value = (value / digit).round() * digit;
    match value {
        _ if value >= 999.999 => format!("{} s", short(value / 1000.0)),
        _ if value >= 0.999_999 => format!("{} ms", short(value)),
        _ => format!("{} µs", short(value * 1000.0)),
    }
}

/// A moment, to the second.
pub(super) fn moment(at: SystemTime) -> Option<String> {
    let at = Timestamp::try_from(at).ok()?;
    Some(at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The time of day, to a tenth of a second.
pub(super) fn clock(at: SystemTime) -> Option<String> {
    let at = Timestamp::try_from(at).ok()?;
    Some(at.strftime("%H:%M:%S%.1f").to_string())
}

/// A figure, or a dash where it is not known.
pub(super) fn known<T>(figure: Option<T>, shown: fn(T) -> String) -> String {
    figure.map_or_else(|| "–".to_owned(), shown)
}

/// A text without its secrets, cut to at most `room` bytes of HTML.
pub(super) fn shown(text: &str, room: usize) -> String {
    cut(&redact::text(text), room)
}

/// Cuts a text to `room` bytes, counted after escaping.
pub(super) fn cut(text: &str, room: usize) -> String {
    let mut left = room;
    for (place, character) in text.char_indices() {
        let cost = match character {
            '&' => 5,
            '<' | '>' => 4,
            '"' => 6,
            other => other.len_utf8(),
        };
        if cost > left {
            let mut short = text.get(..place).unwrap_or_default().to_owned();
            short.push('…');
            return short;
        }
        left -= cost;
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_but_not_misleading() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        let latencies: Vec<String> =
            [0.0, 0.25, 1.234, 12.34, 123.4, 12_345.0].into_iter().map(millis).collect();
        assert_eq!(latencies, ["0.00 ms", "250 µs", "1.23 ms", "12.3 ms", "123 ms", "12.3 s"]);
        let shares: Vec<String> =
            [0.0, 0.000_001, 0.0123, 0.999_999, 1.0].into_iter().map(percent).collect();
        assert_eq!(shares, ["0 %", "< 0.01 %", "1.23 %", "> 99.99 %", "100 %"]);
        assert_eq!([bytes(10), bytes(1536), bytes(5 << 30)], ["10 B", "1.5 KiB", "5.0 GiB"]);
        let ticks: Vec<String> =
            [0.316_227_766, 3.162_277_66, 20.0, 5000.0].into_iter().map(tick_millis).collect();
        assert_eq!(ticks, ["316 µs", "3.16 ms", "20 ms", "5 s"]);
        assert_eq!([short(0.25), short(2500.0), short(12_500.0)], ["0.25", "2500", "12.5k"]);
    }

    #[test]
    fn moments_have_their_time_zone() {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_250);
        assert_eq!(moment(at).as_deref(), Some("2023-11-14 22:13:20 UTC"));
        assert_eq!(clock(at).as_deref(), Some("22:13:20.2"));
    }

    #[test]
    fn a_text_is_cut_by_its_escaped_length() {
        assert_eq!(cut("<<<", 12), "<<<");
        assert_eq!(cut("<<<", 11), "<<…");
        assert_eq!(cut("żżż", 5), "żż…");
    }
}
