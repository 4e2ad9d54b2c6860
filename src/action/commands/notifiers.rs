//! Messages about a run: `LD_post_slack_summary`, `LD_post_teams_summary`, `LD_post_pagerduty_event`,
//! `LD_post_opsgenie_alert`, `LD_post_gitlab_mr_summary`. They go only where load tests may go, within a
//! timeout. Their URLs and keys are secrets: no failure and no log line has more than the host.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::metrics::{Endpoint, post};
use crate::value::{Charset, Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_post_slack_summary",
        "Posts the figures of a run to Slack.",
        &[WEBHOOK, SUMMARY, title(RUN), TIMEOUT],
        |given| webhook(given, "Slack", slack),
    )
    .returns("The status of the response.")
    .example(
        r#"["LD_post_slack_summary", {"webhook_url": "https://hooks.slack.example/services/X"}]"#,
    ),
    Declaration::named(
        "LD_post_teams_summary",
        "Posts the figures of a run to Microsoft Teams.",
        &[WEBHOOK, SUMMARY, title(RUN), TIMEOUT],
        |given| webhook(given, "Teams", teams),
    )
    .returns("The status of the response.")
    .example(r#"["LD_post_teams_summary", {"webhook_url": "https://x.webhook.example/X"}]"#),
    Declaration::named(
        "LD_post_pagerduty_event",
        "Triggers an event in PagerDuty with the figures of a run.",
        &[
            Field::required("routing_key", Kind::Text, "The key of the integration."),
            SUMMARY,
            title(BREACH),
            Field::optional("severity", Kind::Text, "How severe it is.").or(Literal::Text("error")),
            api("https://events.pagerduty.com/v2/enqueue"),
            TIMEOUT,
        ],
        |given| {
            let key = secret(&given.required("routing_key")?)?;
            let (title, severity) = (text(given, "title")?, text(given, "severity")?);
            let body = Body(Box::new(move |figures| pagerduty(&key, figures, &title, &severity)));
            Ok(Box::new(Message::new(given, "PagerDuty", "api_url", Vec::new(), body)?))
        },
    )
    .returns("The status of the response.")
    .example(r#"["LD_post_pagerduty_event", {"routing_key": "KEY", "severity": "critical"}]"#),
    Declaration::named(
        "LD_post_opsgenie_alert",
        "Creates an alert in Opsgenie with the figures of a run.",
        &[
            Field::required("api_key", Kind::Text, "The key of the integration."),
            SUMMARY,
            Field::optional("message", Kind::Text, "The alert's title.").or(Literal::Text(BREACH)),
            Field::optional("priority", Kind::Text, "Its priority.").or(Literal::Text("P3")),
            api("https://api.opsgenie.com/v2/alerts"),
            TIMEOUT,
        ],
        |given| {
            let key = secret(&given.required("api_key")?)?;
            let headers = vec![("authorization", Zeroizing::new(format!("GenieKey {}", *key)))];
            let (message, priority) = (text(given, "message")?, text(given, "priority")?);
            let body = Body(Box::new(move |figures| opsgenie(figures, &message, &priority)));
            Ok(Box::new(Message::new(given, "Opsgenie", "api_url", headers, body)?))
        },
    )
    .returns("The status of the response.")
    .example(r#"["LD_post_opsgenie_alert", {"api_key": "KEY", "priority": "P2"}]"#),
    Declaration::named(
        "LD_post_gitlab_mr_summary",
        "Adds a note with the figures of a run to a merge request of GitLab.",
        &[
            Field::required("project_id", Kind::Scalar, "The project's number or path."),
            Field::required("merge_request_iid", Kind::Count, "The merge request's number in it."),
            Field::required("token", Kind::Text, "A token that may add notes."),
            SUMMARY,
            Field::optional("base_url", WEB, "The URL of the API.")
                .or(Literal::Text("https://gitlab.com/api/v4")),
            title(RUN),
            TIMEOUT,
        ],
        gitlab,
    )
    .returns("The status of the response.")
    .example(
        r#"["LD_post_gitlab_mr_summary", {"project_id": "shop/checkout", "merge_request_iid": 7,
  "token": "TOKEN"}]"#,
    ),
];

const WEB: Kind = Kind::Matching("^[Hh][Tt][Tt][Pp][Ss]?://");

const WEBHOOK: Field = Field::required("webhook_url", WEB, "The URL of the webhook.");

const SUMMARY: Field =
    Field::optional("summary", Kind::MEMBERS, "The figures, as LD_summary returns them.")
        .otherwise("those of the records");

