//! Gates: rules that a run's figures must meet, such as «p95 of /login at most 300 ms». They are
//! evaluated after a run over its [`super::Summary`] (or over a summary from a document), and once
//! a second over live [`Series`](super::live::Series) where a test should stop early. The texts are the
//! reference's; these gates also fail runs that the reference passes although they cannot be good: no
//! request at all, or a failure rate per name.

mod running;

use super::summary::{Metric, Metrics};
use crate::redact;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

pub use running::{AbortOn, clearly_broken};

/// The metrics and their names in documents.
pub(super) const METRICS: [(&str, Metric); 13] = [
    ("latency_p50", Metric::P50),
    ("latency_p90", Metric::P90),
    ("latency_p95", Metric::P95),
    ("latency_p99", Metric::P99),
    ("latency_mean", Metric::Mean),
    ("failure_rate", Metric::FailureRate),
    ("requests", Metric::Requests),
    ("dropped_iterations", Metric::DroppedIterations),
    ("dropped_rate", Metric::DroppedRate),
    ("achieved_rate", Metric::AchievedRate),
    ("interrupted", Metric::Interrupted),
    ("unresolved", Metric::Unresolved),
    ("failed_extractions", Metric::FailedExtractions),
];

/// The fields of a list of gates in documents.
pub const RULES: Kind = Kind::Named("gates", &Kind::List(&Kind::Open(&[RULE])));

/// The same for a running test, whose gates have no other members.
pub const ABORT_RULES: Kind = Kind::Named("abortGates", &Kind::List(&Kind::Object(&[RULE])));

/// One gate, or a list of them.
pub const GATE: Kind = Kind::Either(&[
    Kind::Items { of: &Kind::Open(&[RULE]), least: 1, most: None },
    Kind::Open(&[RULE]),
]);

/// A number as a text.
const NUMBER: Kind = Kind::Matching(
    r"^\s*[-+]?([0-9._]+([eE][-+]?[0-9]+)?|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])\s*$",
);

/// The fields of a gate.
pub const RULE: &[Field] = &[
    Field::required("type", Kind::OneOf(&NAMES), "The figure to check.")
        .note(
            "Latencies in milliseconds; `failure_rate` and `dropped_rate` from 0 to 1; \
         `requests`, `dropped_iterations`, `interrupted`, `unresolved` and \
         `failed_extractions` are counts; `achieved_rate` is iterations per second.",
        )
        .example("\"latency_p95\""),
    Field::optional(
        "op",
        Kind::OneOf(&["lt", "lte", "gt", "gte", "LT", "LTE", "GT", "GTE"]),
        "How the figure must compare with the value.",
    )
    .note(
        "`lte`: at most, `lt`: below, `gte`: at least, `gt`: above. A least number of \
         requests needs `gte`.",
    )
    .or(Literal::Text("lte"))
    .not_null(),
    Field::required("value", Kind::Either(&[Kind::Real, NUMBER]), "The value to compare with.")
        .unit("that of the figure")
        .example("300"),
    Field::optional("name", Kind::Scalar, "The name of the requests to check.")
        .otherwise("all requests")
        .note(
            "It is the `name` of a task, or the URL where a task has none. `latency_mean` \
         needs it.",
        ),
];

/// The names of the metrics.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds does not compile")]
pub const NAMES: [&str; METRICS.len()] = {
    let mut names = [""; METRICS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = METRICS[at].0;
        at += 1;
    }
    names
};

/// The most gates of a list: those of a running test are evaluated every second.
const MOST: usize = 1000;

fn rules<'a>(field: &Reader<'a>) -> Result<Vec<Reader<'a>>, Invalid> {
    let rules = field.list()?;
    match rules.len() {
        ..=MOST => Ok(rules),
        count => Err(field.invalid(format!("{count} gates exceed the limit of {MOST}"))),
    }
}

/// How the figure must compare with the rule's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// The spellings of comparisons.
pub const OPS: [&str; 4] = ["lt", "lte", "gt", "gte"];

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lt" => Self::Below,
            "lte" => Self::AtMost,
            "gt" => Self::Above,
            "gte" => Self::AtLeast,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::Below => "lt",
            Self::AtMost => "lte",
            Self::Above => "gt",
            Self::AtLeast => "gte",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Below => "less than",
            Self::AtMost => "at most",
            Self::Above => "more than",
            Self::AtLeast => "at least",
        }
    }

    fn holds(self, actual: f64, limit: f64) -> bool {
        match self {
            Self::Below => actual < limit,
            Self::AtMost => actual <= limit,
            Self::Above => actual > limit,
            Self::AtLeast => actual >= limit,
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    written: Value,
    condition: Result<Condition, String>,
}

/// A rule that can be evaluated.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    /// `None` for a type that no summary has.
    metric: Option<Metric>,
    name: Option<String>,
    comparison: Comparison,
    limit: f64,
}

