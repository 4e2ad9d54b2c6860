//! What teams keep beside their tests: an audit log (`LD_append_audit_entry`, `LD_read_audit_log`), a
//! catalog of documents (`LD_index_catalog`, `LD_search_catalog`), and links that expire
//! (`LD_issue_share_link`, `LD_verify_share_link`).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::memory::Full;
use crate::value::{Charset, Field, Invalid, Kind, Literal, Map, Reader, Value, json_weight};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_append_audit_entry",
        "Adds an entry to an audit log, a file with one JSON object per line.",
        &[
            LOG,
            Field::required("action", Kind::Any, "What was done."),
            Field::optional("user", Kind::Any, "Who did it.")
                .otherwise("the variable LD_AUDIT_USER if documents may read it, else anonymous"),
            Field::optional("details", Kind::Any, "Further data.").or(Literal::Object),
        ],
        |given| {
            let value = |name| given.present(name).map(|reader| reader.value().clone());
            Ok(Box::new(Append {
                path: given.required("log_path")?.string()?,
                action: given.required("action")?.value().clone(),
                user: value("user").filter(Value::is_truthy),
                details: value("details").filter(Value::is_truthy),
            }))
        },
    )
    .text("Secrets in it are hidden.")
    .returns("`null`.")
    .example(
        r#"["LD_append_audit_entry", {"log_path": "audit.jsonl", "action": "run",
  "user": "ci", "details": {"ticket": "LOAD-7"}}]"#,
    ),
    Declaration::named(
        "LD_read_audit_log",
        "Returns the entries of an audit log.",
        &[LOG],
        |given| Ok(Box::new(ReadLog(given.required("log_path")?.string()?))),
    )
    .text("Lines that are not JSON are skipped. A log that does not exist has no entries.")
    .returns("A list of objects: `timestamp`, `user`, `action`, `details`.")
    .example(r#"["LD_read_audit_log", {"log_path": "audit.jsonl"}]"#),
    Declaration::named(
        "LD_index_catalog",
        "Returns the documents below some directories with what their `metadata` says.",
        &[Field::required(
            "directories",
            Kind::List(&Kind::Path),
            "Directories in the data directory; `.` is the data directory itself.",
        )],
        |given| Ok(Box::new(Index(texts(&given.required("directories")?)?))),
    )
    .text(
        "Documents are files that end with `.json`. `metadata` is an object beside `load_density`, with \
         `name`, `owner`, `tags` and `description`.",
    )
    .returns("A list of objects: `path`, `name`, `owner`, `tags`, `description`.")
    .example(r#"["LD_index_catalog", {"directories": ["tests"]}]"#),
    Declaration::named(
        "LD_search_catalog",
        "Returns those entries of a catalog that have a tag, an owner, and a text.",
        &[
            Field::required(
                "entries",
                Kind::List(&Kind::Open(&[ENTRY])),
                "The entries, as LD_index_catalog returns them.",
            ),
            Field::optional("tag", Kind::Text, "A tag that they have."),
            Field::optional("owner", Kind::Text, "Their owner."),
            Field::optional("text", Kind::Text, "A text in their name or description."),
        ],
        |given| {
            let text = |name| given.if_present(name, |text| text.string());
            Ok(Box::new(Search {
                entries: entries(&given.required("entries")?)?,
                tag: text("tag")?.unwrap_or_default(),
                owner: text("owner")?.unwrap_or_default(),
                text: text("text")?.unwrap_or_default().to_lowercase(),
            }))
        },
    )
    .returns("A list of entries.")
    .example(
        r#"["LD_search_catalog", {"tag": "smoke",
  "entries": [{"path": "tests/a.json", "name": "A", "owner": "", "tags": ["smoke"],
    "description": ""}]}]"#,
    ),
    Declaration::named(
        "LD_issue_share_link",
        "Returns a link to a report that expires, signed with a secret.",
        &[
            Field::required("base_url", Kind::Text, "The URL of the page that checks the link."),
            Field::required("report_path", Kind::Text, "What the link is for."),
            SECRET,
            Field::optional("expires_in_seconds", Kind::Real, "How long it is valid, at least 60.")
                .unit("seconds")
                .or(Literal::Int(86_400)),
            Field::optional("extra_claims", Kind::MEMBERS, "Further members of the token."),
        ],
        |given| {
            let extra = given.if_present("extra_claims", |claims| match claims.value() {
                Value::Dict(members) => Ok(members.clone()),
                _ => Err(claims.expected("an object")),
            })?;
            Ok(Box::new(Issue {
                base_url: given.required("base_url")?.string()?,
                report: given.required("report_path")?.string()?,
                secret: secret(&given.required("secret")?)?,
                seconds: given.or_default("expires_in_seconds", |seconds| {
                    let number = seconds.value().as_f64().filter(|number| number.is_finite());
                    number.ok_or_else(|| seconds.expected("a number"))
                })?,
                extra: extra.unwrap_or_default(),
            }))
        },
    )
    .text("The token is the base64 of its claims as JSON, a dot, and their HMAC-SHA256.")
    .returns("The link.")
    .example(
        r#"["LD_issue_share_link", {"base_url": "https://reports.example/view",
  "report_path": "checkout.html", "secret": "SECRET"}]"#,
    ),
    Declaration::named(
        "LD_verify_share_link",
        "Checks the token of a link, and returns what it says.",
        &[Field::required("token", Kind::Text, "The token."), SECRET],
        |given| {
            Ok(Box::new(Verify {
                token: given.required("token")?.string()?,
                secret: secret(&given.required("secret")?)?,
            }))
        },
    )
    .text("It fails if the token is malformed, expired, or signed with another secret.")
    .returns("An object: `p`, what the link is for, `exp`, when it expires, `n`, and extra claims.")
    .example(r#"["LD_verify_share_link", {"token": "eyJ9.c2ln", "secret": "SECRET"}]"#),
];

