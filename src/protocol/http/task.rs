//! An HTTP task, ready to run, and the requests it writes: its constant parts are already bytes, the
//! rest is templates.

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::fault::Fault;
use super::flavor::Flavor;
use super::h2::Message;
use super::request::{Head, Request, RequestLine, is_cookie};
use super::target::{Origin, basic};
use crate::load::template::{
    Draft, Filled, Linker, Scope, Slot, Template, not_set, unset_variable,
};
use crate::protocol::check::Checks;
use crate::protocol::checked::Capture;
use crate::value::Invalid;
use crate::value::field::alternatives;

/// The methods that documents may use.
pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// The same as most documents write them.
const LOWER_METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// A worker keeps a buffer for bodies up to this size, in bytes.
const MOST_SCRATCH: usize = 4 * 1024 * 1024;

/// A task, ready to run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) method: Template,
    pub(crate) url: Address,
    /// `None` stands for the path and query that are sent.
    pub(crate) name: Option<Template>,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) authorization: Option<Authorization>,
    pub(super) cookies: Template,
    pub(super) body: Option<Body>,
    /// Whether errors in a GraphQL response fail.
    pub(crate) graphql: bool,
    pub(crate) timeout: Duration,
    /// The timeout as in the fault's text.
    pub(crate) timeout_text: String,
    pub(crate) redirects: bool,
    pub(crate) flavor: Flavor,
    /// The index of its TLS configuration in the driver.
    pub(crate) tls: usize,
    /// Whether to use HTTP/2, or offer it with TLS.
    pub(crate) http2: bool,
    pub(crate) checks: Checks,
    /// The parts of a response that it needs.
    pub(super) capture: Capture,
    /// Extracted variables that other tasks may use as links: the user keeps the page that each came
    /// from.
    pub(super) links: Vec<Slot>,
    /// The whole request, if it is constant.
    pub(crate) fixed: Option<Fixed>,
}

/// A constant request.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) url: String,
    pub(crate) request: Request,
    /// The same for HTTP/2, if the task may use it.
    pub(crate) message: Option<Result<Message, Fault>>,
}

/// The body of a task's requests.
#[derive(Debug)]
pub(super) enum Body {
    /// The same every time; what is long of it is shared by all users.
    Constant(Filled),
    /// With placeholders.
    Varying(Template),
}

impl Body {
    pub(super) fn new(text: Template) -> Self {
        let text = text.with_shared_parts();
        if !text.is_constant() {
            return Self::Varying(text);
        }
        let mut filled = Filled::default();
        text.fill_apart(&mut Scope::new(&Arc::default(), 0), &mut filled);
        filled.bytes.shrink_to_fit();
        Self::Constant(filled)
    }
}

/// The credentials of a task.
#[derive(Debug)]
pub(super) enum Authorization<T = Template> {
    Basic { username: T, password: T },
    Digest { username: T, password: T },
    Bearer(T),
}

impl Authorization<Draft> {
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Authorization, Invalid> {
        Ok(match self {
            Self::Basic { username, password } => Authorization::Basic {
                username: username.link(linker)?,
                password: password.link(linker)?,
            },
            Self::Digest { username, password } => Authorization::Digest {
                username: username.link(linker)?,
                password: password.link(linker)?,
            },
            Self::Bearer(token) => Authorization::Bearer(token.link(linker)?),
        })
    }
}

impl Task {
    /// Whether it responds to digest challenges.
    pub(crate) fn uses_digest(&self) -> bool {
        matches!(self.authorization, Some(Authorization::Digest { .. }))
    }

    /// The parts of a response that checks and others need.
    pub(super) fn needed(&self) -> Capture {
        let checks = self.checks.capture();
        Capture { head: checks.head || self.uses_digest(), body: checks.body || self.graphql }
    }