impl Rule {
    /// Parses a rule. One that cannot be evaluated (an unknown `type` or `op`, no `value`) is
    /// accepted and always fails, so that the others in its list are still evaluated.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        // As in the record, whose names hold no secrets either.
        let written = reader.value().redacted();
        let mut object = reader.fields(RULE)?;
        let metric = object.optional("type").and_then(|kind| {
            METRICS
                .iter()
                .find(|(name, _)| kind.value().as_str() == Some(name))
                .map(|found| found.1)
        });
        let name = object
            .present("name")
            .map(|name| redact::url(&name.value().to_text()).into_owned())
            .filter(|name| !name.is_empty());
        let op = object.optional("op").map_or_else(|| "lte".to_owned(), |op| op.value().to_text());
        let value = object.present("value");
        let Some(comparison) = Comparison::parse(&op.to_lowercase()) else {
            let reason = format!("unsupported op {}", crate::value::quote(&op.to_lowercase()));
            return Ok(Self { written, condition: Err(reason) });
        };
        let Some(value) = value else {
            return Ok(Self { written, condition: Err("rule missing 'value'".to_owned()) });
        };
        let number = match value.value() {
            // Read again when the variable is known.
            _ if value.awaits_number() => Some(0.0),
            Value::Str(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        let limit = number
            .filter(|limit: &f64| limit.is_finite())
            .ok_or_else(|| value.expected("a number"))?;
        Ok(Self { written, condition: Ok(Condition { metric, name, comparison, limit }) })
    }

    /// Parses a list of rules.
    pub fn read_list(reader: &Reader<'_>) -> Result<Vec<Self>, Invalid> {
        rules(reader)?.iter().map(Self::read).collect()
    }

    /// Parses one rule or a list of rules that can be evaluated, at least one: by a rule that always
    /// fails nothing can be searched for.
    pub fn read_gate(reader: &Reader<'_>) -> Result<Vec<Self>, Invalid> {
        let rules = match reader.value() {
            Value::Dict(_) => vec![reader.clone()],
            _ => rules(reader)?,
        };
        if rules.is_empty() {
            return Err(reader.expected("at least one gate"));
        }
        let read = |reader: &Reader<'_>| {
            let rule = Self::read(reader)?;
            match &rule.condition {
                Err(reason) => Err(reader.invalid(reason.as_str())),
                Ok(Condition { metric: None, .. }) => match reader.fields(RULE)?.optional("type") {
                    Some(kind) => Err(kind.choice(&NAMES)),
                    None => Err(reader.invalid("missing \"type\"")),
                },
                Ok(Condition { metric: Some(Metric::Mean), name: None, .. }) => {
                    Err(reader.invalid("latency_mean needs a \"name\""))
                }
                Ok(_) => Ok(rule),
            }
        };
        rules.iter().map(read).collect()
    }

    /// A short form of the rule, for reports: `latency_p95(overall) lte 300`.
    pub fn title(&self) -> String {
        format!(
            "{}({}) {} {}",
            self.member("type", "None"),
            self.member("name", "overall"),
            self.member("op", "lte").to_lowercase(),
            self.member("value", "None"),
        )
    }

    /// Evaluates the rule.
    pub fn judge(&self, figures: &dyn Metrics) -> GateResult {
        let fail =
            |actual, reason| GateResult { passed: false, rule: self.clone(), actual, reason };
        let condition = match &self.condition {
            Ok(condition) => condition,
            Err(reason) => return fail(None, reason.clone()),
        };
        let actual = condition.metric.and_then(|metric| match &condition.name {
            Some(name) => figures.named(name, metric),
            None => figures.overall(metric),
        });
        let Some(actual) = actual else {
            return fail(None, "metric not available in summary".to_owned());
        };
        if figures.overall(Metric::Requests) == Some(0.0) {
            return fail(Some(actual), "no requests were recorded".to_owned());
        }
        if condition.comparison.holds(actual, condition.limit) {
            return GateResult {
                passed: true,
                rule: self.clone(),
                actual: Some(actual),
                reason: String::new(),
            };
        }
        let reason = self.broken(condition, actual);
        fail(Some(actual), reason)
    }

