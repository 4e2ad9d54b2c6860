//! Two runs beside each other: a column of the base, one of the new run, and how the figures differ, in
//! words and with a sign as well as in colour. What is known of the base decides how much is shown: of
//! a stored run its figures, of a run that is kept all that its own report has.

use std::collections::{BTreeMap, HashMap};

use maud::{Markup, html};

use super::text::{self, ERROR_ROOM, NAME_ROOM, known};
use super::{delta, facts, verdict};
use crate::record::diff::RunMetrics;
use crate::report::figures::{Baseline, ErrorFigures, Figures, NameFigures, Stats, StatusFigures};

/// How a figure differs: the class of its colour, and words.
struct Difference {
    class: &'static str,
    words: String,
}

impl Difference {
    /// Words without a judgement.
    fn plain(words: impl Into<String>) -> Self {
        Self { class: "delta", words: words.into() }
    }

    fn none() -> Self {
        Self::plain("–")
    }

    /// Of latencies, where more is worse.
    fn of_latency(now: Option<f64>, before: Option<f64>, tolerance: f64) -> Self {
        match (now, before) {
            (Some(now), Some(before)) if before > 0.0 => {
                let share = (now - before) / before;
                let change = format!("{} %", delta::signed(share * 100.0));
                Self::judged(change, share > tolerance, share < -tolerance, tolerance)
            }
            _ => Self::none(),
        }
    }

    /// Of shares of failed requests.
    fn of_failures(now: &Stats, before: &Stats, tolerance: f64) -> Self {
        if now.requests == 0 || before.requests == 0 {
            return Self::none();
        }
        let (now, before) = (now.failure_rate(), before.failure_rate());
        let change = format!("{} pp", delta::signed((now - before) * 100.0));
        let is_worse = now > before * (1.0 + tolerance);
        Self::judged(change, is_worse, now < before * (1.0 - tolerance), tolerance)
    }

    /// Of counts, of which neither more nor fewer is better.
    fn of_count(now: f64, before: f64) -> Self {
        if before <= 0.0 {
            return Self::none();
        }
        let change = delta::signed((now / before - 1.0) * 100.0);
        let word = match change.as_bytes().first() {
            Some(b'+') => " more",
            Some(b'-') => " less",
            _ => "",
        };
        Self::plain(format!("{change} %{word}"))
    }

    /// For a table with many columns: what is not judged is its sign and number.
    fn short(self) -> Self {
        let end = if self.class == "delta" { self.words.find(',') } else { None };
        let words = self.words.get(..end.unwrap_or(self.words.len())).unwrap_or_default();
        Self { class: self.class, words: words.to_owned() }
    }

    fn judged(change: String, is_worse: bool, is_better: bool, tolerance: f64) -> Self {
        let limit = text::decimals(tolerance * 100.0, 1);
        match (is_worse, is_better) {
            (true, _) => Self { class: "delta bad", words: format!("▲ {change} worse") },
            (_, true) => Self { class: "delta good", words: format!("▼ {change} better") },
            _ if change.starts_with('±') => Self::plain(format!("{change}, the same")),
            _ => Self::plain(format!("{change}, within {limit} %")),
        }
    }
}

/// The figures of a base as those of a report.
fn stats_of(before: &RunMetrics) -> Stats {
    let has_any = before.requests > 0;
    let millis = |value: f64| has_any.then_some(value);
    Stats {
        requests: before.requests,
        failures: before.failures,
        bytes: None,
        min_ms: millis(before.min_ms),
        mean_ms: millis(before.mean_ms),
        p50_ms: millis(before.p50_ms),
        p90_ms: millis(before.p90_ms),
        p95_ms: millis(before.p95_ms),
        p99_ms: millis(before.p99_ms),
        p999_ms: millis(before.p999_ms),
        max_ms: millis(before.max_ms),
    }
}

