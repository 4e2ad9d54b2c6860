//! The date of a cookie's `Expires`, parsed as in RFC 6265, section 5.1.1: four tokens in any
//! order, between any delimiters. This is not HTTP's date format: servers send every form there is.

/// Seconds since 1970, if the text holds a valid time, day, month and year.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty()) {
        // A token counts for the first missing part that it can be.
        let _ = take(&mut time, || time_of_day(token))
            || take(&mut day, || number(token, 1, 2))
            || take(&mut month, || month_of(token))
            || take(&mut year, || number(token, 2, 4));
    }
    let ((hour, minute, second), day, month) = (time?, day?.0, month?);
    let year = match year?.0 {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let exists = year >= 1601
        && (1..=days_in(year, month)).contains(&day)
        && (hour <= 23 && minute <= 59 && second <= 59);
    exists.then(|| ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Fills an empty place; returns whether there was a value for it.
fn take<T>(place: &mut Option<T>, found: impl FnOnce() -> Option<T>) -> bool {
    if place.is_some() {
        return false;
    }
    *place = found();
    place.is_some()
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number at the start of a token, if it has that many digits, and the rest of the token.
fn number(token: &[u8], least: usize, most: usize) -> Option<(i64, &[u8])> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = token.split_at_checked(digits)?;
    let value = || number.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    (least..=most).contains(&digits).then(|| (value(), rest))
}

fn time_of_day(token: &[u8]) -> Option<(i64, i64, i64)> {
    let (hour, rest) = number(token, 1, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 1, 2)?;
    let (second, _) = number(rest.strip_prefix(b":")?, 1, 2)?;
    Some((hour, minute, second))
}

fn month_of(token: &[u8]) -> Option<i64> {
    const NAMES: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let begin = token.get(..3)?.to_ascii_lowercase();
    (1..).zip(NAMES).find(|(_, name)| begin == *name).map(|(month, _)| month)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 in the Gregorian calendar: in years that begin in March the leap day is last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_is_parsed_in_every_form_that_servers_send() {
        for (text, want) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("06 Nov 1994 08:49:37", Some(784_111_777)),
            ("1994 november 6 8:49:37", Some(784_111_777)),
            ("08:49:37 nov 6 94", Some(784_111_777)),
            ("\"Sun, 06/Nov\\1994\"08:49:37\"GMT\"", Some(784_111_777)),
            // The zone is ignored: every time is UTC.
            ("Sun, 06 Nov 1994 08:49:37 GMT-0500 (EST)", Some(784_111_777)),
            ("Sun, 06-Nov-94 08:49:37 +0200", Some(784_111_777)),
            ("Sun, 06 Nov 1994 08:49:37.999", Some(784_111_777)),
            ("Sun, 06 Nov 1994 08:49:37 11:22:33", Some(784_111_777)),
            ("any day, 6 Novembre-94 8:49:37", Some(784_111_777)),
            ("Sun, 6th Nov 1994 08:49:37", Some(784_111_777)),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Mon, 01-Jan-69 00:00:00 GMT", Some(3_124_224_000)),
            ("Thu, 01-Jan-70 00:00:00 GMT", Some(0)),
            ("Mon, 01 Jan 1601 00:00:00 GMT", Some(-11_644_473_600)),
            ("Sun, 31 Dec 1600 23:59:59 GMT", None),
            ("Sun, 30 Feb 2020 00:00:00 GMT", None),
            ("Wed, 29 Feb 2023 00:00:00 GMT", None),
            ("Mon, 29 Feb 1900 00:00:00 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:60:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:60 GMT", None),
            // The first time counts, even where it is impossible.
            ("Sun, 06 Nov 1994 91:22:33 08:49:37", None),
            ("Sun, 06 Nov 1994 08: 49:37", None),
            ("Sun, 06 Nov 1994", None),
            ("Sun, 06 Nov 08:49:37", None),
            ("Nov 1994 08:49:37", None),
            ("Sun, 006 Nov 1994 08:49:37", None),
            ("98 Nov 94 08:49:37", None),
            ("Sun, 06 Nov 19940 08:49:37", None),
            ("Sun, 0 Nov 1994 08:49:37", None),
            ("Sun, 06 No 1994 08:49:37", None),
            ("", None),
            ("0", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_date_or_none(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = seconds(&text);
        }

        #[test]
        fn days_are_counted_one_by_one(year in 1601i64..9999, month in 1i64..=12) {
            let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
            prop_assert_eq!(next - days(year, month, 1), days_in(year, month));
        }
    }
}
