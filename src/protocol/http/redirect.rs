//! Follows redirects like the flavor's own client, and stores the cookies of every response.

use std::rc::Rc;

use super::attempt::Attempt;
use super::exchange::Left;
use super::fault::Fault;
use super::flavor::Flavor;
use super::reference::resolve;
use super::request::RequestLine;
use super::target::Origin;
use crate::load::template::Filled;

/// How many redirects one request follows: Locust's own limit.
const MAX_REDIRECTS: usize = 30;

impl Attempt<'_> {
    /// Does what is left of a request: sends it, stores its cookies and follows its redirects; returns the
    /// last origin.
    pub(super) async fn follow(
        &mut self,
        origin: Rc<Origin>,
        left: Left,
    ) -> Result<Rc<Origin>, Fault> {
        if left == Left::All {
            self.exchange(Rc::clone(&origin)).await?;
        }
        if !self.has_consequences() {
            return Ok(origin);
        }
        // Boxed: requests over HTTP/2 and new connections come here, too, and seldom need it.
        Box::pin(self.follow_redirects(origin)).await
    }

    /// Whether the response sets cookies or redirects.
    #[inline]
    pub(super) fn has_consequences(&self) -> bool {
        self.user.response.more && (!self.user.response.cookies.is_empty() || self.redirected())
    }

    fn redirected(&self) -> bool {
        self.task.redirects
            && matches!(self.user.response.status, 301 | 302 | 303 | 307 | 308)
            && self.user.response.location.as_deref().is_some_and(|place| !place.is_empty())
    }

    /// Handles a response that sets cookies or redirects.
    async fn follow_redirects(&mut self, first: Rc<Origin>) -> Result<Rc<Origin>, Fault> {
        let mut origin = Rc::clone(&first);
        let (mut body, mut secrets) = (true, true);
        for followed in 0..=MAX_REDIRECTS {
            self.keep_cookies(&origin)?;
            if !self.redirected() {
                return Ok(origin);
            }
            if followed == MAX_REDIRECTS {
                break;
            }
            let location = self.user.response.location.take().unwrap_or_default();
            let sent = self.task.request(&self.user.request);
            let (method, page) = (sent.method(), origin.url(sent.target()));
            let next = resolve(&page, &location);
            let status = self.user.response.status;
            body &= matches!(status, 307 | 308);
            let again = if body { sent.filled_body() } else { Filled::default() };
            let rewritten = match status {
                301 => self.task.flavor == Flavor::Fast || method == "POST",
                302 | 303 => true,
                _ => false,
            };
            let method = if rewritten && method != "HEAD" { "GET" } else { method };
            let (to, rest) = self.worker.origins.borrow_mut().find(&next)?;
            origin = to;
            secrets &= first.trusts(&origin);
            let jar = self.cookies_for(&origin, rest);
            let line = RequestLine {
                method,
                origin: &origin,
                rest,
                // The user in the first URL stays valid, even if the target does not repeat it.
                credentials: origin.credentials.as_deref().or(first.credentials.as_deref()),
                jar: jar.as_deref(),
                body,
                secrets,
                first: false,
            };
            let user = &mut *self.user;
            self.task.write(&line, &mut self.virtual_user.scope, &again, &mut user.request)?;
            user.hold()?;
            user.response.clear();
            self.exchange(Rc::clone(&origin)).await?;
        }
        Err(Fault::Redirects(MAX_REDIRECTS))
    }
}
