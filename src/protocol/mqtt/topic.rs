//! Topic names and topic filters (MQTT 3.1.1 and 5, section 4.7). The refusals are those of the
//! reference's client.

use super::codec::MAX_STRING;

/// Whether a message can be published to it; the error says why not.
pub(super) fn check_name(topic: &str) -> Result<(), &'static str> {
    if topic.contains(['+', '#']) {
        return Err("Publish topic cannot contain wildcards.");
    }
    check(topic)
}

/// Whether it can be subscribed to; the error says why not.
pub(super) fn check_filter(filter: &str) -> Result<(), &'static str> {
    check(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let whole = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            level => !level.contains(['+', '#']),
        };
        if !whole {
            return Err("Invalid subscription filter.");
        }
    }
    Ok(())
}

fn check(topic: &str) -> Result<(), &'static str> {
    match topic.is_empty() || topic.len() > MAX_STRING || topic.contains('\0') {
        true => Err("Invalid topic."),
        false => Ok(()),
    }
}

/// Whether a topic is one of a filter's. A filter of a shared subscription is that of its messages.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    let mut filter = shared.map_or(filter, |(_, filter)| filter).split('/');
    if topic.starts_with('$') && matches!(filter.clone().next(), Some("+" | "#")) {
        return false;
    }
    let mut topic = topic.split('/');
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_filters_are_those_of_the_specification() {
        let long = "a".repeat(MAX_STRING + 1);
        for (text, name, filter) in [
            ("a", true, true),
            ("/", true, true),
            ("a/b c/é", true, true),
            ("", false, false),
            ("a\0", false, false),
            (&long, false, false),
            ("+", false, true),
            ("a/+/b/#", false, true),
            ("#", false, true),
            ("a#", false, false),
            ("#/a", false, false),
            ("a+/b", false, false),
        ] {
            assert_eq!(check_name(text).is_ok(), name, "{text:.9}");
            assert_eq!(check_filter(text).is_ok(), filter, "{text:.9}");
        }
    }

    #[test]
    fn a_filter_has_the_topics_that_its_wildcards_say() {
        for (filter, topic, want) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+/+", "/b", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a", true),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("$share/g/a/+", "a/b", true),
            ("$share/g/a/+", "b/b", false),
        ] {
            assert_eq!(matches(filter, topic), want, "{filter} {topic}");
        }
    }
}
