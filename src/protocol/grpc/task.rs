//! A gRPC task. Parsing refuses what the document alone shows to be wrong, linking refuses wrong constants;
//! what depends on the types of the method is checked when they are known, also before the first call.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri, header};
use prost_reflect::{MessageDescriptor, MethodDescriptor};
use tokio::time::{Duration, Instant};

use super::address::{Address, DEFAULT};
use super::call::Reply;
use super::fault::Fault;
use super::fields::CALL;
use super::json::encode_into;
use super::messages::ACCEPTED;
use super::metadata::{self, Metadata, MetadataDraft};
use super::types::{Room, Shape, Source, Wanted};
use crate::load::MAX_TEXT;
use crate::load::scenario::TaskSource;
use crate::load::template::{
    Compiler, Draft, Linker, Scope, Template, Text, not_set, unset_variable,
};
use crate::net::grpc::{CONTENT_TYPE, TIMEOUT};
use crate::protocol::check::Checks;
use crate::protocol::deadline::Timeout;
use crate::protocol::http::{SettingDraft, TLS, proxies};
use crate::protocol::placed::Placed;
use crate::protocol::step::{CommonDraft, Defaults as CommonDefaults, StepDraft, check_url, name};
use crate::protocol::user::Setup;
use crate::value::{Field, Invalid, Object, Reader, Value};

/// The most bytes that a call sends.
const MAX_PAYLOAD: usize = 64 << 20;

/// The program, as targets log it.
const USER_AGENT: &str = concat!("ldctl/", env!("CARGO_PKG_VERSION"));

/// The settings of all tasks of a test.
#[derive(Debug)]
pub(crate) struct Defaults {
    common: CommonDefaults,
    /// The members of `connection`.
    given: Option<Placed<Value>>,
}

impl Defaults {
    /// Parses the host, the proxies and `connection`, whose members each task parses.
    pub(super) fn parse(setup: &Setup<'_>) -> Result<Self, Invalid> {
        let common = CommonDefaults::parse(setup, |field| {
            let text = field.text()?.trim();
            match text.is_empty() {
                true => Err(field.expected("a target, host:port")),
                false => Ok(text.to_owned()),
            }
        })?;
        let given = setup.option("connection").map(|field| {
            let mut fields = given_fields(field)?;
            for key in [CALL, TLS].into_iter().flatten().flat_map(Field::keys) {
                fields.optional(key);
            }
            fields.finish()?;
            Ok::<_, Invalid>(Placed::at(field, field.value().clone()))
        });
        Ok(Self { common, given: given.transpose()? })
    }
}

fn given_fields<'a>(connection: &Reader<'a>) -> Result<Object<'a>, Invalid> {
    Ok(connection.fields(CALL)?.and(TLS))
}

/// A task's own fields, or else those of all tasks.
struct Either<'a> {
    given: Option<Object<'a>>,
}

impl<'a> Either<'a> {
    fn of(&mut self, own: Option<Reader<'a>>, key: &str) -> Option<Reader<'a>> {
        own.or_else(|| self.given.as_mut()?.present(key))
    }
}

/// A parsed task.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    place: String,
    target: Placed<Draft>,
    /// Nothing means that the target's scheme decides.
    tls: Option<bool>,
    authority: Option<Placed<Draft>>,
    name: Option<Draft>,
    wanted: Wanted,
    source: Source,
    rpc: Option<Placed<Shape>>,
    request_type: Option<Placed<String>>,
    payload: Vec<Placed<Draft>>,
    /// Whether the payload is a list.
    is_list: Option<Placed<()>>,
    metadata: MetadataDraft,
}

impl StepDraft for TaskDraft {
    type Defaults = Defaults;
    type Task = Task;

    fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
    ) -> Result<(Self, CommonDraft), Invalid> {
        let target = match (fields.present("target"), fields.present("host")) {
            (Some(field), _) | (None, Some(field)) => {
                let text = field.text()?.trim();
                if text.is_empty() {
                    return Err(field.expected("a target, host:port"));
                }
                Placed::at(&field, text.to_owned())
            }
            (None, None) => Placed {
                value: defaults.common.host.clone().unwrap_or_else(|| DEFAULT.to_owned()),
                place: task.fields.pointer(),
            },
        };
        let given = defaults.given.as_ref();
        let given = given.map(|given| Reader::at(&given.value, &*given.place));
        let mut either = Either { given: given.as_ref().map(given_fields).transpose()? };
        let tls = either.of(fields.present("tls"), "tls");
        let tls = tls.map(|field| field.boolean()).transpose()?;
        let verify = either.of(fields.present("verify"), "verify");
        let cert = fields.present("cert").or(fields.present("client_cert"));
        let cert = either.of(cert, "cert");
        let cert = either.of(cert, "client_cert");
        let tls = match (tls, verify.as_ref().or(cert.as_ref())) {
            (Some(false), Some(field)) => {
                return Err(field.invalid("the task has \"tls\": false"));
            }
            (tls, secured) => tls.or(secured.map(|_| true)),
        };
        let target = Placed { value: compiler.template(&target.value), place: target.place };
        check_url(&target, |text| Address::parse(text, tls).map(drop))?;
        let authority = either.of(fields.present("authority"), "authority").map(|field| {
            let text = field.text()?.trim();
            Ok::<_, Invalid>(Placed::at(&field, compiler.template(text)))
        });
        let authority = authority.transpose()?;
        if let Some(authority) = &authority {
            check_authority(authority)?;
        }
        let (wanted, stub) = Wanted::parse(fields)?;
        let name = name(fields, compiler)
            .or_else(|| stub.map(|stub| Draft::literal(format!("{stub}.{}", wanted.method))));
        let source = Source::parse(fields)?;
        let rpc = fields.if_present("rpc", |field| Ok(Placed::at(field, Shape::parse(field)?)))?;
        let request_type = fields.present("request_path").map(|field| {
            let path = field.text()?;
            let own = path.rsplit('.').next().unwrap_or(path);
            Ok::<_, Invalid>(Placed::at(&field, own.to_owned()))
        });
        let request_type = request_type.transpose()?.filter(|name| !name.value.is_empty());
        let field = fields.present("payload");
        let is_list = field
            .as_ref()
            .filter(|field| matches!(field.value(), Value::List(_)))
            .map(|field| Placed::at(field, ()));
        let payload = match field {
            None => vec![Placed { value: Draft::literal("{}"), place: task.fields.pointer() }],
            Some(field) => {
                let messages = if is_list.is_some() { field.list()? } else { vec![field] };
                let messages = messages.iter();
                messages.map(|one| Placed::at(one, compiler.json(one.value()))).collect()
            }
        };
        let metadata = either.of(fields.present("metadata"), "metadata");
        let metadata = metadata::parse(metadata.as_ref(), compiler)?;
        let via = proxies(fields, defaults.common.proxies.as_ref())?;
        let timeout = match (fields.present("timeout"), &mut either.given) {
            (None, Some(given)) => Timeout::parse(given)?,
            _ => Timeout::parse(fields)?,
        };
        let setting = Some(SettingDraft::of(verify, cert, true, via)?);
        let checks = Checks::parse::<Reply>(fields, compiler)?;
        let place = task.fields.pointer();
        Ok((
            Self {
                place,
                target,
                tls,
                authority,
                name,
                wanted,
                source,
                rpc,
                request_type,
                payload,
                is_list,
                metadata,
            },
            CommonDraft { timeout, setting, checks },
        ))
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        let target = self.target.link(linker)?;
        let tls = self.tls;
        check_url(&target, |text| Address::parse(text, tls).map(drop))?;
        let address = target.value.as_literal().and_then(|text| Address::parse(text, tls).ok());
        let authority = self.authority.map(|authority| {
            let authority = authority.link(linker)?;
            check_authority(&authority)?;
            Ok::<_, Invalid>(authority.value)
        });
        let payload = self.payload.into_iter().map(|message| message.link(linker));
        let payload = payload.collect::<Result<Vec<_>, _>>()?;
        Ok(Task {
            place: self.place,
            target: target.value,
            address: address.map(Arc::new),
            tls,
            authority: authority.transpose()?,
            name: self.name.map(|name| name.link(linker)).transpose()?.unwrap_or_default(),
            wanted: self.wanted,
            source: self.source,
            rpc: self.rpc,
            request_type: self.request_type,
            payload: Payload::Varying(payload),
            is_list: self.is_list,
            metadata: metadata::link(self.metadata, linker)?,
            method: None,
            room: None,
            head: None,
            whole: Left::default(),
        })
    }
}

/// Refuses a constant authority that is none.
fn check_authority<H>(authority: &Placed<Text<H>>) -> Result<(), Invalid> {
    let Some(text) = authority.value.as_literal() else { return Ok(()) };
    match http::uri::Authority::try_from(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(match unset_variable(text) {
            Some(name) => authority.refusal(not_set(name)),
            None => authority.refusal("expected the name of a host"),
        }),
    }
}

/// What a task sends.
#[derive(Debug)]
enum Payload {
    /// The same every time; users share it.
    Fixed(Bytes),
    /// With placeholders: the JSON of each message.
    Varying(Vec<Placed<Template>>),
}

/// A method, and the types of its messages.
#[derive(Debug)]
pub(crate) struct Method {
    path: PathAndQuery,
    pub(super) shape: Shape,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
}