const TIMEOUT: Field =
    Field::optional("timeout", Kind::Timeout, "Timeout of the request, at most 60.")
        .or(Literal::Float(5.0));

/// The longest timeout, in seconds.
const MAX_SECONDS: f64 = 60.0;

/// The reference's titles.
const RUN: &str = "LoadDensity run";
const BREACH: &str = "LoadDensity SLA breach";

const fn title(default: &'static str) -> Field {
    Field::optional("title", Kind::Text, "The title.").or(Literal::Text(default))
}

const fn api(default: &'static str) -> Field {
    Field::optional("api_url", WEB, "The URL of the API.").or(Literal::Text(default))
}

fn text(given: &Arguments<'_>, name: &str) -> Result<String, Invalid> {
    given.or_default(name, |value| value.string())
}

fn secret(value: &Reader<'_>) -> Result<Zeroizing<String>, Invalid> {
    value.string().map(Zeroizing::new)
}

/// What a message says of a run.
struct Figures {
    requests: Value,
    failures: Value,
    failure_rate: Value,
    p95_ms: Value,
}

impl Figures {
    /// Those of a summary; 0 where it lacks one.
    fn of(summary: &Value) -> Self {
        let figure = |part: &str, name: &str| {
            let found = summary.get(part).and_then(|part| part.get(name));
            found.cloned().unwrap_or(Value::Int(0))
        };
        Self {
            requests: figure("totals", "requests"),
            failures: figure("totals", "failures"),
            failure_rate: figure("totals", "failure_rate"),
            p95_ms: figure("latency_overall", "p95_ms"),
        }
    }

    /// The failure rate in percent.
    fn percent(&self) -> String {
        format!("{:.2}%", self.failure_rate.as_f64().unwrap_or(0.0) * 100.0)
    }

    /// The 95th percentile in whole milliseconds.
    fn p95(&self) -> String {
        format!("{:.0}", self.p95_ms.as_f64().unwrap_or(0.0))
    }
}

/// Makes the body of a message.
struct Body(Box<dyn FnOnce(&Figures) -> Value + Send + Sync>);

