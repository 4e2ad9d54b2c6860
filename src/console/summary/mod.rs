//! What a document has done, for people: figures, errors, gates and reports as they come, and a
//! verdict at the end. It is made of the same events that JSON output prints.

mod breaking_point;
mod gates;
mod table;
mod verdict;

use super::figures::{count, counted, duration, number, text, trimmed};
use super::line::{Line, shown, width, wrap};
use super::style::{Role, Style};
use crate::error::Exit;
use crate::event::{ActionResult, Event, FailureKind, title};
use crate::record::Gaps;
use crate::value::Value;
use verdict::Tally;

/// Errors that are listed.
const MOST_ERRORS: usize = 10;

/// Gates, warnings and reports of one action that are listed.
const MOST_ITEMS: usize = 100;

/// Lines of one error, warning or value.
const MOST_LINES: usize = 4;

/// The width of the words that stand before errors, gates and so on.
const LABEL: usize = 10;

/// Where lines go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Columns.
    pub(super) width: usize,
    /// Colours and characters.
    pub(super) style: Style,
}

/// The summary of one document while it runs.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// What the document is called.
    title: String,
    tally: Tally,
    /// The totals of the table that was shown last.
    totals: Option<Value>,
}

impl Summary {
    /// The summary of a document that begins.
    pub(super) fn of(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// The lines of an event.
    pub(super) fn event(&mut self, event: &Event, page: Page) -> Vec<Line> {
        match event {
            Event::Accepted { run, name, .. } if self.title.is_empty() => {
                self.title = name.clone().unwrap_or_else(|| format!("run {run}"));
                Vec::new()
            }
            Event::Result(result) => self.result(result, page),
            Event::Done { message, .. } => {
                self.tally.stopped = message.as_deref().map(shown);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Notes that an action failed of which only the text is known.
    pub(super) fn note_failure(&mut self) {
        self.tally.failed += 1;
    }

    /// Notes that a report of the command line was not written.
    pub(super) fn note_missing_report(&mut self) {
        self.tally.reports += 1;
    }

    /// The words of the last line, and whether they are good ones.
    pub(super) fn verdict(&self, exit: Exit) -> (Role, String) {
        self.tally.verdict(exit)
    }

    fn result(&mut self, result: &ActionResult, page: Page) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut explained = false;
        match &result.value {
            Some(value) if is_summary(value.get("summary")) => {
                lines.extend(self.test(value, page));
                explained = self.note_test_failure(result);
            }
            Some(value) if is_summary(Some(value)) => {
                let table = || table::table(value, None, page.width, page.style);
                lines.extend(self.is_news(value).then(table).into_iter().flatten());
            }
            Some(value) if breaking_point::probes(value).is_some() => {
                let probes = breaking_point::probes(value).unwrap_or_default();
                self.tally.tests += 1;
                let requests = probes.iter().filter_map(|probe| count(probe, "requests"));
                self.tally.requests += requests.sum::<u64>();
                self.tally.searches += 1;
                self.note_gaps(value);
                let (role, found) = breaking_point::found(value, probes);
                lines.extend(hanging(role, &found, 2, page));
                lines.extend(section("probes", breaking_point::items(probes, page.style), page));
            }
            Some(value) => match (gates::verdicts(value), report(result)) {
                (Some(verdicts), _) => {
                    lines.extend(self.gates(result, verdicts, page));
                    explained = !result.ok && result.error.as_ref().is_some_and(is_gate);
                }
                (None, Some(paths)) => lines.extend(section("report", paths, page)),
                (None, None) => lines.extend(other(&result.command, value, page)),
            },
            None => {}
        }
        if let (false, Some(failure)) = (explained, &result.error) {
            self.note_failure();
            let ActionResult { index, command, .. } = result;
            let symbol = page.style.symbol(Role::Bad);
            let words = format!("{symbol} actions[{index}] {command}: {failure}");
            lines.extend(hanging(Role::Bad, &words, 2, page));
        }
        let warnings = result.warnings.iter().map(|text| (Role::Warn, text.clone()));
        lines.extend(section("warnings", warnings.collect(), page));
        lines
    }

    /// The figures of a test.
    fn test(&mut self, value: &Value, page: Page) -> Vec<Line> {
        let none = Value::Null;
        let summary = value.get("summary").unwrap_or(&none);
        let totals = summary.get("totals").unwrap_or(&none);
        let iterations = summary.get("iterations").unwrap_or(&none);
        let failures = count(totals, "failures").unwrap_or(0);
        self.tally.tests += 1;
        self.tally.requests += count(totals, "requests").unwrap_or(0);
        self.tally.failures += failures;
        self.tally.planned += count(iterations, "planned").unwrap_or(0);
        self.tally.dropped += count(iterations, "dropped").unwrap_or(0);
        self.note_gaps(summary);
        let seconds = number(iterations, "span_s");
        let mut lines = self.head(value, iterations, page);
        self.is_news(summary);
        lines.extend(table::table(summary, seconds, page.width, page.style));
        lines.extend(section("errors", errors(value, failures, page.style), page));
        lines.extend(section("statuses", statuses(value, page.style), page));
        lines
    }

    /// Notes what the requests of a test lacked.
    fn note_gaps(&mut self, summary: &Value) {
        if let Some(gaps) = summary.get("unresolved") {
            self.tally.gaps.add(&Gaps::of_value(gaps));
        }
    }

    /// Whether a summary is another than the one that was shown last: `LD_summary` after a test repeats
    /// its figures.
    fn is_news(&mut self, summary: &Value) -> bool {
        let counts = ["requests", "successes", "failures"];
        let totals = summary.get("totals").unwrap_or(&Value::Null);
        let totals: Vec<Value> =
            counts.iter().filter_map(|count| totals.get(count).cloned()).collect();
        let totals = Some(Value::List(totals));
        std::mem::replace(&mut self.totals, totals.clone()) != totals
    }

    /// The line above the figures of a test.
    fn head(&self, value: &Value, iterations: &Value, page: Page) -> Vec<Line> {
        let mut title = shown(&self.title);
        if self.tally.tests > 1 {
            title.push_str(&format!(" test {}", self.tally.tests));
        }
        let mut facts = Vec::new();
        let seconds = number(iterations, "span_s");
        facts.extend(seconds.map(duration));
        facts.extend(count(value, "peak_users").map(|users| counted(users, "user")));
        facts.extend(number(iterations, "achieved_rate").map(|made| {
            let planned = number(iterations, "planned").filter(|planned| *planned > 0.0);
            let waited = number(iterations, "waited_s").unwrap_or(0.0);
            let asked = planned.zip(seconds).map(|(planned, seconds)| planned / (seconds - waited));
            let asked = asked.map(|asked| format!(" (asked {})", trimmed(asked, 1)));
            format!("{made:.1} iterations/s{}", asked.unwrap_or_default())
        }));
        let facts: String = facts.iter().map(|fact| format!("   {fact}")).collect();
        match width(&title) + width(&facts) <= page.width {
            true => vec![Line::of(Role::Strong, &title).with(Role::Plain, &facts)],
            false => {
                let mut lines = hanging(Role::Strong, &title, 2, page);
                lines.extend(hanging(
                    Role::Plain,
                    &facts.trim_start().replace("   ", ", "),
                    0,
                    page,
                ));
                lines
            }
        }
    }

    /// Notes why a test with figures failed; returns whether its figures say it already.
    fn note_test_failure(&mut self, result: &ActionResult) -> bool {
        let no_success =
            result.error.as_ref().is_some_and(|error| error.kind == FailureKind::NoSuccess);
        self.tally.no_success |= no_success;
        no_success && self.tally.requests > 0
    }

    fn gates(&mut self, result: &ActionResult, verdicts: &[Value], page: Page) -> Vec<Line> {
        let broken = verdicts.iter().filter(|verdict| !gates::holds(verdict)).count() as u64;
        if broken > 0 && result.ok {
            self.tally.remarked += broken;
        } else {
            self.tally.gates += verdicts.len() as u64;
            self.tally.broken += broken;
            self.tally.unresolved_judged |= verdicts.iter().any(gates::judges_unresolved);
        }
        let items = verdicts.iter().map(|verdict| gates::line(verdict, page.style)).collect();
        section("gates", items, page)
    }
}

fn is_gate(failure: &crate::event::Failure) -> bool {
    failure.kind == FailureKind::Gate
}

fn is_summary(value: Option<&Value>) -> bool {
    value.is_some_and(|value| {
        value.get("totals").is_some_and(|totals| totals.get("requests").is_some())
            && matches!(value.get("per_name"), Some(Value::Dict(_)))
    })
}

/// Lines with a verdict.
pub(super) fn verdict_lines(role: Role, words: &str, page: Page) -> Vec<Line> {
    hanging(role, &format!("{} {words}", page.style.symbol(role)), 2, page)
}

/// Why requests failed, the most frequent first.
fn errors(value: &Value, failures: u64, style: Style) -> Vec<(Role, String)> {
    let Some(Value::List(errors)) = value.get("errors") else { return Vec::new() };
    let listed = errors.get(..errors.len().min(MOST_ERRORS)).unwrap_or_default();
    let counts: Vec<u64> = listed.iter().map(|error| count(error, "count").unwrap_or(0)).collect();
    let widest = counts.iter().map(|count| count.to_string().len()).max().unwrap_or(0);
    let mut items: Vec<_> = listed
        .iter()
        .zip(&counts)
        .map(|(error, count)| {
            let title = title(&text(error, "method"), &text(error, "name"));
            let (times, error) = (style.times(), text(error, "error"));
            let words = format!("{count:>widest$} {times} {title}: {error}");
            (Role::Bad, words)
        })
        .collect();
    let others = failures.saturating_sub(counts.iter().sum());
    if others > 0 && !items.is_empty() {
        let words =
            format!("{others:>widest$} {} other errors (-o json lists more)", style.times());
        items.push((Role::Bad, words));
    }
    items
}

/// How often each status came, unless all are good ones.
fn statuses(value: &Value, style: Style) -> Vec<(Role, String)> {
    let Some(Value::Dict(statuses)) = value.get("statuses") else { return Vec::new() };
    if statuses.keys().all(|status| status.starts_with('2')) {
        return Vec::new();
    }
    let items = statuses.iter().map(|(status, count)| {
        let status = if status == "none" { "no response" } else { status };
        format!("{status} {} {}", style.times(), count.to_text())
    });
    vec![(Role::Plain, items.collect::<Vec<_>>().join(", "))]
}

/// The files that a report has written.
fn report(result: &ActionResult) -> Option<Vec<(Role, String)>> {
    let kind = result.command.strip_prefix("LD_generate_")?.strip_suffix("_report")?;
    let paths: Vec<&str> = match result.value.as_ref()? {
        Value::Str(path) => vec![path],
        Value::List(paths) | Value::Tuple(paths) => {
            paths.iter().map(Value::as_str).collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(paths.into_iter().map(|path| (Role::Plain, format!("{kind} {path}"))).collect())
}

/// The value of any other command.
fn other(command: &str, value: &Value, page: Page) -> Vec<Line> {
    let text = match value {
        Value::Null => return Vec::new(),
        Value::Str(text) => text.clone(),
        value => serde_json::to_string(value).unwrap_or_default(),
    };
    // As much as can be shown, and no more: it may be a whole report.
    let most = page.width * (MOST_LINES + 1);
    let cut: String = text.chars().take(most).collect();
    hanging(Role::Plain, &format!("{command}  {cut}"), 2, page)
}

/// A text with its later lines indented.
fn hanging(role: Role, text: &str, indent: usize, page: Page) -> Vec<Line> {
    let room = page.width.saturating_sub(indent);
    let lines = wrap(&shown(text), room, MOST_LINES, page.style);
    let margin = " ".repeat(indent);
    lines
        .iter()
        .enumerate()
        .map(|(place, line)| match place {
            0 => Line::of(role, line),
            _ => Line::of(Role::Plain, &margin).with(role, line),
        })
        .collect()
}

/// Items below a word that stands beside the first of them.
fn section(label: &str, items: Vec<(Role, String)>, page: Page) -> Vec<Line> {
    let room = page.width.saturating_sub(LABEL);
    let further = items.len().saturating_sub(MOST_ITEMS);
    let more = (further > 0).then(|| (Role::Soft, format!("and {further} more")));
    let mut lines = Vec::new();
    for (role, text) in items.into_iter().take(MOST_ITEMS).chain(more) {
        for (place, piece) in
            wrap(&shown(&text), room, MOST_LINES, page.style).into_iter().enumerate()
        {
            let label = if lines.is_empty() { label } else { "" };
            // What continues an item is indented, so that items can be told apart.
            let indent = if place > 0 && width(&piece) + 2 <= room { "  " } else { "" };
            lines.push(
                Line::of(Role::Soft, &format!("{label:<LABEL$}"))
                    .with(Role::Plain, indent)
                    .with(role, &piece),
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests;
