//! Line and bar charts as inline SVG, drawn on a fixed grid and scaled by the page. Colours are
//! classes of the page's style sheet, so that light and dark mode share one drawing. Each point has
//! an invisible column whose title a browser shows under the pointer.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::text;
use crate::report::figures::{BARS_PER_DECADE, bar_begin};

/// The size of the drawing in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 230.0;
/// Room for the axes' labels.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

const INNER: f64 = WIDTH - LEFT - RIGHT;
const DEPTH: f64 = HEIGHT - TOP - BOTTOM;

/// One curve. A missing point is a gap.
pub(super) struct Curve {
    /// The class that sets its colour and dash pattern.
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) points: Vec<Option<f64>>,
    /// Whether it belongs to the right axis.
    pub(super) right: bool,
}

/// A chart over time.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// The unit of the left axis.
    pub(super) unit: &'static str,
    /// Seconds per point.
    pub(super) width: f64,
    pub(super) curves: Vec<Curve>,
    /// The text under the pointer, for each point.
    pub(super) hints: Vec<String>,
}

impl Chart {
    pub(super) fn draw(&self) -> Markup {
        let count = self.hints.len();
        let column = INNER / count.max(1) as f64;
        let left = Scale::over(self.curves.iter().filter(|curve| !curve.right));
        let right = Scale::over(self.curves.iter().filter(|curve| curve.right));
        let two = self.curves.iter().any(|curve| curve.right);
        frame(
            self.title,
            html! {
                (self.legend())
            },
            html! {
                @for step in left.steps() {
                    line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(n(left.y(step))) y2=(n(left.y(step))) {}
                    text x=(n(LEFT - 6.0)) y=(n(left.y(step) + 4.0)) text-anchor="end" {
                        (text::short(step)) @if step == left.top { " " (self.unit) }
                    }
                }
                @if two {
                    @for step in right.steps() {
                        text x=(n(WIDTH - RIGHT + 6.0)) y=(n(right.y(step) + 4.0)) { (text::short(step)) }
                    }
                }
                (self.times(column, count))
                @for curve in &self.curves {
                    @let scale = if curve.right { &right } else { &left };
                    path class=(curve.class) d=(path(&curve.points, column, scale)) {}
                }
                @for (place, hint) in self.hints.iter().enumerate() {
                    rect class="hint" x=(n(LEFT + place as f64 * column)) y=(TOP) width=(n(column)) height=(DEPTH) {
                        title { (hint) }
                    }
                }
            },
        )
    }

    fn legend(&self) -> Markup {
        html! {
            p class="legend" {
                @for curve in &self.curves {
                    span {
                        svg width="18" height="8" aria-hidden="true" {
                            path class=(curve.class) d="M0 4H18" {}
                        }
                        " " (curve.name) @if curve.right { " (right axis)" }
                    }
                }
            }
        }
    }

    /// The time axis: about five labels at round positions.
    fn times(&self, column: f64, count: usize) -> Markup {
        let length = count as f64 * self.width;
        let step = round_up(length / 6.0).max(self.width);
        let labels = (0..).map(|place| f64::from(place) * step).take_while(|at| *at <= length);
        html! {
            @for at in labels.take(12) {
                text x=(n(LEFT + at / self.width * column)) y=(HEIGHT - 8.0) text-anchor="middle" {
                    (text::seconds(at))
                }
            }
        }
    }
}