const LOG: Field = Field::required("log_path", Kind::Path, "The log, in the data directory.")
    .example("\"audit.jsonl\"");

const SECRET: Field = Field::required("secret", Kind::Text, "The secret that signs it.");

const ENTRY: &[Field] = &[
    Field::optional("name", Kind::Any, "Its name."),
    Field::optional("owner", Kind::Any, "Its owner."),
    Field::optional("tags", Kind::Any, "Its tags."),
    Field::optional("description", Kind::Any, "Its description."),
];

/// Where the user of an entry comes from that names none.
const USER_VARIABLE: &str = "LD_AUDIT_USER";

/// What documents a log has at its beginning, so that another file is not taken for one.
const SIGN: &str = "{\"timestamp\"";

/// The most documents of a catalog; what they say of themselves is small.
const MAX_DOCUMENTS: usize = 10_000;

/// A link is valid for at least this time, in seconds.
const LEAST_SECONDS: f64 = 60.0;

fn texts(list: &Reader<'_>) -> Result<Vec<String>, Invalid> {
    list.list()?.iter().map(Reader::string).collect()
}

fn secret(text: &Reader<'_>) -> Result<Zeroizing<String>, Invalid> {
    text.string().map(Zeroizing::new)
}

fn full(full: &Full) -> Failure {
    Failure::new(FailureKind::Refused, full.to_string())
}

#[derive(Debug)]
struct Append {
    path: String,
    action: Value,
    user: Option<Value>,
    details: Option<Value>,
}

impl Command for Append {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, action, user, details } = *self;
        let variable =
            || context.policy().env(USER_VARIABLE).map_or("anonymous".into(), Value::from);
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let entry = Value::dict([
            ("timestamp", Value::from(now)),
            ("user", user.unwrap_or_else(variable)),
            ("action", action),
            ("details", details.unwrap_or_else(|| Value::Dict(Map::new()))),
        ]);
        context.files().may_replace(&path, &[SIGN])?;
        context.files().append_line(&path, &entry.redacted().to_json(Charset::Unicode))?;
        Ok(Value::Null)
    }
}

#[derive(Debug)]
struct ReadLog(String);

impl Command for ReadLog {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self(path) = *self;
        if context.files().is_missing(&path)? {
            return Ok(Vec::new().into());
        }
        let content = context.read(&path)?;
        let text = String::from_utf8_lossy(&content);
        let mut share = context.memory().share("entries of a log");
        let mut entries = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if context.cancel().is_cancelled() {
                let why = format!("{path:?} was not read: the document was cancelled");
                return Err(Failure::new(FailureKind::Cancelled, why));
            }
            share.grow(json_weight(line)).map_err(|why| full(&why))?;
            entries.extend(Value::parse(line));
        }
        context.hold(share);
        Ok(entries.into())
    }
}

#[derive(Debug)]
struct Index(Vec<String>);

impl Command for Index {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let mut share = context.memory().share("a catalog");
        let mut entries = Vec::new();
        for directory in &self.0 {
            let room = MAX_DOCUMENTS - entries.len();
            let Some((found, more)) = context.files().below(directory, ".json", room)? else {
                context.warn(vec![format!("{directory:?} does not exist")]);
                continue;
            };
            if more {
                let message = format!("{directory:?} has more files than a catalog takes");
                context.warn(vec![message]);
            }
            for file in found {
                if context.cancel().is_cancelled() {
                    let why = format!("{directory:?} was not read: the document was cancelled");
                    return Err(Failure::new(FailureKind::Cancelled, why));
                }
                let path = format!("{}/{file}", directory.trim_end_matches('/'));
                if let Some(entry) = entry(context, &path)? {
                    share.grow(entry.weight()).map_err(|why| full(&why))?;
                    entries.push(entry);
                }
            }
        }
        context.hold(share);
        Ok(entries.into())
    }
}

