//! One execution of one task: its request, and what the user keeps of it. [`exchange`] sends the
//! request, [`redirect`] follows where its response leads.
//!
//! [`exchange`]: super::exchange
//! [`redirect`]: super::redirect

use std::rc::Rc;

use super::fault::Fault;
use super::flavor::Flavor;
use super::request::RequestLine;
use super::state::{TaskCache, User, Worker};
use super::target::{Origin, write_target};
use super::task::{Task, method};
use super::tls::Settings;
use crate::cold::cold_path;
use crate::load::driver::VirtualUser;
use crate::net::Targets;
use crate::protocol::labels::{Name, Naming};
use crate::protocol::trace::Tracer;
use crate::record::LabelId;

/// One execution of one task.
pub(super) struct Attempt<'a> {
    pub(super) settings: &'a Settings,
    pub(super) targets: &'a Targets,
    pub(super) worker: &'a Worker,
    pub(super) cache: &'a TaskCache,
    pub(super) user: &'a mut User,
    pub(super) task: &'a Task,
    pub(super) virtual_user: &'a mut VirtualUser,
    pub(super) tracer: Option<&'a Tracer>,
}

impl Attempt<'_> {
    /// Writes the request, unless it is constant, and determines its origin.
    pub(super) fn prepare(&mut self) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        self.user.request.clear();
        if let Some(fixed) = &self.task.fixed {
            let known = self.cache.fixed.get().cloned();
            let (origin, label) = match known {
                Some(known) => known,
                None => self.first_use(fixed.request.method(), &fixed.url)?,
            };
            if self.user.jar.is_some() {
                cold_path();
                let rest = origin.rest(&fixed.url).unwrap_or_default();
                self.write(fixed.request.method(), &origin, rest)
                    .map_err(|fault| (label, fault))?;
            }
            return Ok((origin, label));
        }
        self.compose()
    }

    /// Writes a request that is not constant.
    #[inline(never)]
    fn compose(&mut self) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        let method = method(&self.task.method, &mut self.virtual_user.scope);
        let url = self.task.url.fill(&mut self.virtual_user.scope, &self.user.pages);
        let label = match &method {
            Ok(method) => self.label(method, &url),
            Err(_) => self.label(&self.task.method.written().to_ascii_uppercase(), &url),
        };
        let prepare = |this: &mut Self| {
            let method = method?;
            this.task.url.check(&url)?;
            let (origin, rest) = this.worker.origins.borrow_mut().find(&url)?;
            this.write(method, &origin, rest)?;
            Ok(origin)
        };
        prepare(self).map(|origin| (origin, label)).map_err(|fault| (label, fault))
    }

    /// Handles the first execution of a constant task by this worker.
    #[cold]
    fn first_use(
        &mut self,
        method: &str,
        url: &str,
    ) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        let label = self.label(method, url);
        let found = self.worker.origins.borrow_mut().find(url);
        let (origin, _) = found.map_err(|fault| (label, fault))?;
        let _ = self.cache.fixed.set((Rc::clone(&origin), label));
        Ok((origin, label))
    }

    /// Keeps the URL of the page that variables are being extracted from.
    pub(super) fn keep_page(&mut self, origin: &Origin) -> Result<(), Fault> {
        for &variable in &self.task.links {
            let user = &mut *self.user;
            let page = origin.url(self.task.request(&user.request).target());
            match user.pages.iter_mut().find(|(known, _)| *known == variable) {
                Some((_, known)) => *known = page,
                None => user.pages.push((variable, page)),
            }
            user.count_pages()?;
        }
        Ok(())
    }

    fn write(&mut self, method: &'static str, origin: &Origin, rest: &str) -> Result<(), Fault> {
        let (jar, credentials) = (self.cookies_for(origin, rest), origin.credentials.as_deref());
        let (jar, body, secrets, first) = (jar.as_deref(), true, true, true);
        let line = RequestLine { method, origin, rest, credentials, jar, body, secrets, first };
        let scope = &mut self.virtual_user.scope;
        let mut scratch = self.worker.body.borrow_mut();
        let body = self.task.fill_body(scope, &mut scratch);
        self.user.expect(body.bytes.len())?;
        self.task.write(&line, scope, body, &mut self.user.request)?;
        if scope.is_too_long() {
            return Err(Fault::TooLong);
        }
        self.user.hold()?;
        Ok(())
    }

    /// Returns the label that this request is recorded under.
    fn label(&mut self, method: &str, url: &str) -> LabelId {
        let Task { url: address, name, .. } = self.task;
        let name = name.as_ref().map_or(Name::Of(target_of), Name::Written);
        let naming = Naming { method, url: address.template(), name };
        self.cache.labels.borrow_mut().find(naming, url, self.virtual_user)
    }

    /// Stores the cookies of a response to the last request.
    pub(super) fn keep_cookies(&mut self, origin: &Origin) -> Result<(), Fault> {
        let user = &mut *self.user;
        if user.response.cookies.is_empty() {
            return Ok(());
        }
        let target = self.task.request(&user.request).target().as_bytes();
        let jar = user.jar.get_or_insert_default();
        jar.set_all(user.response.cookies.drain(..), origin, target);
        if let Err(full) = user.jar_held.set(jar.weight()) {
            // What the target set must not be sent in part.
            user.jar = None;
            let _ = user.jar_held.set(0);
            return Err(full.into());
        }
        Ok(())
    }

    /// The value of the `Cookie` header for a URL.
    pub(super) fn cookies_for(&mut self, origin: &Origin, rest: &str) -> Option<Vec<u8>> {
        let jar = self.user.jar.as_mut()?;
        let mut target = Vec::new();
        write_target(rest, self.task.flavor, &mut target);
        jar.header_for(origin, &target)
    }
}

/// The path and query that are sent for a URL; the URL itself if it is invalid.
fn target_of(url: &str) -> String {
    let Ok((_, rest)) = Origin::split(url) else { return url.to_owned() };
    let mut target = Vec::new();
    write_target(rest, Flavor::Requests, &mut target);
    String::from_utf8(target).unwrap_or_default()
}