/// Bars on a logarithmic axis: the number of latencies in each bar.
pub(super) fn histogram(title: &'static str, bars: &BTreeMap<i32, u64>) -> Markup {
    let first = bars.keys().next().copied().unwrap_or(0);
    let last = bars.keys().next_back().copied().unwrap_or(0);
    let most = bars.values().max().copied().unwrap_or(0);
    let total: u64 = bars.values().sum();
    // At least a decade, so that equal latencies are drawn as a narrow bar.
    let (first, last) = (first - 1, last.max(first + BARS_PER_DECADE));
    let column = INNER / f64::from(last - first + 1);
    let scale = Scale::to(most as f64);
    let x = |bar: i32| LEFT + f64::from(bar - first) * column;
    frame(
        title,
        html! {},
        html! {
            @for step in scale.steps() {
                line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(n(scale.y(step))) y2=(n(scale.y(step))) {}
                text x=(n(LEFT - 6.0)) y=(n(scale.y(step) + 4.0)) text-anchor="end" { (text::short(step)) }
            }
            @for bar in (first..=last).filter(|bar| bar.rem_euclid(BARS_PER_DECADE) == 0 || last - first < 25 && bar.rem_euclid(BARS_PER_DECADE) == 5) {
                text x=(n(x(bar))) y=(HEIGHT - 8.0) text-anchor="middle" { (text::millis(bar_begin(bar))) }
            }
            @for (bar, count) in bars {
                rect class="bar" x=(n(x(*bar) + 0.5)) width=(n((column - 1.0).max(0.5)))
                    y=(n(scale.y(*count as f64))) height=(n(TOP + DEPTH - scale.y(*count as f64))) {
                    title {
                        (text::millis(bar_begin(*bar))) " to " (text::millis(bar_begin(*bar + 1))) ": "
                        (text::count(*count)) " requests, " (text::percent(*count as f64 / total.max(1) as f64))
                    }
                }
            }
        },
    )
}

fn frame(title: &str, legend: Markup, inner: Markup) -> Markup {
    html! {
        figure {
            figcaption { (title) }
            (legend)
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) { (inner) }
        }
    }
}

/// A vertical axis from 0 to a round number.
struct Scale {
    top: f64,
}

impl Scale {
    fn over<'a>(curves: impl Iterator<Item = &'a Curve>) -> Self {
        Self::to(curves.flat_map(|curve| &curve.points).flatten().copied().fold(0.0, f64::max))
    }

    fn to(most: f64) -> Self {
        Self { top: if most > 0.0 { round_up(most / 4.0) * 4.0 } else { 1.0 } }
    }

    fn steps(&self) -> impl Iterator<Item = f64> + use<> {
        let top = self.top;
        (0..=4).map(move |step| top * f64::from(step) / 4.0)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + DEPTH * (1.0 - value / self.top)
    }
}

/// The next round number: one or two digits times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let factor = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0]
        .into_iter()
        .find(|factor| factor * power >= value * 0.999_999);
    factor.unwrap_or(10.0) * power
}

fn path(points: &[Option<f64>], column: f64, scale: &Scale) -> String {
    let mut data = String::new();
    let mut pen_up = true;
    for (place, point) in points.iter().enumerate() {
        let Some(value) = point else {
            pen_up = true;
            continue;
        };
        let x = LEFT + (place as f64 + 0.5) * column;
        data.push(if pen_up { 'M' } else { 'L' });
        data.push_str(&format!("{} {}", n(x), n(scale.y(*value))));
        // A single point between two gaps would not be drawn.
        if pen_up && points.get(place + 1).is_none_or(Option::is_none) {
            data.push_str("h0.1");
        }
        pen_up = false;
    }
    data
}

/// A coordinate with one decimal: finer than any screen shows.
fn n(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, want) in
            [(0.0, 1.0), (0.9, 1.0), (1.1, 1.5), (2.2, 2.5), (26.0, 30.0), (81.0, 100.0)]
        {
            assert_eq!(round_up(value), want, "{value}");
        }
    }

    #[test]
    fn a_gap_interrupts_the_line_and_a_single_point_is_drawn() {
        let scale = Scale { top: 1.0 };
        let points = [Some(0.0), Some(1.0), None, Some(0.0)];
        assert_eq!(path(&points, 10.0, &scale), "M63.0 204.0L73.0 10.0M93.0 204.0h0.1");
    }
}