/// The entry of a document; `None` for a file that cannot be read or is not JSON, as in the reference.
fn entry(context: &Context<'_>, path: &str) -> Result<Option<Value>, Failure> {
    let content = match context.read(path) {
        Err(failure) if failure.kind == FailureKind::Refused => return Err(failure),
        content => content.ok(),
    };
    let Some(content) = content else { return Ok(None) };
    let Ok(text) = std::str::from_utf8(&content) else { return Ok(None) };
    let mut share = context.memory().share("values of a JSON file");
    share.grow(json_weight(text)).map_err(|why| full(&why))?;
    let Ok(document) = Value::parse(text) else { return Ok(None) };
    let metadata = document.get("metadata").filter(|metadata| matches!(metadata, Value::Dict(_)));
    let member = |name: &str| {
        let value = metadata.and_then(|metadata| metadata.get(name));
        value.filter(|value| value.is_truthy()).map(Value::redacted)
    };
    let tags = match member("tags") {
        Some(Value::Str(tag)) => vec![tag.into()],
        Some(Value::List(tags)) => tags.iter().map(|tag| tag.to_text().into()).collect(),
        _ => Vec::new(),
    };
    let base = path.rsplit('/').next().unwrap_or(path);
    Ok(Some(Value::dict([
        ("path", Value::from(path)),
        ("name", member("name").unwrap_or_else(|| base.into())),
        ("owner", member("owner").unwrap_or_else(|| "".into())),
        ("tags", tags.into()),
        ("description", member("description").unwrap_or_else(|| "".into())),
    ])))
}

#[derive(Debug)]
struct Search {
    entries: Vec<Value>,
    tag: String,
    owner: String,
    text: String,
}

fn entries(list: &Reader<'_>) -> Result<Vec<Value>, Invalid> {
    let entries = list.list()?;
    entries.iter().map(|entry| entry.fields(ENTRY).map(|_| entry.value().clone())).collect()
}

impl Search {
    fn fits(&self, entry: &Value) -> bool {
        let is_tagged = || match entry.get("tags") {
            Some(Value::Str(tags)) => tags.contains(&self.tag),
            Some(Value::List(tags)) => tags.iter().any(|tag| tag.as_str() == Some(&self.tag)),
            _ => false,
        };
        let is_owned = || entry.get("owner").and_then(Value::as_str) == Some(&self.owner);
        let says = |name: &str| {
            let text = entry.get(name).and_then(Value::as_str);
            text.is_some_and(|text| text.to_lowercase().contains(&self.text))
        };
        (self.tag.is_empty() || is_tagged())
            && (self.owner.is_empty() || is_owned())
            && (self.text.is_empty() || says("name") || says("description"))
    }
}

impl Command for Search {
    fn run(mut self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        let entries = std::mem::take(&mut self.entries);
        Ok(Value::List(entries.into_iter().filter(|entry| self.fits(entry)).collect()))
    }
}

/// Seconds since the Unix epoch.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs() as f64)
}

/// The signature of a token's claims.
fn signature(secret: &str, claims: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, claims.as_bytes()))
}

/// An object, and those in it, in the order of their keys.
fn in_order(value: Value) -> Value {
    match value {
        Value::Dict(mut members) => {
            members.sort_unstable_keys();
            Value::Dict(members.into_iter().map(|(key, value)| (key, in_order(value))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(in_order).collect()),
        other => other,
    }
}

struct Issue {
    base_url: String,
    report: String,
    secret: Zeroizing<String>,
    seconds: f64,
    extra: Map,
}

/// Without its secret.
impl std::fmt::Debug for Issue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Issue").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Command for Issue {
    fn run(self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { base_url, report, secret, seconds, extra: mut claims } = *self;
        let mut random = [0; 8];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| Failure::new(FailureKind::Internal, "the system gives no random bytes"))?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let expires = now() + seconds.trunc().max(LEAST_SECONDS);
        claims.insert("p".to_owned(), report.into());
        claims.insert("exp".to_owned(), (expires as i64).into());
        claims.insert("n".to_owned(), random.into());
        let claims = in_order(Value::Dict(claims)).to_json(Charset::Ascii);
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let signature = signature(&secret, &claims);
        Ok(format!("{}?token={claims}.{signature}", base_url.trim_end_matches('/')).into())
    }
}

struct Verify {
    token: String,
    secret: Zeroizing<String>,
}

/// Without its secret.
impl std::fmt::Debug for Verify {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Verify")
    }
}

impl Command for Verify {
    fn run(self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        let refused = |why: &str| Failure::new(FailureKind::InvalidValue, why);
        let malformed = || refused("malformed token");
        let (claims, signed) = self.token.split_once('.').ok_or_else(malformed)?;
        let expected = signature(&self.secret, claims);
        if !bool::from(expected.as_bytes().ct_eq(signed.as_bytes())) {
            return Err(refused("bad signature"));
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| malformed())?;
        let claims = String::from_utf8(claims).map_err(|_| malformed())?;
        let claims = Value::parse(&claims).map_err(|_| malformed())?;
        if !matches!(claims, Value::Dict(_)) {
            return Err(malformed());
        }
        let expires = claims.get("exp").and_then(Value::as_f64).unwrap_or(0.0);
        if expires.trunc() < now() { Err(refused("expired token")) } else { Ok(claims) }
    }
}
