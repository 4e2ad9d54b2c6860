//! Runs against each other: `LD_trend_runs`, `LD_calibrate_sla`, `LD_canary_verdict`; and what failed:
//! `LD_cluster_errors`, `LD_emit_github_annotations`.

use super::database::{DATABASE, read, whole};
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::record::clusters::{Clusters, Failed};
use crate::record::gates::{RULES, Rule};
use crate::record::trend;
use crate::report::github;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_trend_runs",
        "Returns the figures of the newest runs of an SQLite file, the oldest of them first.",
        &[
            DATABASE,
            Field::optional("limit", Kind::Integer, "The maximum number of runs.")
                .note("A negative number for all.")
                .or(Literal::Int(10)),
            NAME_FILTER,
        ],
        |given| {
            Ok(Box::new(Trend {
                path: given.required("database_path")?.string()?,
                limit: given.or_default("limit", whole)?,
                filter: given.if_present("name_filter", |name| name.string())?.unwrap_or_default(),
            }))
        },
    )
    .text("Percentiles are the requests at the nearest rank, over successes and failures.")
    .returns(
        "An object: `per_run` with the figures of each run, and `per_name` with those of each \
         name.",
    )
    .example(r#"["LD_trend_runs", {"database_path": "runs.db", "limit": 5}]"#),
    Declaration::named(
        "LD_calibrate_sla",
        "Returns gates for all requests, made of the newest runs of an SQLite file with some headroom.",
        &[
            DATABASE,
            Field::optional("runs_to_use", Kind::Integer, "The maximum number of runs.")
                .or(Literal::Int(10)),
            TOLERANCE_PCT,
            NAME_FILTER,
        ],
        |given| {
            Ok(Box::new(Calibrate {
                runs: Trend {
                    path: given.required("database_path")?.string()?,
                    limit: given.or_default("runs_to_use", whole)?,
                    filter: given.if_present("name_filter", |name| name.string())?.unwrap_or_default(),
                },
                tolerance_pct: given.or_default("tolerance_pct", real)?,
            }))
        },
    )
    .text(
        "The gates are `latency_p95` and `failure_rate` above the worst run, and at least half of \
         the median number of requests. A failure rate of 1 % is always allowed. The 95th percentile is \
         that of the nearest rank, where LD_assert_sla interpolates: with fewer than some hundred \
         requests a run may break the gate that was made of it.",
    )
    .returns("A list of rules for LD_assert_sla; empty without runs.")
    .example(r#"["LD_calibrate_sla", {"database_path": "runs.db", "tolerance_pct": 20}]"#),
    Declaration::named(
        "LD_canary_verdict",
        "Compares the summary of a candidate with that of a baseline, and checks it against gates.",
        &[
            Field::required("baseline_summary", Kind::MEMBERS, "The summary to compare with.")
                .note("As LD_summary returns it."),
            Field::required("candidate_summary", Kind::MEMBERS, "The summary that is judged."),
            Field::required("sla_rules", RULES, "Gates that the candidate must pass."),
            TOLERANCE_PCT,
        ],
        |given| {
            Ok(Box::new(Canary {
                baseline: figures(&given.required("baseline_summary")?)?,
                candidate: figures(&given.required("candidate_summary")?)?,
                summary: given.required("candidate_summary")?.value().clone(),
                rules: Rule::read_list(&given.required("sla_rules")?)?,
                tolerance_pct: given.or_default("tolerance_pct", real)?,
            }))
        },
    )
    .text(
        "The verdict is `rollback` if a gate fails, if a latency has grown beyond the tolerance, or if \
         the failure rate has, also from 0.",
    )
    .returns(
        "An object: `verdict` (`promote` or `rollback`), `reasons`, `sla_findings` and `diff`, one \
         entry per figure.",
    )
    .example(
        r#"["LD_canary_verdict", {
  "baseline_summary": {"totals": {"requests": 900, "failure_rate": 0.01},
    "latency_overall": {"p50_ms": 20, "p95_ms": 80, "p99_ms": 120}},
  "candidate_summary": {"totals": {"requests": 910, "failure_rate": 0.01},
    "latency_overall": {"p50_ms": 21, "p95_ms": 82, "p99_ms": 125}},
  "sla_rules": [{"type": "latency_p95", "value": 100}]}]"#,
    ),
    Declaration::named(
        "LD_cluster_errors",
        "Returns the errors of failed requests, those together that differ only in numbers, \
         identifiers and quoted texts.",
        &[Field::optional(
            "records",
            Kind::List(&Kind::Open(&[RECORD])),
            "Failed requests to take instead of the recorded ones.",
        )],
        |given| Ok(Box::new(Cluster(given.if_present("records", failed_requests)?))),
    )
    .returns("A list of objects, the largest first: `signature`, `count`, `names`, `samples`.")
    .example(r#"["LD_cluster_errors"]"#),
    Declaration::named(
        "LD_emit_github_annotations",
        "Prints a workflow command of GitHub Actions for each failed request.",
        &[
            Field::optional("title", Kind::Text, "The title of the annotations.")
                .or(Literal::Text(github::TITLE)),
            Field::optional("stream", Kind::Any, "Ignored: lines go to the output."),
        ],
        |given| Ok(Box::new(Annotate(given.or_default("title", |title| title.string())?))),
    )
    .text("In JSON output the result holds the lines, too. At most 1000 are printed.")
    .returns("The number of lines; in JSON output an object: `count`, `lines`.")
    .example(r#"["LD_emit_github_annotations", {"title": "Checkout under load"}]"#),
];

const NAME_FILTER: Field =
    Field::optional("name_filter", Kind::Text, "Only requests whose name holds this text.");

const TOLERANCE_PCT: Field =
    Field::optional("tolerance_pct", Kind::Real, "How much worse a figure may be.")
        .unit("percent")
        .or(Literal::Float(10.0));

const RECORD: &[Field] = &[
    Field::optional("error", Kind::Any, "Why it failed."),
    Field::optional("status_code", Kind::Any, "Its status, which is shown where it has no error."),
    Field::optional("name", Kind::Any, "Its name."),
];

fn real(number: &Reader<'_>) -> Result<f64, Invalid> {
    let finite = number.value().as_f64().filter(|number| number.is_finite());
    finite.ok_or_else(|| number.expected("a number"))
}

#[derive(Debug)]
struct Trend {
    path: String,
    limit: i64,
    filter: String,
}

impl Trend {
    /// What is made of the runs; of none where there is no file.
    fn of(
        self,
        context: &mut Context<'_>,
        value: impl FnOnce(&[trend::TrendRun]) -> Value,
    ) -> Result<Value, Failure> {
        let Self { path, limit, filter } = self;
        let found = read(context, &path, move |database| database.trend(limit, &filter))?;
        let runs = found.as_ref().map(|(runs, _)| runs.as_slice());
        Ok(value(runs.unwrap_or_default()))
    }
}

impl Command for Trend {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        self.of(context, trend::to_value)
    }
}