    fn broken(&self, condition: &Condition, actual: f64) -> String {
        format!(
            "{}({})={} not {} {}",
            self.member("type", "None"),
            self.member("name", "overall"),
            Value::Float(actual).to_text(),
            condition.comparison.text(),
            self.member("value", "None"),
        )
    }

    /// A member as written, or what the reference prints where it is missing.
    fn member(&self, key: &str, missing: &str) -> String {
        self.written.get(key).map_or_else(|| missing.to_owned(), Value::to_text)
    }
}

/// The result of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// Whether the rule passed.
    pub passed: bool,
    /// The rule.
    pub rule: Rule,
    /// The figure, if known.
    pub actual: Option<f64>,
    /// Why it failed; empty if it passed.
    pub reason: String,
}

/// What a rule compares with what, for those who say it in words.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The figure.
    pub metric: Metric,
    /// The name of the requests; all without.
    pub name: Option<&'a str>,
    /// What the figure is compared with.
    pub limit: f64,
    comparison: Comparison,
}

impl Judged<'_> {
    /// How the figure must compare with the limit: `at most`.
    pub fn comparison(&self) -> &'static str {
        self.comparison.words()
    }

    /// Whether a figure would pass.
    pub fn holds(&self, actual: f64) -> bool {
        self.comparison.holds(actual, self.limit)
    }
}

impl GateResult {
    /// What was judged; `None` of a rule that cannot be evaluated.
    pub fn judged(&self) -> Option<Judged<'_>> {
        let condition = self.rule.condition.as_ref().ok()?;
        Some(Judged {
            metric: condition.metric?,
            name: condition.name.as_deref(),
            limit: condition.limit,
            comparison: condition.comparison,
        })
    }

    /// The result in the shape of `LD_evaluate_sla`.
    pub fn to_value(&self) -> Value {
        Value::dict([
            ("passed", Value::from(self.passed)),
            ("rule", self.rule.written.clone()),
            ("actual", self.actual.into()),
            ("reason", self.reason.as_str().into()),
        ])
    }
}