/// A task, ready to run once its method is known.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) place: String,
    target: Template,
    /// The target, if it is constant.
    pub(super) address: Option<Arc<Address>>,
    tls: Option<bool>,
    authority: Option<Template>,
    pub(super) name: Template,
    pub(super) wanted: Wanted,
    pub(super) source: Source,
    rpc: Option<Placed<Shape>>,
    request_type: Option<Placed<String>>,
    payload: Payload,
    is_list: Option<Placed<()>>,
    metadata: Metadata,
    pub(super) method: Option<Method>,
    /// What the types of all tasks take; kept by the first of them.
    pub(super) room: Option<Room>,
    /// The head of its calls, if it is constant; with the whole timeout.
    head: Option<http::Request<()>>,
    /// What a call says of its timeout if it begins at once.
    whole: Left,
}

impl Task {
    /// The target as documents write it.
    pub(super) fn target(&self) -> &Template {
        &self.target
    }

    /// The target of an execution.
    pub(super) fn address(&self, scope: &mut Scope) -> Result<Arc<Address>, String> {
        match &self.address {
            Some(address) => Ok(Arc::clone(address)),
            None => Address::parse(&self.target.text(scope), self.tls).map(Arc::new),
        }
    }

    /// Completes the task with its method; refuses what contradicts it.
    pub(super) fn complete(
        &mut self,
        method: &MethodDescriptor,
        timeout: &Timeout,
    ) -> Result<(), Invalid> {
        let full = format!("{}/{}", method.parent_service().full_name(), method.name());
        let (shape, input) = (Shape::of(method), method.input());
        if let Some(rpc) = &self.rpc
            && rpc.value != shape
        {
            let (name, given) = (shape.name(), rpc.value.name());
            return Err(rpc.refusal(format!("{full} is a method of kind {name}, not {given}")));
        }
        if let Some(wanted) = &self.request_type
            && wanted.value != input.name()
        {
            let name = input.full_name();
            return Err(wanted.refusal(format!("the request of {full} is a {name}")));
        }
        if let Some(list) = &self.is_list
            && !shape.sends
        {
            return Err(list.refusal(format!("{full} takes one message, not a list of them")));
        }
        if let Payload::Varying(texts) = &self.payload
            && texts.iter().all(|text| text.value.as_literal().is_some())
        {
            let mut out = Vec::new();
            for text in texts {
                let json = text.value.as_literal().unwrap_or_default();
                encode(&input, json, &mut out).map_err(|why| text.refusal(why))?;
            }
            self.payload = Payload::Fixed(out.into());
        }
        if self.name.is_empty() {
            self.name = Template::literal(full.clone());
        }
        let path = PathAndQuery::try_from(format!("/{full}"));
        let path = path.map_err(|_| self.refusal(format!("{full} is no path")))?;
        self.method = Some(Method { path, shape, input, output: method.output() });
        let authority = self.authority.as_ref().is_none_or(Template::is_constant);
        if let (Some(address), true) =
            (self.address.clone(), authority && metadata::is_constant(&self.metadata))
        {
            let mut scope = Scope::new(&Arc::default(), 0);
            let head = self.build(&address, None, &mut scope);
            let mut head = head.map_err(|fault| self.refusal(fault.to_string()))?;
            // Of a call that begins a moment after its step.
            self.whole = Left::of(timeout.duration.saturating_sub(Duration::from_micros(1)));
            self.whole.put_into(&mut head);
            self.head = Some(head);
        }
        Ok(())
    }

    /// A refusal of the task.
    pub(super) fn refusal(&self, message: impl Into<String>) -> Invalid {
        Invalid { pointer: self.place.clone(), message: message.into() }
    }

    /// The head of a call that has to end in time.
    pub(super) fn head(
        &self,
        address: &Address,
        deadline: Instant,
        scope: &mut Scope,
    ) -> Result<http::Request<()>, Fault> {
        let left = Left::of(deadline.saturating_duration_since(Instant::now()));
        let mut head = match &self.head {
            Some(head) if self.whole == left => return Ok(head.clone()),
            Some(head) => head.clone(),
            None => self.build(address, None, scope)?,
        };
        left.put_into(&mut head);
        Ok(head)
    }

    /// A copy of a head that [`Self::head`] would not make again: its placeholders are filled in once.
    pub(super) fn spare(&self, head: &http::Request<()>) -> Option<http::Request<()>> {
        self.head.is_none().then(|| head.clone())
    }

    /// The head of a call of another path of the target; only constant metadata is sent with it.
    pub(super) fn head_of(
        &self,
        path: &str,
        address: &Address,
    ) -> Result<http::Request<()>, Fault> {
        let path = PathAndQuery::try_from(path).map_err(|why| Fault::Task(why.to_string()))?;
        let mut scope = Scope::new(&Arc::default(), 0);
        self.build(address, Some(path), &mut scope)
    }

