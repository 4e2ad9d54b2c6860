//! Charts as inline SVG. The drawing is stretched to the room that there is; labels stand beside it and
//! keep their size. Colours are classes of the page's style sheet, so that light and dark mode share
//! one drawing. Where points have hints, a browser shows them under the pointer without a script.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use maud::{Markup, html};

use super::scale::{DEPTH, Kind, Scale, round_up};
use super::text;
use crate::report::figures::{BARS_PER_DECADE, bar_begin};

/// The width of the drawing in its own units.
const WIDTH: f64 = 1000.0;

/// One curve. A missing point is a gap.
pub(super) struct Curve {
    /// The class that sets its colour and dash pattern.
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) points: Vec<Option<f64>>,
    /// Seconds per point.
    pub(super) width: f64,
    /// Whether it holds its value until it changes.
    pub(super) steps: bool,
}

/// A chart over time.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) curves: Vec<Curve>,
    /// The text under the pointer, for each point of the first curve; none in a small chart.
    pub(super) hints: Vec<String>,
}

impl Chart {
    pub(super) fn draw(&self) -> Markup {
        let length = |curve: &Curve| curve.points.len().max(1) as f64 * curve.width;
        // Of two runs the longer one decides.
        let seconds = self.curves.iter().map(length).fold(0.0, f64::max);
        let column = |curve: &Curve| WIDTH * curve.width / seconds;
        let hint_column = self.curves.first().map_or(WIDTH, column);
        let values = || self.curves.iter().flat_map(|curve| &curve.points).flatten().copied();
        let scale = Scale::over(self.kind, values());
        let legend = html! {
            p class="legend" {
                @for curve in &self.curves {
                    span {
                        svg width="18" height="8" aria-hidden="true" {
                            path class=(curve.class) d="M0 4H18" {}
                        }
                        " " (curve.name)
                    }
                }
            }
        };
        let drawing = html! {
            @for curve in &self.curves {
                path class=(curve.class) d=(path(&curve.points, column(curve), &scale, curve.steps)) {}
            }
            @for (place, hint) in self.hints.iter().enumerate() {
                rect class="hint" x=(n(place as f64 * hint_column)) width=(n(hint_column)) height=(n(DEPTH)) {
                    title { (hint) }
                }
            }
        };
        // For those who do not see it: where the curves end.
        let said = match self.hints.last() {
            Some(hint) => format!("{}; at its end {hint}", self.title),
            None => self.title.to_owned(),
        };
        frame((self.title, &said), &legend, &scale, &drawing, &self.times(seconds))
    }

    /// The time axis: about five labels at round positions.
    fn times(&self, length: f64) -> Vec<(f64, String)> {
        let width = self.curves.first().map_or(1.0, |curve| curve.width);
        let step = round_up(length / 6.0).max(width);
        let places = (0..).map(|place| f64::from(place) * step).take_while(|at| *at <= length);
        places.take(12).map(|at| (at / length.max(width), text::seconds(at))).collect()
    }
}

/// Bars on a logarithmic axis: the number of latencies in each bar.
pub(super) fn histogram(title: &'static str, bars: &BTreeMap<i32, u64>) -> Markup {
    let first = bars.keys().next().copied().unwrap_or(0);
    let last = bars.keys().next_back().copied().unwrap_or(0);
    let total: u64 = bars.values().sum();
    // At least a decade, so that equal latencies are drawn as a narrow bar.
    let (first, last) = (first - 1, last.max(first + BARS_PER_DECADE) + 1);
    let column = WIDTH / f64::from(last - first);
    let scale = Scale::over(Kind::Count, bars.values().map(|count| *count as f64));
    let x = |bar: i32| f64::from(bar - first) * column;
    let decade = |bar: i32| bar.rem_euclid(BARS_PER_DECADE);
    let short = last - first < 25;
    let labels = (first..last)
        .filter(|bar| decade(*bar) == 0 || short && decade(*bar) == 5)
        .map(|bar| (x(bar) / WIDTH, text::tick_millis(bar_begin(bar))));
    let drawing = html! {
        @for (bar, count) in bars {
            @let top = scale.y(*count as f64);
            rect class="bar" x=(n(x(*bar) + 1.0)) width=(n((column - 2.0).max(1.0)))
                y=(n(top)) height=(n((DEPTH - top).max(1.0))) {
                title {
                    (text::millis(bar_begin(*bar))) " to " (text::millis(bar_begin(*bar + 1))) ": "
                    (text::count(*count)) " requests, " (text::percent(*count as f64 / total.max(1) as f64))
                }
            }
        }
    };
    frame((title, title), &html! {}, &scale, &drawing, &labels.collect::<Vec<_>>())
}