/// The totals and the names of both.
pub(super) fn tables(figures: &Figures) -> Markup {
    let Some(baseline) = &figures.baseline else { return html! {} };
    html! {
        h2 { "Base and new run" }
        p class="soft" { "Base: " (text::shown(&baseline.title, NAME_ROOM)) ". New: " (facts::called(figures)) "." }
        (totals(figures, baseline))
        h3 { "By name" }
        (names(figures, baseline))
    }
}

/// The headings of a table that has a column of each run.
fn heads(first: &str, figures: &Figures, baseline: &Baseline) -> Markup {
    html! {
        thead { tr {
            th class="text" scope="col" { (first) }
            th class="run" scope="col" { "Base: " (text::shown(&baseline.title, NAME_ROOM)) }
            th class="run" scope="col" { "New: " (facts::called(figures)) }
            th class="text" scope="col" { "Difference" }
        } }
    }
}

fn totals(figures: &Figures, baseline: &Baseline) -> Markup {
    let (now, before) = (&figures.total, &stats_of(&baseline.total));
    let tolerance = baseline.tolerance;
    let mut rows: Vec<(&str, String, String, Difference)> = Vec::new();
    let beside = baseline.beside.as_deref();
    let per_second = |figures: &Figures| figures.total.requests as f64 / figures.seconds.max(0.001);
    if let Some(beside) = beside {
        let of = |figures| facts::began(figures).unwrap_or_else(|| "–".to_owned());
        rows.push(("Began", of(&beside.figures), of(figures), Difference::plain("")));
        let (was, is) = (beside.figures.seconds, figures.seconds);
        let change = Difference::of_count(is, was);
        rows.push(("Length", text::seconds(was), text::seconds(is), change));
    }
    let change = Difference::of_count(now.requests as f64, before.requests as f64);
    rows.push(("Requests", text::count(before.requests), text::count(now.requests), change));
    if let Some(beside) = beside {
        let (was, is) = (per_second(&beside.figures), per_second(figures));
        let change = Difference::of_count(is, was);
        rows.push(("Requests per second", text::rate(was), text::rate(is), change));
    }
    let failed = |stats: &Stats| {
        format!("{} ({})", text::percent(stats.failure_rate()), text::count(stats.failures))
    };
    let change = Difference::of_failures(now, before, tolerance);
    rows.push(("Failed", failed(before), failed(now), change));
    for (name, of, _) in delta::LATENCIES {
        let name = match name {
            "p50" => "Median",
            "Min" => "Fastest",
            "Max" => "Slowest",
            name => name,
        };
        let (was, is) = (of(before), of(now));
        let change = Difference::of_latency(is, was, tolerance);
        rows.push((name, known(was, text::millis), known(is, text::millis), change));
    }
    if let Some(beside) = beside {
        let (was, is) = (beside.figures.total.bytes, now.bytes);
        let change = match (is, was) {
            (Some(is), Some(was)) => Difference::of_count(is as f64, was as f64),
            _ => Difference::none(),
        };
        rows.push(("Received", known(was, text::bytes), known(is, text::bytes), change));
    }
    html! {
        div class="wide" {
            table class="stack versus" {
                caption { "All requests" }
                (heads("Figure", figures, baseline))
                tbody {
                    @if let Some(beside) = beside {
                        tr {
                            th class="text" scope="row" { "Verdict" }
                            td data-l="Base" { (verdict::words_of(&beside.figures, &beside.gates)) }
                            td data-l="New" { (verdict::words_of(figures, &beside.gates_of_new)) }
                            td class="text" data-l="Difference" {}
                        }
                    }
                    @for (name, base, new, change) in rows {
                        tr {
                            th class="text" scope="row" { (name) }
                            td data-l="Base" { (base) }
                            td data-l="New" { (new) }
                            td class=(format!("text {}", change.class)) data-l="Difference" { (change.words) }
                        }
                    }
                }
            }
        }
    }
}