/// Why a list of results fails, in one line; `None` if all passed.
pub fn failed(verdicts: &[GateResult]) -> Option<String> {
    let reasons: Vec<&str> = verdicts
        .iter()
        .filter(|verdict| !verdict.passed)
        .map(|verdict| verdict.reason.as_str())
        .collect();
    (!reasons.is_empty()).then(|| format!("SLA gates failed: {}", reasons.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::super::{Gaps, Iterations, Recorder, Summary, fixture};
    use super::*;

    pub(super) fn rules(json: &str) -> Vec<Rule> {
        let value = Value::parse(json).expect("JSON");
        Rule::read_list(&Reader::root(&value)).expect("rules")
    }

    /// Nine requests of `a` that take 10 ms and one of `b` that fails after 100 ms.
    pub(super) fn recorder() -> Recorder {
        let mut rows = [("GET", "http://x/", "a", 200, 10.0, 1, None); 10];
        rows[9] = ("GET", "http://x/", "b", 200, 100.0, 1, Some("broken"));
        fixture::recorder(&rows)
    }

    fn check(rule: &str, passed: bool, actual: Option<f64>, reason: &str) {
        let recorder = recorder();
        let summary = Summary::of([&recorder].into_iter());
        let verdict = rules(&format!("[{rule}]"))[0].judge(&summary);
        assert_eq!(
            (verdict.passed, verdict.actual, verdict.reason.as_str()),
            (passed, actual, reason),
            "{rule}"
        );
    }

    #[test]
    fn rules_fail_with_the_reasons_of_the_reference() {
        check(r#"{"type": "latency_p50", "value": 10}"#, true, Some(10.0), "");
        check(
            r#"{"type": "requests", "value": 1, "op": "LT"}"#,
            false,
            Some(10.0),
            "requests(overall)=10.0 not lt 1",
        );
        check(
            r#"{"type": "latency_p99", "value": 9.5, "name": "a"}"#,
            false,
            Some(10.0),
            "latency_p99(a)=10.0 not lte 9.5",
        );
        check(
            r#"{"type": "latency_mean", "value": 10}"#,
            false,
            None,
            "metric not available in summary",
        );
        check(
            r#"{"type": "failure_rate", "value": 1, "op": "eq"}"#,
            false,
            None,
            "unsupported op 'eq'",
        );
        check(r#"{"type": "failure_rate"}"#, false, None, "rule missing 'value'");
    }

    #[test]
    fn the_failure_rate_of_a_name_is_checked_even_without_a_success() {
        check(
            r#"{"type": "failure_rate", "value": 0.5, "name": "b"}"#,
            false,
            Some(1.0),
            "failure_rate(b)=1.0 not lte 0.5",
        );
        check(r#"{"type": "failure_rate", "value": 0, "name": "a"}"#, true, Some(0.0), "");
    }

    #[test]
    fn a_gate_catches_load_that_was_not_made() {
        let recorder = recorder();
        let mut summary = Summary::of([&recorder].into_iter());
        let [span, waited] = [6, 2].map(std::time::Duration::from_secs);
        summary.iterations =
            Iterations { started: 121, planned: 800, dropped: 679, span, waited, starting: 0 };
        summary.interrupted = 3;
        summary.gaps = Gaps { requests: 400, placeholders: Vec::new(), extractions: 401 };
        let reasons = rules(
            r#"[{"type": "unresolved", "value": 0}, {"type": "failed_extractions", "value": 0},
                {"type": "dropped_iterations", "value": 0},
                {"type": "dropped_rate", "value": 0.5},
                {"type": "achieved_rate", "op": "gte", "value": 190},
                {"type": "interrupted", "value": 0}]"#,
        );
        let reasons: Vec<_> = reasons.iter().map(|rule| rule.judge(&summary).reason).collect();
        assert_eq!(
            reasons,
            [
                "unresolved(overall)=400.0 not lte 0",
                "failed_extractions(overall)=401.0 not lte 0",
                "dropped_iterations(overall)=679.0 not lte 0",
                "dropped_rate(overall)=0.84875 not lte 0.5",
                "achieved_rate(overall)=30.25 not gte 190",
                "interrupted(overall)=3.0 not lte 0",
            ]
        );
    }

    #[test]
    fn a_gate_over_zero_requests_fails() {
        let verdict =
            rules(r#"[{"type": "failure_rate", "value": 1}]"#)[0].judge(&Summary::default());
        assert_eq!(
            verdict.to_value().to_text(),
            "{'passed': False, 'rule': {'type': 'failure_rate', 'value': 1}, 'actual': 0.0, \
         'reason': 'no requests were recorded'}"
        );
    }

    #[test]
    fn rules_also_apply_to_a_summary_from_a_document() {
        let recorder = recorder();
        let summary = Summary::of([&recorder].into_iter()).to_value();
        let verdicts: Vec<bool> = rules(
            r#"[{"type": "latency_p95", "value": 60}, {"type": "requests", "value": 9, "op": "gte",
                "name": "a"}, {"type": "latency_mean", "value": 1, "name": "a"}]"#,
        )
        .iter()
        .map(|rule| rule.judge(&summary).passed)
        .collect();
        assert_eq!(verdicts, [true, true, false]);
    }

    #[test]
    fn a_gate_to_search_by_is_one_rule_or_several_that_can_be_evaluated() {
        let read = |json: &str| {
            let value = Value::parse(json).expect("JSON");
            let rules = Rule::read_gate(&Reader::at(&value, "/gate"));
            rules.map(|rules| rules.len()).map_err(|invalid| invalid.to_string())
        };
        assert_eq!(read(r#"{"type": "latency_p95", "value": 5}"#), Ok(1));
        let two = r#"[{"type": "latency_mean", "value": 5, "name": "a"}, {"type": "requests", "value": 1, "op": "gte"}]"#;
        assert_eq!(read(two), Ok(2));
        for (json, refusal) in [
            ("[]", "/gate: expected at least one gate, got []"),
            ("5", "/gate: expected a list, got 5"),
            (r#"{"type": "failure_rate"}"#, "/gate: rule missing 'value'"),
            (r#"[{"value": 1}]"#, "/gate/0: missing \"type\""),
            (r#"[{"type": "latency_mean", "value": 1}]"#, "/gate/0: latency_mean needs a \"name\""),
        ] {
            assert_eq!(read(json), Err(refusal.to_owned()), "{json}");
        }
        let refusal = read(r#"{"type": "p95", "value": 1}"#).expect_err("unknown");
        assert!(
            refusal.starts_with("/gate/type: ") && refusal.contains("latency_p95"),
            "{refusal}"
        );
    }
}