/// A drawing under its title, with what it says in words.
fn frame(
    (title, said): (&str, &str),
    legend: &Markup,
    scale: &Scale,
    drawing: &Markup,
    below: &[(f64, String)],
) -> Markup {
    let share = |part: f64| format!("{:.1}%", part * 100.0);
    html! {
        figure {
            figcaption { (title) }
            (legend)
            div class="plot" {
                svg class="y" aria-hidden="true" {
                    @for (at, label) in scale.labels() {
                        text x="100%" y=(share(at / DEPTH)) { (label) }
                    }
                }
                svg class="area" viewBox=(format!("0 0 {WIDTH} {DEPTH}")) preserveAspectRatio="none"
                    role="img" aria-label=(said) {
                    path class="grid" d=(grid(scale)) {}
                    (drawing)
                }
                svg class="x" aria-hidden="true" {
                    @for (at, label) in below { text x=(share(*at)) y="75%" { (label) } }
                }
            }
        }
    }
}

fn grid(scale: &Scale) -> String {
    let mut lines = String::new();
    for (at, _) in scale.labels() {
        let _ = write!(lines, "M0 {}H{WIDTH}", n(at));
    }
    lines
}

/// A curve as the steps of a pen, each relative to where it is.
fn path(points: &[Option<f64>], column: f64, scale: &Scale, steps: bool) -> String {
    let mut data = String::new();
    let mut pen: Option<(i64, i64)> = None;
    for (place, point) in points.iter().enumerate() {
        let Some(value) = point else {
            pen = None;
            continue;
        };
        let y = scale.y(*value).round() as i64;
        let middle = if steps { 0.0 } else { 0.5 };
        let x = ((place as f64 + middle) * column).round() as i64;
        match pen {
            None => {
                let _ = write!(data, "M{x} {y}");
            }
            Some((_, level)) if steps => {
                if level != y {
                    let _ = write!(data, "v{}", y - level);
                }
            }
            Some((before, level)) => {
                let _ = write!(data, "l{} {}", x - before, y - level);
            }
        }
        pen = Some((x, y));
        if steps {
            let end = ((place as f64 + 1.0) * column).round() as i64;
            let _ = write!(data, "h{}", end - x);
            pen = Some((end, y));
        } else if points.get(place + 1).is_none_or(Option::is_none)
            && data.ends_with(&format!("M{x} {y}"))
        {
            // A single point between two gaps would not be drawn.
            data.push_str("h1");
        }
    }
    data
}

/// A coordinate: whole units are finer than most screens show.
fn n(value: f64) -> String {
    format!("{value:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_interrupts_the_line_and_a_single_point_is_drawn() {
        let scale = Scale::over(Kind::Rate, [1.0].into_iter());
        let points = [Some(0.0), Some(1.0), None, Some(0.0)];
        assert_eq!(path(&points, 10.0, &scale, false), "M5 400l10 -400M35 400h1");
    }

    #[test]
    fn users_are_drawn_as_steps() {
        let scale = Scale::over(Kind::Count, [4.0].into_iter());
        let points = [Some(4.0), Some(4.0), Some(2.0), None, Some(4.0)];
        assert_eq!(path(&points, 10.0, &scale, true), "M0 0h10h10v200h10M40 0h10");
    }
}
