//! Gates over recorded requests: `LD_evaluate_sla`, `LD_assert_sla`.

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::record::gates::{GateResult, RULES, Rule, failed};
use crate::value::{Field, Invalid, Kind, Value};

const PARAMETERS: &[Field] = &[
    Field::required("rules", RULES, "The gates."),
    Field::optional(
        "summary",
        Kind::MEMBERS,
        "The summary to check instead of the records', as returned by LD_summary.",
    ),
];

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_evaluate_sla",
        "Checks the records against gates and returns the result of each gate.",
        PARAMETERS,
        |given| Ok(Box::new(Evaluate(Gates::read(given)?))),
    )
    .text("It does not fail when a gate fails; LD_assert_sla does. See the concept `gates`.")
    .returns("A list with one object per gate: `passed`, `rule`, `actual`, `reason`.")
    .example(
        r#"["LD_evaluate_sla", {"rules": [{"type": "latency_p95", "name": "list items",
  "value": 300}]}]"#,
    ),
    Declaration::named(
        "LD_assert_sla",
        "Checks the records against gates and fails if one of them fails.",
        PARAMETERS,
        |given| Ok(Box::new(Assert(Gates::read(given)?))),
    )
    .text(
        "With it a document fails, and `ldctl run` and `ldctl send` exit with code 1. Latencies \
         are in milliseconds, rates between 0 and 1, and a figure must be at most the value \
         unless `op` says otherwise. See the concept `gates`.",
    )
    .returns(
        "A list with one object per gate, if all passed: `passed`, `rule`, `actual`, `reason`. \
         Otherwise it fails with the reasons.",
    )
    .example(
        r#"["LD_assert_sla", {"rules": [
  {"type": "failure_rate", "value": 0.01},
  {"type": "latency_p95", "name": "list items", "value": 300},
  {"type": "requests", "op": "gte", "value": 1000}
]}]"#,
    ),
];

#[derive(Debug)]
struct Gates {
    rules: Vec<Rule>,
    /// The summary from the document, checked instead of the records'.
    summary: Option<Value>,
}

impl Gates {
    fn read(given: &Arguments<'_>) -> Result<Self, Invalid> {
        let rules = Rule::read_list(&given.required("rules")?)?;
        let summary = given.present("summary").map(|summary| match summary.value() {
            Value::Dict(_) => Ok(summary.value().clone()),
            _ => Err(summary.expected("a summary, as returned by LD_summary")),
        });
        Ok(Self { rules, summary: summary.transpose()? })
    }

    fn judge(&self, context: &mut Context<'_>) -> Vec<GateResult> {
        if self.summary.is_none() && context.has_refused_test() {
            // The reference judges what other tests have left.
            let message = "the test of this document did not run: there is nothing to judge";
            context.fail(Failure::new(FailureKind::Gate, message));
        }
        match &self.summary {
            Some(summary) => self.rules.iter().map(|rule| rule.judge(summary)).collect(),
            None => {
                context.note_gates(&self.rules);
                let summary = context.records().summary();
                self.rules.iter().map(|rule| rule.judge(&summary)).collect()
            }
        }
    }
}

fn value(verdicts: &[GateResult]) -> Value {
    Value::List(verdicts.iter().map(GateResult::to_value).collect())
}

#[derive(Debug)]
struct Evaluate(Gates);

impl Command for Evaluate {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        Ok(value(&self.0.judge(context)))
    }
}

#[derive(Debug)]
struct Assert(Gates);

impl Command for Assert {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let verdicts = self.0.judge(context);
        match failed(&verdicts) {
            Some(reasons) => {
                context.explain(value(&verdicts));
                Err(Failure::new(FailureKind::Gate, reasons))
            }
            None => Ok(value(&verdicts)),
        }
    }
}
