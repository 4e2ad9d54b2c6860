//! A request in both directions: a client writes it, a server reads it from the body of a frame or
//! from legacy text. The reader's order of checks is the reference's, because it is observable and
//! therefore part of the protocol.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::dialect::Dialect;
use super::frame::{HEADER, MAX_LEGACY, MAX_REQUEST, Mode, QUIT, frame_into, stripped};
use super::op::Op;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::token::{Token, Tokens};
use crate::event::ErrorKind;
use crate::value::{Extent, FaultText, Map, Outline, Scanner, Value, piece};

/// A request. `D` is its document: [`RawValue`] when it is written, so that it is sent exactly as
/// its author wrote it, [`Located`] when it arrives, and [`Value`] when it is parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<D> {
    /// The operation.
    pub op: Op,
    /// The document, only with [`Op::Run`]. Without one nothing is run.
    pub document: Option<D>,
    /// The dialect of the reply. Events need frames: in legacy mode it is always text.
    pub dialect: Dialect,
    /// What it says about runs.
    pub parameters: Parameters,
}

/// A request as a server received it.
#[derive(Debug, PartialEq)]
pub struct Incoming<D = Value> {
    /// The request, or why it is refused.
    pub request: Result<Request<D>, Rejection>,
    /// Its length in characters, for the log; the text itself may contain a token.
    pub characters: usize,
}

/// A request that is refused before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub refusal: Refusal,
    /// The dialect of the refusal.
    pub dialect: Dialect,
}

/// A request that no server would accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has {length} bytes, over the limit of {most} of this mode")]
pub struct TooLong {
    /// Its length in bytes.
    pub length: usize,
    /// The mode's limit in bytes.
    pub most: usize,
}

impl<D> Request<D> {
    /// A request to run a document, with an event reply where the server supports it.
    pub fn run(document: D) -> Self {
        Self { document: Some(document), ..Self::new(Op::Run) }
    }

    /// A request without a document, with an event reply where the server supports it.
    pub fn new(op: Op) -> Self {
        Self { op, document: None, dialect: Dialect::Events, parameters: Parameters::default() }
    }

    /// The same with parameters.
    #[must_use]
    pub fn with(self, parameters: Parameters) -> Self {
        Self { parameters, ..self }
    }
}

impl Incoming {
    /// Reads the body of a frame or legacy text, and parses its document.
    pub fn read(bytes: &[u8], mode: Mode, tokens: &Tokens) -> Self {
        let mut reading = Reading::new(bytes, mode);
        let incoming = loop {
            if let Some(incoming) = reading.step(tokens) {
                break incoming;
            }
        };
        let parsed = |request: Request<Located>| {
            let Request { op, document, dialect, parameters } = request;
            let document = document.map(|located| parse(&located.text(bytes))).transpose();
            let document = document.map_err(|refusal| Rejection { refusal, dialect })?;
            Ok(Request { op, document, dialect, parameters })
        };
        Incoming { request: incoming.request.and_then(parsed), characters: incoming.characters }
    }
}

/// Where the document of a request is among its bytes. That of an envelope is known to be JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located(Range<usize>);

impl Located {
    /// All of these bytes, which are not known to be JSON.
    pub fn whole(bytes: &[u8]) -> Self {
        Self(0..bytes.len())
    }

    /// The document's text among the request's bytes.
    pub fn text<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        String::from_utf8_lossy(bytes.get(self.0.clone()).unwrap_or_default())
    }
}

/// Parses the text of a document.
pub fn parse(text: &str) -> Result<Value, Refusal> {
    Value::parse(text).map_err(|error| Refusal::new(ErrorKind::InvalidJson, error.to_string()))
}

/// The bytes that one step of a [`Reading`] looks at: some 30 microseconds of work.
pub const STEP: usize = 16 * 1024;

/// The members of an envelope, and how many of them are not [`Parameters`].
const MEMBERS: [&str; 13] = [
    "token", "command", "op", "reply", "name", "detach", "queue", "verbose", "run", "limit",
    "state", "format", "file",
];
const OWN: usize = 4;

/// Where they are.
type Members = [Option<Range<usize>>; MEMBERS.len()];