    /// The request as bytes, if it is constant.
    pub(super) fn fix(&self, place: &str) -> Result<Option<Fixed>, Invalid> {
        let method = self.method.as_literal().and_then(known_method);
        let (Some(method), Some(url)) = (method, self.url.as_literal()) else {
            return Ok(None);
        };
        let refusal = |fault: Fault| {
            let message = match unset_variable(url) {
                Some(name) => not_set(name),
                None => fault.to_string(),
            };
            Invalid { pointer: place.to_owned(), message }
        };
        let (origin, rest) = Origin::split(url).map_err(refusal)?;
        // A label is found once for a constant request, so its name counts too.
        let literal = self.name.as_ref().is_none_or(|name| name.as_literal().is_some())
            && self.headers.iter().all(|(_, value)| value.as_literal().is_some())
            && self.cookies.as_literal().is_some()
            && !matches!(self.body, Some(Body::Varying(_)))
            && match &self.authorization {
                // Added when the request is sent.
                None | Some(Authorization::Digest { .. }) => true,
                Some(Authorization::Bearer(token)) => token.as_literal().is_some(),
                Some(Authorization::Basic { username, password }) => {
                    username.as_literal().is_some() && password.as_literal().is_some()
                }
            };
        if !literal {
            return Ok(None);
        }
        let mut scope = Scope::new(&Arc::default(), 0);
        let (mut scratch, mut request) = (Filled::default(), Request::default());
        let body = self.fill_body(&mut scope, &mut scratch);
        let line = RequestLine {
            method,
            origin: &origin,
            rest,
            credentials: origin.credentials.as_deref(),
            jar: None,
            body: true,
            secrets: true,
            first: true,
        };
        self.write(&line, &mut scope, body, &mut request).map_err(refusal)?;
        request.shrink();
        let message = self.http2.then(|| Message::of(&origin, &request));
        Ok(Some(Fixed { url: url.to_owned(), request, message }))
    }

    /// The request to send: the constant one, unless another was written.
    pub(crate) fn request<'a>(&'a self, written: &'a Request) -> &'a Request {
        match &self.fixed {
            Some(fixed) if written.is_empty() => &fixed.request,
            _ => written,
        }
    }

    /// The same for HTTP/2.
    pub(crate) fn message(&self, written: &Request, origin: &Origin) -> Result<Message, Fault> {
        match &self.fixed {
            Some(Fixed { message: Some(message), .. }) if written.is_empty() => message.clone(),
            _ => Message::of(origin, self.request(written)),
        }
    }

    /// The body of this execution; `scratch` takes one with placeholders.
    pub(crate) fn fill_body<'a>(
        &'a self,
        scope: &mut Scope,
        scratch: &'a mut Filled,
    ) -> &'a Filled {
        match &self.body {
            Some(Body::Constant(body)) => return body,
            Some(Body::Varying(text)) => {
                if scratch.bytes.capacity() > MOST_SCRATCH {
                    *scratch = Filled::default();
                }
                text.fill_apart(scope, scratch);
            }
            None => scratch.clear(),
        }
        scratch
    }

    /// Writes a request of this execution around its body.
    pub(crate) fn write(
        &self,
        line: &RequestLine<'_>,
        scope: &mut Scope,
        body: &Filled,
        out: &mut Request,
    ) -> Result<(), Fault> {
        let mut head = Head::begin(line, self.flavor, self.http2, out);
        // Credentials of the task or the URL take precedence over a header of the task.
        let known = self.authorization.is_some() || line.credentials.is_some();
        for (name, value) in &self.headers {
            let doubled = known && name.eq_ignore_ascii_case("authorization");
            if line.carries(name) && !doubled {
                head.header(name, |out| value.fill(scope, out))?;
            }
        }
        match &self.authorization {
            _ if !line.secrets => {}
            Some(Authorization::Digest { .. }) => {}
            Some(Authorization::Bearer(token)) => head.header("Authorization", |out| {
                out.extend_from_slice(b"Bearer ");
                token.fill(scope, out);
            })?,
            Some(Authorization::Basic { username, password }) => {
                let pair = basic(&username.text(scope), &password.text(scope));
                head.header("Authorization", |out| out.extend_from_slice(pair.as_bytes()))?;
            }
            None => {
                if let Some(pair) = line.credentials {
                    head.header("Authorization", |out| out.extend_from_slice(pair.as_bytes()))?;
                }
            }
        }
        // As in the reference's clients, a `Cookie` header of the task stands alone; otherwise one
        // header holds the jar's cookies and the task's `cookies`.
        let given = self.headers.iter().any(|(name, _)| is_cookie(name) && line.carries(name));
        let own = line.secrets && !self.cookies.is_empty();
        if !given && (line.jar.is_some() || own) {
            head.header_after("Cookie", line.jar.unwrap_or_default(), |out| {
                if line.jar.is_some() && own {
                    out.extend_from_slice(b"; ");
                }
                if own {
                    self.cookies.fill(scope, out);
                }
            })?;
        }
        head.end((line.body && self.body.is_some()).then_some(body));
        Ok(())
    }
}

