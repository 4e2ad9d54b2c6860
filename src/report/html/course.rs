//! The charts over time: of all requests, and small ones of a single name; of two runs both curves of
//! each figure.

use maud::{Markup, html};

use super::chart::{Chart, Curve};
use super::facts;
use super::scale::Kind;
use super::text::{self, known};
use crate::report::figures::{Course, Figures, NameFigures, Point};

fn curve(
    class: &'static str,
    name: impl Into<String>,
    (points, width): (&[Point], f64),
    of: impl Fn(&Point) -> Option<f64>,
) -> Curve {
    let points = points.iter().map(of).collect();
    Curve { class, name: name.into(), points, width, steps: false }
}

fn hints(course: &Course, of: impl Fn(&Point) -> String) -> Vec<String> {
    let points = course.points.iter().enumerate();
    let start = |place| text::seconds(place as f64 * course.width);
    points.map(|(place, point)| format!("{}: {}", start(place), of(point))).collect()
}

fn per_second(point: &Point) -> Option<f64> {
    Some(point.requests as f64 / point.seconds)
}

fn failed_share(point: &Point) -> Option<f64> {
    (point.requests > 0).then(|| point.failures as f64 / point.requests as f64 * 100.0)
}

fn users_of(point: &Point) -> Option<f64> {
    point.users.map(f64::from)
}

fn latencies(points: (&[Point], f64)) -> Vec<Curve> {
    vec![
        curve("p50", "median", points, |point| point.p50_ms),
        curve("p95", "p95", points, |point| point.p95_ms),
        curve("p99", "p99", points, |point| point.p99_ms),
    ]
}

/// Of all requests.
pub(super) fn charts(figures: &Figures) -> Markup {
    let beside = figures.baseline.as_ref().and_then(|baseline| baseline.beside.as_deref());
    if let Some(beside) = beside {
        return both(figures, &beside.figures);
    }
    let course = &figures.course;
    let points = (course.points.as_slice(), course.width);
    let has = |of: fn(&Point) -> bool| course.points.iter().any(of);
    let chart = |title, kind, curves, hints| Chart { title, kind, curves, hints };
    let millis = |figure| known(figure, text::millis);
    let latency = chart(
        "Latency (logarithmic axis)",
        Kind::Millis,
        latencies(points),
        hints(course, |point| {
            let (p50, p95, p99) =
                (millis(point.p50_ms), millis(point.p95_ms), millis(point.p99_ms));
            format!("median {p50}, p95 {p95}, p99 {p99}")
        }),
    );
    let mut made = vec![curve("rate", "made", points, per_second)];
    if has(|point| point.asked.is_some()) {
        let iterations = figures.iterations.started.max(1) as f64;
        let each = (figures.total.requests + figures.interrupted) as f64 / iterations;
        let asked = format!("asked for, at {} requests in an iteration", text::decimals(each, 2));
        made.push(Curve { steps: true, ..curve("asked", asked, points, |point| point.asked) });
    }
    let rate = chart(
        "Requests per second",
        Kind::Rate,
        made,
        hints(course, |point| {
            let asked =
                point.asked.map_or(String::new(), |asked| format!(" of {}/s", text::rate(asked)));
            format!("{}/s{asked}", text::rate(point.requests as f64 / point.seconds))
        }),
    );
    let failed = chart(
        "Failed requests (share)",
        Kind::Percent,
        vec![curve("fail", "failed", points, failed_share)],
        hints(course, |point| {
            let share = point.failures as f64 / point.requests.max(1) as f64;
            format!("{} failed, {}", text::count(point.failures), text::percent(share))
        }),
    );
    let users = curve("users", "users", points, users_of);
    let users = chart(
        "Users",
        Kind::Count,
        vec![Curve { steps: true, ..users }],
        hints(course, |point| {
            known(point.users, |users| format!("{} users", text::count(users.into())))
        }),
    );
    html! {
        div class="charts" {
            (latency.draw())
            (rate.draw())
            @if has(|point| point.failures > 0) { (failed.draw()) }
            @if has(|point| point.users.is_some()) { (users.draw()) }
        }
        @if figures.total.failures == 0 { p class="soft" { "No request failed." } }
    }
}

/// A figure over time: its title, its axis, its value at a point and as text.
type Figure = (&'static str, Kind, fn(&Point) -> Option<f64>, fn(f64) -> String);

const FIGURES: [Figure; 6] = [
    ("Median latency (logarithmic axis)", Kind::Millis, |point| point.p50_ms, text::millis),
    ("p95 (logarithmic axis)", Kind::Millis, |point| point.p95_ms, text::millis),
    ("p99 (logarithmic axis)", Kind::Millis, |point| point.p99_ms, text::millis),
    ("Requests per second", Kind::Rate, per_second, text::rate),
    ("Failed requests (share)", Kind::Percent, failed_share, |share| text::percent(share / 100.0)),
    ("Users", Kind::Count, users_of, |users| text::count(users as u64)),
];

/// Of two runs: for each figure its curve in the new run and in the base.
fn both(new: &Figures, base: &Figures) -> Markup {
    let title = |figures: &Figures| facts::called(figures);
    let charts = FIGURES.into_iter().filter_map(|(name, kind, of, words)| {
        let is_there =
            |figures: &Figures| figures.course.points.iter().any(|point| of(point) > Some(0.0));
        if !is_there(new) && !is_there(base) {
            return None;
        }
        let steps = kind == Kind::Count;
        let curve_of = |class, role: &str, figures: &Figures| {
            let points = (figures.course.points.as_slice(), figures.course.width);
            Curve { steps, ..curve(class, format!("{role}: {}", title(figures)), points, of) }
        };
        let at = |course: &Course, seconds: f64| {
            let place = (seconds / course.width.max(0.001)) as usize;
            course.points.get(place).and_then(of)
        };
        let hints = new.course.points.iter().enumerate().map(|(place, point)| {
            let seconds = place as f64 * new.course.width;
            let (is, was) = (known(of(point), words), known(at(&base.course, seconds), words));
            format!("{}: new {is}, base {was}", text::seconds(seconds))
        });
        let hints = hints.collect();
        let curves = vec![curve_of("new", "new", new), curve_of("base", "base", base)];
        Some(Chart { title: name, kind, curves, hints }.draw())
    });
    html! {
        div class="charts" { @for chart in charts { (chart) } }
        @if new.total.failures + base.total.failures == 0 {
            p class="soft" { "No request of either run failed." }
        }
    }
}

/// Of one name.
pub(super) fn small(name: &NameFigures, width: f64) -> Markup {
    let points = (name.points.as_slice(), width);
    let chart = |title, kind, curves| Chart { title, kind, curves, hints: Vec::new() };
    let latency = chart("Latency (logarithmic axis)", Kind::Millis, latencies(points));
    let rate =
        chart("Requests per second", Kind::Rate, vec![curve("rate", "made", points, per_second)]);
    let failed = chart(
        "Failed requests (share)",
        Kind::Percent,
        vec![curve("fail", "failed", points, failed_share)],
    );
    html! {
        div class="charts small" {
            (latency.draw())
            (rate.draw())
            @if name.stats.failures > 0 { (failed.draw()) }
        }
    }
}
