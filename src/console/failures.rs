//! Why requests failed, in a few lines for people, taken from the result of a test.

use crate::event::title;
use crate::value::Value;

/// Errors that are listed.
const MOST: usize = 5;

/// Returns a line with the number of failed requests of a test, and one for each of the most
/// frequent errors. Empty for other results, or without failures.
pub(super) fn lines(result: &Value) -> Vec<String> {
    let count = |name| {
        let count = result.get("summary")?.get("totals")?.get(name)?.as_f64()?;
        Some(count as u64)
    };
    let (Some(requests), Some(failures @ 1..), Some(Value::List(errors))) =
        (count("requests"), count("failures"), result.get("errors"))
    else {
        return Vec::new();
    };
    let mut lines = vec![format!("{failures} of {requests} requests failed")];
    let width = errors.first().map_or(0, |error| text(error, "count").len());
    lines.extend(errors.iter().take(MOST).map(|error| {
        let title = title(&text(error, "method"), &text(error, "name"));
        format!("{:>width$} × {title}: {}", text(error, "count"), text(error, "error"))
    }));
    if errors.len() > MOST {
        lines.push("and other errors, which --output json lists".to_owned());
    }
    lines
}

fn text(error: &Value, member: &str) -> String {
    error.get(member).map(Value::to_text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: &str, expected: &[&str]) {
        assert_eq!(lines(&Value::parse(result).expect("JSON")), expected, "{result}");
    }

    #[test]
    fn failures_are_listed_with_the_most_frequent_errors() {
        check(
            r#"{"summary": {"totals": {"requests": 120, "failures": 101}}, "errors": [
                {"count": 100, "method": "GET", "name": "items", "error": "401 Unauthorized"},
                {"count": 1, "method": "POST", "name": "POST /login", "error": "timed out after 5 s"}]}"#,
            &[
                "101 of 120 requests failed",
                "100 × GET items: 401 Unauthorized",
                "  1 × POST /login: timed out after 5 s",
            ],
        );
    }

    #[test]
    fn a_result_without_failures_has_no_lines() {
        for result in [
            "null",
            "{}",
            r#"{"summary": {"totals": {"requests": 1, "failures": 0}}, "errors": []}"#,
            r#"{"summary": {"totals": {"requests": 1, "failures": 1}}}"#,
        ] {
            check(result, &[]);
        }
    }
}