/// A message that is to be posted.
struct Message {
    /// Whom it is for.
    to: &'static str,
    url: Endpoint,
    headers: Vec<(&'static str, Zeroizing<String>)>,
    body: Body,
    summary: Option<Value>,
    timeout: Duration,
}

/// Without its secrets.
impl fmt::Debug for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Message")
            .field("to", &self.to)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Message {
    fn new(
        given: &Arguments<'_>,
        to: &'static str,
        url: &str,
        headers: Vec<(&'static str, Zeroizing<String>)>,
        body: Body,
    ) -> Result<Self, Invalid> {
        let url = given.or_default(url, |url| endpoint(url, url.text()?))?;
        Self::at(given, to, url, headers, body)
    }

    fn at(
        given: &Arguments<'_>,
        to: &'static str,
        url: Endpoint,
        headers: Vec<(&'static str, Zeroizing<String>)>,
        body: Body,
    ) -> Result<Self, Invalid> {
        let summary = given.if_present("summary", |summary| match summary.value() {
            Value::Dict(_) => Ok(summary.value().clone()),
            _ => Err(summary.expected("a summary, as returned by LD_summary")),
        })?;
        let timeout = given.or_default("timeout", |timeout| {
            let seconds = timeout.positive()?;
            match seconds <= MAX_SECONDS {
                true => Ok(Duration::from_secs_f64(seconds)),
                false => Err(timeout.expected("at most 60 seconds")),
            }
        })?;
        Ok(Self { to, url, headers, body, summary, timeout })
    }
}

fn endpoint(place: &Reader<'_>, url: &str) -> Result<Endpoint, Invalid> {
    // The URL is not printed: it may hold a secret.
    url.parse().map_err(|error: crate::metrics::InvalidEndpoint| place.invalid(error.to_string()))
}

impl Command for Message {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { to, url, headers, body, summary, timeout } = *self;
        let summary = summary.unwrap_or_else(|| context.records().summary().to_value());
        let body = (body.0)(&Figures::of(&summary)).to_json(Charset::Ascii).into_bytes();
        let mut sent = vec![("content-type", "application/json")];
        sent.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        let origin = url.origin();
        let targets = context.policy().targets.clone();
        let status = post(url, targets, timeout, &sent, body).map_err(|error| {
            let why = reason(&error);
            Failure::new(
                FailureKind::Network,
                format!("nothing was posted to {to} at {origin}: {why}"),
            )
        })?;
        Ok(Value::Int(i64::from(status)))
    }
}

/// Makes a body of figures and a title.
type Titled = fn(&Figures, &str) -> Value;

fn webhook(given: &Arguments<'_>, to: &'static str, make: Titled) -> Parsed {
    let title = text(given, "title")?;
    let body = Body(Box::new(move |figures| make(figures, &title)));
    let url = given.required("webhook_url")?;
    let url = endpoint(&url, url.text()?)?;
    Ok(Box::new(Message::at(given, to, url, Vec::new(), body)?))
}

fn slack(figures: &Figures, title: &str) -> Value {
    let field = |name: &str, value: String| {
        Value::dict([
            ("type", Value::from("mrkdwn")),
            ("text", format!("*{name}*\n{value}").into()),
        ])
    };
    let fields = vec![
        field("Requests", figures.requests.to_text()),
        field("Failures", figures.failures.to_text()),
        field("Failure rate", figures.percent()),
        field("P95 latency", format!("{} ms", figures.p95())),
    ];
    let text = Value::dict([("type", Value::from("plain_text")), ("text", title.into())]);
    let blocks = vec![
        Value::dict([("type", Value::from("header")), ("text", text)]),
        Value::dict([("type", Value::from("section")), ("fields", fields.into())]),
    ];
    Value::dict([("blocks", Value::from(blocks))])
}

fn teams(figures: &Figures, title: &str) -> Value {
    let fact = |name: &str, value: String| {
        Value::dict([("name", Value::from(name)), ("value", value.into())])
    };
    let facts = vec![
        fact("Requests", figures.requests.to_text()),
        fact("Failures", figures.failures.to_text()),
        fact("Failure rate", figures.percent()),
        fact("P95 latency", format!("{} ms", figures.p95())),
    ];
    let section = Value::dict([("facts", facts.into()), ("markdown", Value::Bool(true))]);
    Value::dict([
        ("@type", Value::from("MessageCard")),
        ("@context", "https://schema.org/extensions".into()),
        ("summary", title.into()),
        ("themeColor", "0072C6".into()),
        ("title", title.into()),
        ("sections", vec![section].into()),
    ])
}

fn pagerduty(key: &str, figures: &Figures, title: &str, severity: &str) -> Value {
    let details = Value::dict([
        ("requests", figures.requests.clone()),
        ("failures", figures.failures.clone()),
        ("failure_rate", figures.failure_rate.clone()),
        ("p95_ms", figures.p95_ms.clone()),
    ]);
    let payload = Value::dict([
        ("summary", Value::from(title)),
        ("severity", severity.into()),
        ("source", "loaddensity".into()),
        ("custom_details", details),
    ]);
    Value::dict([
        ("routing_key", Value::from(key)),
        ("event_action", "trigger".into()),
        ("payload", payload),
    ])
}

fn opsgenie(figures: &Figures, message: &str, priority: &str) -> Value {
    let description = format!(
        "requests={}, failures={}, failure_rate={}, p95={}ms",
        figures.requests.to_text(),
        figures.failures.to_text(),
        figures.percent(),
        figures.p95()
    );
    Value::dict([
        ("message", Value::from(message)),
        ("alias", "loaddensity-sla".into()),
        ("description", description.into()),
        ("priority", priority.into()),
        ("source", "loaddensity".into()),
        ("tags", vec!["loaddensity".into(), "load-test".into()].into()),
    ])
}

fn gitlab(given: &Arguments<'_>) -> Parsed {
    let project = given.required("project_id")?.value().to_text();
    let number = given.required("merge_request_iid")?.integer(0)?;
    let headers = vec![("private-token", secret(&given.required("token")?)?)];
    let title = text(given, "title")?;
    let body = Body(Box::new(move |figures: &Figures| {
        let note = format!(
            "### {title}\n\n| metric | value |\n|---|---|\n| requests | {} |\n| failures | {} |\n\
             | failure rate | {} |\n| p95 latency | {} ms |\n",
            figures.requests.to_text(),
            figures.failures.to_text(),
            figures.percent(),
            figures.p95()
        );
        Value::Dict(Map::from_iter([("body".to_owned(), note.into())]))
    }));
    let url = given.or_default("base_url", |base| {
        let api = base.text()?.trim_end_matches('/');
        let project = percent_encoded(&project);
        endpoint(base, &format!("{api}/projects/{project}/merge_requests/{number}/notes"))
    })?;
    Ok(Box::new(Message::at(given, "GitLab", url, headers, body)?))
}

/// A text as one step of a URL's path.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    encoded.collect()
}
