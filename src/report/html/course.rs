//! The charts over time: of all requests, and small ones of a single name.

use maud::{Markup, html};

use super::chart::{Chart, Curve};
use super::scale::Kind;
use super::text::{self, known};
use crate::report::figures::{Course, Figures, NameFigures, Point};

fn curve(
    class: &'static str,
    name: impl Into<String>,
    points: &[Point],
    of: impl Fn(&Point) -> Option<f64>,
) -> Curve {
    Curve { class, name: name.into(), points: points.iter().map(of).collect(), steps: false }
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

fn latencies(points: &[Point]) -> Vec<Curve> {
    vec![
        curve("p50", "median", points, |point| point.p50_ms),
        curve("p95", "p95", points, |point| point.p95_ms),
        curve("p99", "p99", points, |point| point.p99_ms),
    ]
}

/// Of all requests.
pub(super) fn charts(figures: &Figures) -> Markup {
    let course = &figures.course;
    let points = &course.points;
    let has = |of: fn(&Point) -> bool| points.iter().any(of);
    let chart =
        |title, kind, curves, hints| Chart { title, kind, width: course.width, curves, hints };
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
    let users = curve("users", "users", points, |point| point.users.map(f64::from));
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

/// Of one name.
pub(super) fn small(name: &NameFigures, width: f64) -> Markup {
    let points = &name.points;
    let chart = |title, kind, curves| Chart { title, kind, width, curves, hints: Vec::new() };
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