#[derive(Debug)]
struct Calibrate {
    runs: Trend,
    tolerance_pct: f64,
}

impl Command for Calibrate {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { runs, tolerance_pct } = *self;
        runs.of(context, |runs| trend::gates(runs, tolerance_pct))
    }
}

/// A figure that is compared, and its value.
type Compared = (&'static str, f64);

/// The figures of a summary that are compared; 0 where it lacks one.
fn figures(summary: &Reader<'_>) -> Result<[Compared; 4], Invalid> {
    let Value::Dict(_) = summary.value() else {
        return Err(summary.expected("a summary, as returned by LD_summary"));
    };
    let figure = |part: &str, name: &'static str| {
        let number = summary.value().get(part).and_then(|part| part.get(name));
        let number = number.map_or(Some(0.0), Value::as_f64);
        let number = number.filter(|number| number.is_finite());
        let wrong = || summary.invalid(format!("{part}.{name} is not a number"));
        Ok((name, number.ok_or_else(wrong)?))
    };
    Ok([
        figure("totals", FAILURE_RATE)?,
        figure("latency_overall", "p50_ms")?,
        figure("latency_overall", "p95_ms")?,
        figure("latency_overall", "p99_ms")?,
    ])
}

const FAILURE_RATE: &str = "failure_rate";