/// The figures of the base by the method and name of a row.
struct Names<'a> {
    beside: HashMap<(&'a str, &'a str), &'a NameFigures>,
    /// Of a stored run, which does not tell methods apart: a name that two rows share has none.
    stored: HashMap<&'a str, &'a RunMetrics>,
}

impl<'a> Names<'a> {
    fn of(figures: &'a Figures, baseline: &'a Baseline) -> Self {
        let labels = |name: &'a NameFigures| {
            name.label.as_ref().map(|(method, label)| (method.as_str(), label.as_str()))
        };
        match &baseline.beside {
            Some(beside) => {
                let names = beside.figures.names.iter();
                let beside = names.filter_map(|name| Some((labels(name)?, name))).collect();
                Self { beside, stored: HashMap::new() }
            }
            None => {
                let stored = delta::before(figures);
                let stored = stored.into_iter().map(|(name, (metrics, _))| (name, metrics));
                Self { beside: HashMap::new(), stored: stored.collect() }
            }
        }
    }

    fn stats(&self, method: &str, name: &str) -> Option<Stats> {
        let beside = self.beside.get(&(method, name)).map(|name| name.stats);
        beside.or_else(|| self.stored.get(name).map(|metrics| stats_of(metrics)))
    }
}

/// The latencies that are compared by name.
type Compared = (&'static str, fn(&Stats) -> Option<f64>);

const COMPARED: [Compared; 3] = [
    ("Median", |stats| stats.p50_ms),
    ("p95", |stats| stats.p95_ms),
    ("p99", |stats| stats.p99_ms),
];

fn names(figures: &Figures, baseline: &Baseline) -> Markup {
    let before = Names::of(figures, baseline);
    let mut rows: Vec<(String, Option<Stats>, Option<Stats>)> = Vec::new();
    let shown = |method: &str, name: &str| {
        format!("{} {}", text::shown(method, 20), text::shown(name, NAME_ROOM))
    };
    let labelled = |figures: &Figures| {
        let names = figures.names.iter();
        let labelled = names.filter_map(|name| name.label.clone().map(|label| (label, name.stats)));
        labelled.collect::<Vec<_>>()
    };
    let (new, is_worse) = (labelled(figures), |name: &str| {
        baseline.regressions.iter().any(|regression| regression.name == name)
    });
    for ((method, name), stats) in &new {
        let title = shown(method, name);
        rows.push((title, before.stats(method, name), Some(*stats)));
    }
    let worse: Vec<String> = new
        .iter()
        .filter(|((_, name), _)| is_worse(name))
        .map(|((method, name), _)| shown(method, name))
        .collect();
    // What has become worse comes first.
    rows.sort_by_key(|(title, ..)| !worse.contains(title));
    let known_now = |method: &str, name: &str| {
        new.iter().any(|((is_method, is_name), _)| is_method == method && is_name == name)
    };
    if let Some(beside) = &baseline.beside {
        for ((method, name), stats) in labelled(&beside.figures) {
            if !known_now(&method, &name) && figures.further_names == 0 {
                rows.push((shown(&method, &name), Some(stats), None));
            }
        }
    }
    let total = Some(stats_of(&baseline.total));
    html! {
        div class="wide" {
            table class="long names versus" data-what="compared names" {
                thead { tr {
                    th class="text" scope="col" { "Name" }
                    th scope="col" data-number { "Requests" small { "base" } }
                    th scope="col" data-number { "Requests" small { "new" } }
                    th scope="col" data-number { "Failed" small { "base" } }
                    th scope="col" data-number { "Failed" small { "new" } }
                    th scope="col" data-number { "Failed" small { "difference" } }
                    @for (name, _) in COMPARED {
                        @for column in ["base", "new", "difference"] {
                            th scope="col" data-number { (name) small { (column) } }
                        }
                    }
                } }
                @for (title, base, new) in &rows {
                    tbody { tr {
                        td class="text" { (title) }
                        (cells(base.as_ref(), new.as_ref(), baseline.tolerance))
                    } }
                }
                tfoot { tr {
                    td class="text" { "All requests" }
                    (cells(total.as_ref(), Some(&figures.total), baseline.tolerance))
                } }
            }
        }
    }
}

fn cells(base: Option<&Stats>, new: Option<&Stats>, tolerance: f64) -> Markup {
    let missing = Stats::default();
    let (was, is) = (base.unwrap_or(&missing), new.unwrap_or(&missing));
    let only = match (base, new) {
        (None, _) => Some("only in the new run"),
        (_, None) => Some("only in the base"),
        _ => None,
    };
    let count = |stats: Option<&Stats>| {
        let requests = stats.map(|stats| stats.requests);
        html! { td data-v=(requests.unwrap_or(0)) { (known(requests, text::count)) } }
    };
    let share = |stats: Option<&Stats>| {
        let share = stats.map(Stats::failure_rate);
        let class = stats.filter(|stats| stats.failures > 0).map(|_| "bad");
        html! {
            td class=[class] data-v=(text::short_key(share.unwrap_or(-1.0) * 100.0)) {
                (known(share, text::percent))
            }
        }
    };
    let difference = |change: &Difference, key: f64| {
        html! { td class=(change.class) data-v=(text::short_key(key)) { (change.words) } }
    };
    let failures = match only {
        Some(only) => Difference::plain(only),
        None => Difference::of_failures(is, was, tolerance).short(),
    };
    html! {
        (count(base)) (count(new))
        (share(base)) (share(new))
        (difference(&failures, is.failure_rate() - was.failure_rate()))
        @for (_, of) in COMPARED {
            @for stats in [was, is] {
                td data-v=(text::short_key(of(stats).unwrap_or(-1.0))) { (known(of(stats), text::millis)) }
            }
            @let growth = of(is).zip(of(was)).map_or(0.0, |(is, was)| is / was.max(0.001));
            (difference(&Difference::of_latency(of(is), of(was), tolerance).short(), growth * 100.0))
        }
    }
}

/// How a count of errors or of responses differs from that of the base.
fn occurrence(base: u64, new: u64) -> Difference {
    match (base, new) {
        (0, _) => Difference { class: "delta bad", words: "▲ new".to_owned() },
        (_, 0) => Difference { class: "delta good", words: "▼ gone".to_owned() },
        _ => Difference::of_count(new as f64, base as f64),
    }
}

/// The errors of both; `None` where those of the base are not known.
pub(super) fn errors(figures: &Figures) -> Option<Markup> {
    let baseline = figures.baseline.as_ref()?;
    let beside = baseline.beside.as_deref()?;
    let mut rows: Vec<(&str, [Option<&ErrorFigures>; 2])> = Vec::new();
    for (place, error) in figures
        .errors
        .iter()
        .map(|error| (1, error))
        .chain(beside.figures.errors.iter().map(|error| (0, error)))
    {
        let row = match rows.iter_mut().find(|(text, _)| *text == error.text) {
            Some(row) => row,
            None => {
                rows.push((&error.text, [None; 2]));
                rows.last_mut()?
            }
        };
        if let Some(slot) = row.1.get_mut(place) {
            *slot = Some(error);
        }
    }
    if rows.is_empty() {
        return Some(html! { h2 { "Errors" } p class="soft" { "Neither run had one." } });
    }
    let left = [&beside.figures, figures].map(|figures| figures.further_errors);
    let caption = [("base", left[0]), ("new run", left[1])];
    Some(html! {
        h2 { "Errors" }
        div class="wide" {
            table class="stack versus" {
                caption { "Requests with each error" }
                (heads("Error", figures, baseline))
                tbody {
                    @for (error, [base, new]) in rows {
                        @let [was, is] = [base, new].map(|error| error.map_or(0, |error| error.count));
                        @let change = occurrence(was, is);
                        tr {
                            th class="text" scope="row" { (text::shown(error, ERROR_ROOM)) }
                            td data-l="Base" { (text::count(was)) }
                            td data-l="New" { (text::count(is)) }
                            td class=(format!("text {}", change.class)) data-l="Difference" { (change.words) }
                        }
                    }
                }
            }
        }
        @for (run, (texts, count)) in caption {
            @if texts > 0 {
                p class="soft" {
                    "The " (run) " has " (text::count(texts as u64)) " further texts, together "
                    (text::count(count)) " times."
                }
            }
        }
    })
}

/// The statuses of both; `None` where those of the base are not known.
pub(super) fn statuses(figures: &Figures) -> Option<Markup> {
    let baseline = figures.baseline.as_ref()?;
    let beside = baseline.beside.as_deref()?;
    let mut rows: BTreeMap<u16, [StatusFigures; 2]> = BTreeMap::new();
    for (place, figures) in [&beside.figures, figures].into_iter().enumerate() {
        for (code, status) in &figures.statuses {
            if let Some(slot) = rows.entry(*code).or_default().get_mut(place) {
                *slot = *status;
            }
        }
    }
    let is_unknown = |figures: &Figures| figures.statuses.is_empty() && figures.total.requests > 0;
    if is_unknown(figures) || is_unknown(&beside.figures) {
        return Some(html! {
            p class="soft" { "Statuses are not compared: the rows of one of the runs are not kept, or have none." }
        });
    }
    Some(html! {
        div class="wide" {
            table class="stack versus" {
                caption { "Requests by status" }
                (heads("Status", figures, baseline))
                tbody {
                    @for (code, [base, new]) in rows {
                        @let is_bad = base.failures + new.failures > 0;
                        @let change = match occurrence(base.count, new.count) {
                            change if is_bad => change,
                            Difference { words, .. } => Difference::plain(words),
                        };
                        tr {
                            th class="text" scope="row" { @if code == 0 { "no response" } @else { (code) } }
                            td data-l="Base" { (text::count(base.count)) }
                            td data-l="New" { (text::count(new.count)) }
                            td class=(format!("text {}", change.class)) data-l="Difference" { (change.words) }
                        }
                    }
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_a_sign_and_words_beside_its_colour() {
        for (now, before, class, words) in [
            (20.0, 10.0, "delta bad", "▲ +100 % worse"),
            (5.0, 10.0, "delta good", "▼ -50 % better"),
            (10.5, 10.0, "delta", "+5.0 %, within 10 %"),
            (10.0, 10.0, "delta", "±0 %, the same"),
            (10.0, 0.0, "delta", "–"),
        ] {
            let found = Difference::of_latency(Some(now), Some(before), 0.1);
            assert_eq!((found.class, found.words.as_str()), (class, words), "{now} {before}");
        }
        let stats = |failures| Stats { requests: 100, failures, ..Stats::default() };
        for (now, before, words) in
            [(5, 0, "▲ +5.0 pp worse"), (0, 5, "▼ -5.0 pp better"), (5, 5, "±0 pp, the same")]
        {
            assert_eq!(Difference::of_failures(&stats(now), &stats(before), 0.1).words, words);
        }
        let short = |difference: Difference| difference.short().words;
        assert_eq!(short(Difference::of_latency(Some(10.5), Some(10.0), 0.1)), "+5.0 %");
        assert_eq!(short(Difference::of_latency(Some(20.0), Some(10.0), 0.1)), "▲ +100 % worse");
        assert_eq!(Difference::of_count(120.0, 100.0).words, "+20 % more");
        assert_eq!(Difference::of_count(80.0, 100.0).words, "-20 % less");
        let words = |base, new| occurrence(base, new).words;
        assert_eq!([words(0, 3), words(3, 0), words(2, 3)], ["▲ new", "▼ gone", "+50 % more"]);
    }
}