/// A request that is being read: what refuses it, or where its document is. The document is not
/// parsed, so a request without the token costs one look at each byte and no memory, and the work
/// is divided into steps, between which others have their turn. All bytes must be there before the
/// token counts: a text that is not JSON is refused as such, and the last of several tokens counts.
#[derive(Debug)]
pub struct Reading<'a> {
    /// Without white space at both ends.
    body: &'a [u8],
    /// Where that begins among the request's bytes.
    start: usize,
    mode: Mode,
    stage: Stage<'a>,
    characters: usize,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum Stage<'a> {
    /// Counts characters; so many bytes are counted.
    Counting(usize),
    Scanning(Scanner<'a, { MEMBERS.len() }>),
    Describing(FaultText<'a>),
}

type Read = Result<Request<Located>, Rejection>;

impl<'a> Reading<'a> {
    /// Begins to read the body of a frame or legacy text.
    pub fn new(bytes: &'a [u8], mode: Mode) -> Self {
        let range = stripped(bytes);
        let start = range.start;
        let body = bytes.get(range).unwrap_or_default();
        Self { body, start, mode, stage: Stage::Counting(0), characters: 0 }
    }

    /// Looks at about [`STEP`] further bytes; returns the request once it is read.
    pub fn step(&mut self, tokens: &Tokens) -> Option<Incoming<Located>> {
        match &mut self.stage {
            Stage::Counting(counted) => {
                let piece = piece(self.body, *counted, STEP);
                self.characters += Extent::of(piece).characters;
                *counted += piece.len();
                if *counted < self.body.len() {
                    return None;
                }
                if self.body == QUIT.as_bytes() {
                    return Some(self.read(match tokens.required() {
                        true => refused(Refusal::token_required()),
                        false => accepted(Op::Quit, None),
                    }));
                }
                self.stage = Stage::Scanning(Scanner::new(self.body, MEMBERS));
                // Most requests are short.
                if self.body.len() <= STEP { self.step(tokens) } else { None }
            }
            Stage::Scanning(scanner) => match scanner.step(STEP)? {
                Ok(outline) => {
                    let request = self.request(outline, tokens);
                    Some(self.read(request))
                }
                Err(fault) => {
                    self.stage = Stage::Describing(FaultText::new(self.body, fault));
                    if self.body.len() <= STEP { self.step(tokens) } else { None }
                }
            },
            Stage::Describing(text) => {
                // The message that the reference's clients know.
                let message = text.step(STEP)?;
                Some(self.read(refused(Refusal::new(ErrorKind::InvalidJson, message))))
            }
        }
    }

    fn read(&self, request: Read) -> Incoming<Located> {
        Incoming { request, characters: self.characters }
    }

    /// The request, if its token is accepted.
    fn request(&self, outline: Outline<{ MEMBERS.len() }>, tokens: &Tokens) -> Read {
        if let Some(members @ ([Some(_), ..] | [_, Some(_), ..])) = outline.members {
            return self.open(members, tokens);
        }
        if tokens.required() {
            return refused(Refusal::token_required());
        }
        accepted(Op::Run, self.document(0..self.body.len()))
    }

    /// Reads an envelope: the token, then `quit`, then the document, then the other operations.
    fn open(&self, members: Members, tokens: &Tokens) -> Read {
        let [token, command, op, reply, ..] = members.clone();
        let text = |range: Option<Range<usize>>, most| {
            range.and_then(|range| string(self.body.get(range)?, most))
        };
        let events = text(reply, MOST_NAME).is_some_and(|reply| *reply == "events");
        let framed = self.mode == Mode::Framed;
        let dialect = if events && framed { Dialect::Events } else { Dialect::Text };
        let supplied = text(token, tokens.longest());
        // A token that is not a string is compared anyway, to take the same time.
        let accepted = tokens.accepts(supplied.as_ref().map_or("", |text| text.as_str()));
        if tokens.required() && !accepted {
            return Err(Rejection { refusal: Refusal::unauthorised(), dialect });
        }
        // An unknown operation is ignored, as the reference ignores every unknown key.
        let named = text(op, MOST_NAME).and_then(|name| Op::from_name(&name));
        let op = named.unwrap_or(Op::Run);
        let document = command.and_then(|range| self.document(range));
        let (op, document) = match (op, document) {
            (Op::Quit, _) => (op, None),
            // The reference runs a document whatever else the envelope requests.
            (_, Some(document)) => (Op::Run, Some(document)),
            (op, None) => (op, None),
        };
        // What only events can describe is always described in events.
        let dialect = match self.mode {
            Mode::Framed if op.needs_events() => Dialect::Events,
            Mode::Legacy if op.needs_events() => {
                let message = format!("{op} needs a framed request");
                let refusal = Refusal::new(ErrorKind::InvalidDocument, message);
                return Err(Rejection { refusal, dialect });
            }
            _ => dialect,
        };
        let parameters = match dialect {
            Dialect::Events => Parameters::take(&mut self.parameters(&members))
                .map_err(|refusal| Rejection { refusal, dialect })?,
            Dialect::Text => Parameters::default(),
        };
        Ok(Request { op, document, dialect, parameters })
    }

    /// The members that are parameters. What is too long for one is refused by its beginning.
    fn parameters(&self, members: &Members) -> Map {
        let named = MEMBERS.into_iter().zip(members).skip(OWN);
        let present = named.filter_map(|(name, range)| {
            let json = self.body.get(range.clone()?)?;
            let begin = String::from_utf8_lossy(json.get(..MOST_PARAMETER).unwrap_or(json));
            let whole = (json.len() <= MOST_PARAMETER).then(|| Value::parse(&begin).ok()).flatten();
            Some((name.to_owned(), whole.unwrap_or_else(|| begin.into_owned().into())))
        });
        present.collect()
    }

    /// A document in the body, unless it is null.
    fn document(&self, range: Range<usize>) -> Option<Located> {
        let is_null = self.body.get(range.clone()) == Some(b"null");
        let range = self.start + range.start..self.start + range.end;
        (!is_null).then_some(Located(range))
    }
}

fn refused(refusal: Refusal) -> Read {
    Err(Rejection { refusal, dialect: Dialect::Text })
}

fn accepted(op: Op, document: Option<Located>) -> Read {
    Ok(Request { document, dialect: Dialect::Text, ..Request::new(op) })
}

/// No parameter is longer, in bytes: a name of 200 characters, each with two escapes of six bytes.
const MOST_PARAMETER: usize = 4096;

/// No name of an operation or dialect is longer, in bytes.
const MOST_NAME: usize = 32;

/// The text of a JSON string of at most `most` bytes; `None` for any other value.
fn string(json: &[u8], most: usize) -> Option<Zeroizing<String>> {
    let inner = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    // The longest escape of a byte, `\u001f`, has six.
    if inner.len() > most.saturating_mul(6) {
        return None;
    }
    let text = if inner.contains(&b'\\') {
        let json = Zeroizing::new(String::from_utf8_lossy(json).into_owned());
        Zeroizing::new(serde_json::from_str(&json).ok()?)
    } else {
        Zeroizing::new(String::from_utf8_lossy(inner).into_owned())
    };
    Some(text).filter(|text| text.len() <= most)
}

/// Whether the beginning of an envelope shows an accepted token: it is the first member, as clients
/// write it. Only for the order in which incomplete requests give way; what is run is decided by the
/// whole request.
pub fn begins_with_token(body: &[u8], tokens: &Tokens) -> bool {
    let blank =
        |bytes: &'_ [u8]| bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let after = |bytes: &'_ [u8], text: &[u8]| -> Option<usize> {
        let start = blank(bytes);
        bytes.get(start..)?.starts_with(text).then_some(start + text.len())
    };
    let found = || {
        let mut rest = body;
        for text in [&b"{"[..], b"\"token\"", b":"] {
            rest = rest.get(after(rest, text)?..)?;
        }
        rest = rest.get(blank(rest)..)?;
        let mut escaped = false;
        let end = rest.iter().skip(1).position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        string(rest.get(..end + 2)?, tokens.longest())
    };
    tokens.required() && found().is_some_and(|token| tokens.accepts(&token))
}

impl Request<&RawValue> {
    /// The bytes to send, including the header. A server ignores unknown keys, so one request works
    /// for both kinds of server.
    pub fn to_bytes(
        self,
        mode: Mode,
        token: Option<&Token>,
    ) -> Result<Zeroizing<Vec<u8>>, TooLong> {
        let body = self.body(mode, token);
        let most = match mode {
            Mode::Legacy => MAX_LEGACY,
            Mode::Framed => MAX_REQUEST,
        };
        if body.len() > most {
            return Err(TooLong { length: body.len(), most });
        }
        Ok(match mode {
            Mode::Legacy => body,
            Mode::Framed => {
                let mut framed = Zeroizing::new(Vec::with_capacity(HEADER + body.len()));
                frame_into(&body, &mut framed);
                framed
            }
        })
    }

    fn body(self, mode: Mode, token: Option<&Token>) -> Zeroizing<Vec<u8>> {
        let document = self.document.map_or("null", RawValue::get);
        if let (Mode::Legacy, None) = (mode, token) {
            match self.op {
                Op::Run => return Zeroizing::new(document.as_bytes().to_vec()),
                Op::Quit => return Zeroizing::new(QUIT.as_bytes().to_vec()),
                _ => {}
            }
        }
        let quoted = token.map(|token| quote(token.expose()));
        // Memory that does not grow leaves no copy of the token behind.
        let room = document.len()
            + quoted.as_ref().map_or(0, |quoted| quoted.len())
            + self.parameters.name.as_ref().map_or(0, |name| 6 * name.len())
            + 256;
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        let mut add = |text: &str| body.extend_from_slice(text.as_bytes());
        add("{");
        match (&quoted, self.op) {
            (Some(quoted), _) => {
                [r#""token":"#, quoted.as_str(), ","].into_iter().for_each(&mut add)
            }
            (None, Op::Run) => {}
            // Without the key `token` or `command` it would not be an envelope.
            (None, _) => add(r#""token":null,"#),
        }
        match self.op {
            Op::Run => [r#""command":"#, document].into_iter().for_each(&mut add),
            // Never `command` together with `op`: a server that does not support the `op` would run
            // it.
            op => [r#""op":""#, op.name(), "\""].into_iter().for_each(&mut add),
        }
        if mode == Mode::Framed && self.dialect == Dialect::Events {
            add(r#","reply":"events""#);
            self.parameters.write(&mut add);
        }
        add("}");
        body
    }
}

/// A token as JSON, in memory that does not grow and so leaves no copy behind.
fn quote(token: &str) -> Zeroizing<String> {
    // The longest escape of a byte, `\u001f`, has six.
    let mut quoted = Vec::with_capacity(6 * token.len() + 2);
    // Text always serializes, and memory always accepts it.
    let _ = serde_json::to_writer(&mut quoted, token);
    Zeroizing::new(String::from_utf8(quoted).unwrap_or_default())
}

#[cfg(test)]
mod tests;
