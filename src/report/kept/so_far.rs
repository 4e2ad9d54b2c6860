//! What a page shows of a test in progress beside the figures of its names: statuses, and curves with the
//! points that its report will have.

use super::read::Kept;
use crate::record::live::{Curve, Detail, Live};
use crate::report::figures::{
    Axis, Course, Figures, NameFigures, Point, StatusFigures, hold_users,
};

/// Requests of so many seconds before now may not be counted yet.
const LAG: f64 = 0.5;

/// Adds it to the figures of a test in progress, if somebody looks at it.
pub fn add_detail(figures: &mut Figures, kept: &Kept<'_>, live: &Live) {
    let Some(detail) = live.detail() else {
        figures.without_course = Some("the test is in progress".to_owned());
        return;
    };
    let requests = figures.total.requests;
    figures.is_partial = detail.without_rows() > 0;
    figures.statuses = statuses(detail);
    if !detail.is_complete(requests) {
        figures.counted = Some(detail.counted().min(requests));
        figures.without_course = Some("the requests so far are being counted".to_owned());
    } else if figures.is_partial {
        figures.without_course = Some("some requests have no rows".to_owned());
    } else {
        let axis = Axis::of(&[figures.seconds]);
        let mut points = points(&detail.total(), &axis);
        hold_users(&mut points, axis.range(0), &users(kept, &axis));
        figures.course = Course { width: axis.width, points };
        figures.without_course = detail.refused();
        for name in &mut figures.names {
            let label = name.label.as_ref();
            name.is_charted_apart =
                label.is_some_and(|(method, name)| detail.has_curve(method, name));
        }
    }
}

/// The curve of a name of a test that has taken so long, and the seconds per point.
pub fn curve_of(live: &Live, method: &str, name: &str, seconds: f64) -> Option<(NameFigures, f64)> {
    let detail = live.look_at_detail();
    let (requests, _) = live.requests();
    let curve = detail.curve(method, name).filter(|_| detail.is_complete(requests))?;
    let axis = Axis::of(&[seconds]);
    let mut figures = NameFigures {
        label: Some((method.to_owned(), name.to_owned())),
        points: points(&curve, &axis),
        ..NameFigures::default()
    };
    figures.stats.failures = figures.points.iter().map(|point| point.failures).sum();
    Some((figures, axis.width))
}

/// The points of a curve: those that have ended, at least one.
fn points(curve: &Curve, axis: &Axis) -> Vec<Point> {
    let counted = curve.points(axis.width);
    let whole = axis.drawn(Some((axis.seconds - LAG).max(0.0)));
    let point = |place: usize| {
        let counted = counted.get(place).copied().unwrap_or_default();
        let millis = |of: fn([f64; 3]) -> f64| counted.percentiles.map(of);
        Point {
            seconds: axis.length(place),
            requests: counted.requests,
            failures: counted.failures,
            p50_ms: millis(|[p50, ..]| p50),
            p95_ms: millis(|[_, p95, _]| p95),
            p99_ms: millis(|[.., p99]| p99),
            ..Point::default()
        }
    };
    (0..whole).map(point).collect()
}

/// The users of the last test, by the point in which their number was that.
fn users(kept: &Kept<'_>, axis: &Axis) -> Vec<(usize, u32)> {
    let last = kept.points.last().map(|point| point.test);
    let mut at = 0.0;
    let of_test = kept.points.iter().filter(|point| Some(point.test) == last);
    of_test
        .map(|point| {
            at += point.seconds;
            (axis.place(at), point.users)
        })
        .collect()
}

fn statuses(detail: &Detail) -> std::collections::BTreeMap<u16, StatusFigures> {
    let of = |(status, answered): (u16, crate::record::live::Answered)| {
        (status, StatusFigures { count: answered.requests, failures: answered.failures })
    };
    detail.statuses().into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::kept_of;
    use super::*;
    use crate::record::fixture::{records, request};

    fn figures_of(live: &Live) -> Figures {
        let value = kept_of(&records(&[("GET", "u", "a", 200, 1.0, 1, None)]), &live.series());
        let kept = Kept::read(&value).expect("a test");
        let mut figures = kept.figures();
        add_detail(&mut figures, &kept, live);
        figures
    }

    #[test]
    fn a_page_of_a_test_in_progress_has_the_points_that_its_report_will_have() {
        let live = Live::default();
        live.look_at_detail();
        request(&live, "a", 10, 1, false);
        request(&live, "a", 260, 1, true);
        let figures = figures_of(&live);
        assert_eq!((figures.counted, figures.without_course.as_deref()), (None, None));
        assert_eq!(figures.statuses[&200], StatusFigures { count: 2, failures: 1 });
        // Four seconds, of which the last half may not be whole.
        let Course { width, points } = &figures.course;
        assert_eq!((*width, points.len()), (0.1, 35));
        let counted: Vec<_> = points.iter().map(|point| point.requests).collect();
        assert_eq!((counted[0], counted[2], counted.iter().sum::<u64>()), (1, 1, 2));
        assert_eq!((points[2].failures, points[2].users), (1, Some(1)));
        assert!(points[0].p99_ms.is_some_and(|p99| (p99 - 10.0).abs() < 0.1), "{:?}", points[0]);
        assert!(figures.names[0].is_charted_apart && figures.names[0].points.is_empty());
        let (name, width) = curve_of(&live, "GET", "a", 4.0).expect("a curve");
        assert_eq!((name.points.len(), width, name.stats.failures), (35, 0.1, 1));
        assert!(curve_of(&live, "GET", "b", 4.0).is_none());
    }

    #[test]
    fn a_page_says_how_many_requests_are_counted_and_draws_what_it_knows() {
        let live = Live::default();
        request(&live, "a", 10, 1, true);
        assert_eq!(figures_of(&live).without_course.as_deref(), Some("the test is in progress"));
        live.look_at_detail();
        let figures = figures_of(&live);
        assert_eq!(figures.counted, Some(0));
        assert_eq!(figures.course.points.len(), 4);
        assert!(curve_of(&live, "GET", "a", 4.0).is_none() && !figures.names[0].is_charted_apart);
        let errors = crate::report::html::parts(&figures, &[]);
        let said = "Errors and statuses are those of 0 of 1 requests so far";
        assert!(errors.iter().any(|part| part.name == "errors" && part.html.contains(said)));
    }
}