#[derive(Debug)]
struct Canary {
    baseline: [Compared; 4],
    candidate: [Compared; 4],
    summary: Value,
    rules: Vec<Rule>,
    tolerance_pct: f64,
}

impl Command for Canary {
    fn run(self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { baseline, candidate, summary, rules, tolerance_pct } = *self;
        let results: Vec<_> = rules.iter().map(|rule| rule.judge(&summary)).collect();
        let headroom = 1.0 + tolerance_pct / 100.0;
        let mut reasons: Vec<Value> = Vec::new();
        let mut findings = Vec::new();
        for result in &results {
            let finding = result.to_value();
            if !result.passed {
                let rule = finding.get("rule").map(Value::to_text).unwrap_or_default();
                reasons.push(format!("SLA: {rule}").into());
            }
            findings.push(finding);
        }
        let requests = summary.get("totals").and_then(|totals| totals.get("requests"));
        if requests.and_then(Value::as_f64).is_none_or(|requests| requests <= 0.0) {
            reasons.push("no requests were recorded".into());
        }
        let mut diff = Vec::new();
        for ((metric, before), (_, after)) in baseline.into_iter().zip(candidate) {
            let threshold = before * headroom;
            let is_worse = after > threshold && (before > 0.0 || metric == FAILURE_RATE);
            if is_worse {
                reasons.push(format!("regression: {metric} {before:.2} -> {after:.2}").into());
            }
            diff.push(Value::dict([
                ("metric", Value::from(metric)),
                ("baseline", before.into()),
                ("candidate", after.into()),
                ("threshold", threshold.into()),
                ("status", if is_worse { "regression" } else { "ok" }.into()),
            ]));
        }
        Ok(Value::dict([
            ("verdict", Value::from(if reasons.is_empty() { "promote" } else { "rollback" })),
            ("reasons", reasons.into()),
            ("sla_findings", findings.into()),
            ("diff", diff.into()),
        ]))
    }
}

#[derive(Debug)]
struct Cluster(Option<Vec<Failed>>);

/// Failed requests as they are given.
fn failed_requests(list: &Reader<'_>) -> Result<Vec<Failed>, Invalid> {
    let records = list.list()?;
    records
        .iter()
        .map(|record| {
            let mut members = record.fields(RECORD)?;
            let mut text = |key: &str| {
                let value = members.optional(key).map(|value| value.value());
                value.filter(|value| value.is_truthy()).map(Value::to_text)
            };
            let message = text("error").or_else(|| text("status_code")).unwrap_or_default();
            let name = members.optional("name").map(|name| name.value().to_text());
            Ok(Failed { message, name: name.unwrap_or_default() })
        })
        .collect()
}

impl Command for Cluster {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let clusters = match &self.0 {
            Some(given) => Clusters::of_given(given),
            None => Clusters::of(&context.records()),
        };
        Ok(clusters.to_value())
    }
}

#[derive(Debug)]
struct Annotate(String);

impl Command for Annotate {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let (lines, failures) = github::lines(&context.records(), &self.0);
        lines.iter().for_each(|line| context.print(line));
        let count = lines.len();
        let warning = (failures > count)
            .then(|| format!("{failures} requests failed; the first {count} are annotated"));
        let lines = Value::List(lines.into_iter().map(Value::from).collect());
        let count = Value::from(count as u64);
        let details = Value::dict([("count", count.clone()), ("lines", lines)]);
        context.enrich(details, warning.into_iter().collect());
        Ok(count)
    }
}
