//! An HTTP task, ready to run: its constant parts are already bytes, the rest is templates.

use std::borrow::Cow;
use std::time::Duration;

use super::address::Address;
use super::fault::Fault;
use super::flavor::Flavor;
use super::h2::Message;
use super::request::{Request, RequestLine};
use super::target::Origin;
use crate::load::template::{Draft, Linker, Scope, Template};
use crate::protocol::check::Checks;
use crate::value::Invalid;

/// The methods that documents may use.
pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

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
    pub(super) body: Option<Template>,
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

    /// The request as bytes, if it is constant.
    pub(super) fn fix(&self, place: &str) -> Result<Option<Fixed>, Invalid> {
        let method = self.method.as_literal().and_then(known_method);
        let (Some(method), Some(url)) = (method, self.url.as_literal()) else {
            return Ok(None);
        };
        let refusal =
            |fault: Fault| Invalid { pointer: place.to_owned(), message: fault.to_string() };
        let (origin, rest) = Origin::split(url).map_err(refusal)?;
        let literal = self.headers.iter().all(|(_, value)| value.as_literal().is_some())
            && self.cookies.as_literal().is_some()
            && self.body.as_ref().is_none_or(|body| body.is_constant())
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
        let mut scope = Scope::new(&std::sync::Arc::default(), 0);
        let (mut body, mut request) = (Vec::new(), Request::default());
        self.fill_body(&mut scope, &mut body);
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
        self.write(&line, &mut scope, &body, &mut request).map_err(refusal)?;
        request.shrink();
        let message = self.http2.then(|| Message::of(&origin, &request));
        Ok(Some(Fixed { url: url.to_owned(), request, message }))
    }
}

/// The method of this execution, in upper case.
pub(crate) fn method(template: &Template, scope: &mut Scope) -> Result<&'static str, Fault> {
    let text = match template.as_literal() {
        Some(text) => Cow::from(text),
        None => Cow::from(template.text(scope)),
    };
    known_method(&text).ok_or_else(|| Fault::Method(text.into_owned()))
}

/// A constant method, in upper case.
pub(super) fn literal_method(text: &str, place: &str) -> Result<&'static str, Invalid> {
    known_method(text).ok_or_else(|| Invalid {
        pointer: place.to_owned(),
        message: format!(
            "unknown method {text:?}; expected get, post, put, patch, delete, head or options"
        ),
    })
}

fn known_method(text: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(text))
}