/// The method of this execution, in upper case.
pub(crate) fn method(template: &Template, scope: &mut Scope) -> Result<&'static str, Fault> {
    let text = template.filled(scope);
    known_method(&text).ok_or_else(|| Fault::Method(text.into_owned()))
}

/// A constant method, in upper case.
pub(super) fn literal_method(text: &str, place: &str) -> Result<&'static str, Invalid> {
    known_method(text).ok_or_else(|| Invalid {
        pointer: place.to_owned(),
        message: format!("unknown method {text:?}{}", alternatives(text, &LOWER_METHODS)),
    })
}

fn known_method(text: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::fixture::{check, sent};
    use super::super::flavor::Flavor;

    #[test]
    fn a_request_contains_everything_its_task_specifies() {
        check(
            &json!({
                "method": "post", "request_url": "/p/${v}", "params": {"q": "a b&${v}"},
                "headers": {"X-One": "<${v}>", "User-Agent": "mine"}, "cookies": {"c": "${v}", "d": "1"},
                "json": {"k": ["${v}", 1.0, null, "é"]}, "auth": {"type": "bearer", "token": "t-${v}"},
            }),
            "POST /p/VAL?q=a+b%26VAL HTTP/1.1\nX-One: <VAL>\nUser-Agent: mine\n\
             Content-Type: application/json\nAccept: application/json\n\
             Authorization: Bearer t-VAL\nCookie: c=VAL; d=1\nHost: h:8080\n\
             Accept-Encoding: gzip, deflate, br, zstd\nContent-Length: 35\n\n\
             {\"k\": [\"VAL\", 1.0, null, \"\\u00e9\"]}",
        );
    }

    #[test]
    fn values_of_the_environment_are_constants_and_wrong_ones_are_refused_with_their_place() {
        let refusal = |task: Json| sent(Flavor::Fast, false, &task).map(|_| ()).unwrap_err();
        check(&json!({"method": "get", "url": "${env.p}"}), "GET /p HTTP/1.1\n..\n\n");
        check(&json!({"method": "get", "url": "/a${env.p}"}), "GET /a/p HTTP/1.1\n..\n\n");
        for (task, why) in [
            (
                json!({"method": "${env.m}", "url": "/"}),
                "/tasks/0/method: unknown method \"fetch\"; expected get, post, put, patch, delete, \
                 head or options",
            ),
            (
                json!({"method": "get", "url": "${env.u}"}),
                "/tasks/0/url: invalid URL \"http://h:port/\": invalid port number",
            ),
            (
                json!({"method": "get", "url": "/", "headers": {"X-A": "${env.evil}"}}),
                "/tasks/0/headers/X-A: expected a header's value without line breaks",
            ),
        ] {
            assert_eq!(refusal(task), why);
        }
    }

    #[test]
    fn a_relative_url_is_sent_to_the_host_and_a_placeholder_may_hold_an_absolute_one() {
        for (url, target) in [
            ("/a", "/a"),
            ("b", "/b"),
            ("?q", "/?q"),
            ("${scheme}/c", "/c"),
            ("http://h:8080/d#part", "/d"),
        ] {
            let task = json!({"method": "get", "request_url": url});
            check(&task, &format!("GET {target} HTTP/1.1\n..\n\n"));
        }
    }
}