    fn build(
        &self,
        address: &Address,
        other: Option<PathAndQuery>,
        scope: &mut Scope,
    ) -> Result<http::Request<()>, Fault> {
        let own = other.is_none();
        let path = other.or_else(|| self.method.as_ref().map(|method| method.path.clone()));
        let authority = match &self.authority {
            Some(authority) if own || authority.is_constant() => authority.filled(scope),
            _ => Cow::from(&*address.authority),
        };
        let uri = Uri::builder()
            .scheme(if address.origin.tls { "https" } else { "http" })
            .authority(&*authority)
            .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
            .build()
            .map_err(|_| Fault::Task("the authority is no name of a host".to_owned()))?;
        let mut headers = HeaderMap::with_capacity(6 + self.metadata.len());
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert("grpc-accept-encoding", HeaderValue::from_static(ACCEPTED));
        if own || metadata::is_constant(&self.metadata) {
            metadata::fill(&self.metadata, scope, &mut headers).map_err(Fault::Task)?;
        }
        if !headers.contains_key(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        }
        let mut head = http::Request::new(());
        *head.method_mut() = http::Method::POST;
        *head.uri_mut() = uri;
        *head.version_mut() = http::Version::HTTP_2;
        *head.headers_mut() = headers;
        Ok(head)
    }

    /// Whether it sends the same bytes every time.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self.payload, Payload::Fixed(_))
    }

    /// The messages of this execution, each behind its prefix.
    pub(super) fn body(&self, scope: &mut Scope) -> Result<Bytes, Fault> {
        let texts = match &self.payload {
            Payload::Fixed(bytes) => return Ok(bytes.clone()),
            Payload::Varying(texts) => texts,
        };
        let Some(method) = &self.method else { return Ok(Bytes::new()) };
        let (mut json, mut out) = (Vec::new(), Vec::new());
        for text in texts {
            json.clear();
            text.value.fill(scope, &mut json);
            if scope.is_too_long() {
                return Err(Fault::Task(format!("its message exceeds {} MiB", MAX_TEXT >> 20)));
            }
            encode(&method.input, &String::from_utf8_lossy(&json), &mut out)
                .map_err(Fault::Task)?;
        }
        Ok(out.into())
    }
}

/// Appends the message that a JSON text stands for.
fn encode(kind: &MessageDescriptor, json: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let value = Value::parse(json).map_err(|why| format!("the payload is not JSON: {why}"))?;
    encode_into(kind, &value, out)?;
    match out.len() <= MAX_PAYLOAD {
        true => Ok(()),
        false => Err(format!("its messages exceed the limit of {} MiB", MAX_PAYLOAD >> 20)),
    }
}

/// The rest of a timeout as gRPC writes it: at most eight digits and a unit, rounded up, so that this side is
/// the first to give up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Left {
    count: u64,
    unit: char,
}

impl Left {
    /// From a tenth of a second on it is rounded to milliseconds: the calls of a task say the same then, which
    /// both sides keep (HPACK) instead of writing it anew each time.
    fn of(left: Duration) -> Self {
        const MOST: u64 = 99_999_999;
        const FINE: u64 = 100_000;
        let micros = u64::try_from(left.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        let units = [(1, 'u'), (1_000, 'm'), (1_000_000, 'S'), (60_000_000, 'M')];
        let coarse = usize::from(micros > FINE);
        let mut counts =
            units.into_iter().skip(coarse).map(|(in_one, unit)| (micros.div_ceil(in_one), unit));
        let (count, unit) = counts.find(|(count, _)| *count <= MOST).unwrap_or((MOST, 'H'));
        Self { count, unit }
    }

    fn put_into(self, head: &mut http::Request<()>) {
        if let Ok(value) = HeaderValue::try_from(format!("{}{}", self.count, self.unit)) {
            head.headers_mut().insert(TIMEOUT.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits_and_is_never_shorter() {
        for (left, text) in [
            (Duration::ZERO, "1u"),
            (Duration::from_micros(99_999), "100000u"),
            (Duration::from_millis(100), "101m"),
            (Duration::from_micros(299_999), "300m"),
            (Duration::from_secs(99), "99001m"),
            (Duration::from_secs(99_999), "99999001m"),
            (Duration::from_secs(1_000_000), "1000001S"),
            (Duration::from_secs(10_000_000_000), "99999999H"),
        ] {
            let Left { count, unit } = Left::of(left);
            assert_eq!(format!("{count}{unit}"), text, "{left:?}");
        }
    }
}
