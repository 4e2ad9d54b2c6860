//! Protocols whose tasks are steps: a task is performed by one step of its user, which leaves one
//! sample. Such a protocol implements [`StepProtocol`]: how a task is parsed and linked, what workers
//! and users keep, and what a step does. What is the same for all of them stands here: the list of
//! tasks ([`StepTasks`]), and around each step its deadline, label, verdict, trace, record and pause
//! ([`StepDriver`]).
//!
//! To add a user with steps, write a folder like [`socket`](super::socket), the smallest:
//!
//! - `fields.rs`: the table of its fields, of which [`CHECKS`](super::check::CHECKS) is the end.
//! - `task.rs`: a draft with [`StepDraft`], and the task that it is linked to. The method, the URL and
//!   the name are taken by [`TargetDraft::parse`], or the name alone by [`name`]; a text that the
//!   received message must contain by [`Expected::parse`]; what all tasks have by [`Timeout::parse`],
//!   [`SettingDraft::parse`] (none without TLS) and [`Checks::parse`], and returned as [`CommonDraft`].
//! - `fault.rs`: its failures with [`StepFault`]; those of connections are a
//!   [`ConnectionFault`](super::fault::ConnectionFault).
//! - `mod.rs`: an enum without variants, `Name`, with [`StepProtocol`], and `impl Step<'_, Name>` with
//!   what a step does: fail with `ConnectionFault::Lost` where the virtual user's `is_lost` holds; fill
//!   in what is sent, and count it by a [`Held`](crate::memory::Held); connect, boxed, by
//!   [`StepDriver::way`]; show what is sent and received to the tracer in [`Reach`]; wait for the target
//!   only in [`Deadline::race`]; keep what is received in its user, from where
//!   [`StepProtocol::received`] takes it; end with [`Checks::judge`]. A step may be dropped at any
//!   await when a run ends: the user's connection is taken out before the step, and put back only when
//!   it can carry the next one.
//!
//! Its row in [`USERS`](super::USERS) has `StepTasks::<name::Name>::FIELDS` and
//! `StepTasks::<name::Name>::open`; the other places are named there. In `tests/it/once.rs` it has a
//! task that is skipped.

mod expected;
mod fields;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Debug;
use std::pin::pin;

use tokio::time::Instant;

pub(super) use self::expected::{EXPECTED, Expected, Fit};
pub(super) use self::fields::{
    Defaults, Target, TargetDraft, check_message, check_url, compared, name,
};
use super::check::Checks;
use super::checked::Checked;
use super::deadline::{Deadline, Timeout};
use super::http::{SettingDraft, Settings, Way};
use super::labels::{Labels, Naming};
use super::own_limits::BackOff;
use super::user::{AnyTasks, Reach, Setup};
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{Skipped, TaskSource, Verdict};
use crate::load::template::{Compiler, Draft, Linker, Template};
use crate::net::Dialer;
use crate::record::NO_STATUS;
use crate::value::{Field, Invalid, Object};

/// A protocol whose tasks are steps. The type is only a name; nothing of it exists.
pub(super) trait StepProtocol: Debug + Send + Sync + Sized + 'static {
    /// A user of it, with the article, as refusals name it.
    const USER: &'static str;
    /// The fields of its tasks, besides the engine's own.
    const FIELDS: &'static [&'static [Field]];
    /// The URL of steps without one, in their labels.
    const NO_URL: &'static str = "";
    /// Whether a step waits for what the target says when it likes. It then has less time at the end
    /// of a run than a request, to which the target responds at once.
    const WAITS: bool = true;

    /// The settings of all tasks of a test.
    type Defaults: Debug + Send + Sync;
    /// A parsed task, and one that is ready to run; each without its [`Common`] part.
    type TaskDraft: StepDraft<Defaults = Self::Defaults, Task = Self::Task>;
    type Task: Debug + Send + Sync;
    /// What the users of one worker share, besides the engine's own.
    type Worker: Debug + 'static;
    /// What one user keeps between steps, besides the engine's own.
    type User: Debug + 'static;
    /// What a step begins with, besides its URL.
    type Begun;
    /// What a step receives, as its checks see it.
    type Reply: Checked;
    /// Why a step failed.
    type Fault: StepFault;

    /// Parses the settings of all tasks.
    fn defaults(setup: &Setup<'_>) -> Result<Self::Defaults, Invalid>;

    /// Completes a linked task with the settings of all. Refuses those that turn out to be wrong.
    fn complete(_: &mut Self::Task, _: &Self::Defaults) -> Result<(), Invalid> {
        Ok(())
    }

    /// Completes the tasks where that needs files, or what only a target knows. Called once per test,
    /// before its first user.
    fn prepare(_: &mut StepDriver<Self>, _: &mut Linker<'_>) -> Result<(), Invalid> {
        Ok(())
    }

    /// Creates what the users of one worker share.
    fn worker() -> Self::Worker;

    /// Creates what one user keeps.
    fn user(reach: &Reach) -> Self::User;

    /// Begins a step: forgets the one before, and returns the URL of this one.
    fn begin<'a>(
        task: &'a Self::Task,
        user: &mut Self::User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, Self::Begun);

    /// The label of a task's steps; `no_url` is the template of [`Self::NO_URL`].
    fn naming<'a>(task: &'a Self::Task, no_url: &'a Template) -> Naming<'a>;

    /// Performs a step, up to its checks, which [`Checks::judge`] runs.
    fn run(
        step: &mut Step<'_, Self>,
        begun: Self::Begun,
    ) -> impl Future<Output = Result<(), Self::Fault>>;

    /// What the step has received for the task's checks, if there is anything.
    fn reply<'a>(task: &Self::Task, user: &'a Self::User) -> Option<&'a Self::Reply>;

    /// What the record has of what the step received.
    fn received(user: &Self::User) -> Received<'_>;

    /// Gives back what the step needed, except small buffers.
    fn settle(user: &mut Self::User);
}

/// A parsed task.
pub(super) trait StepDraft: Debug + Send + Sync + Sized {
    /// The settings of all tasks of a test.
    type Defaults;
    /// The task when it is ready to run.
    type Task;

    /// Takes the protocol's fields out of a task. Refuses what is wrong by the document alone.
    fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Self::Defaults,
        compiler: &mut Compiler,
    ) -> Result<(Self, CommonDraft), Invalid>;

    /// Links the task. Refuses wrong constants, with their places.
    fn link(self, linker: &mut Linker<'_>) -> Result<Self::Task, Invalid>;
}

/// Why a step failed.
pub(super) trait StepFault {
    /// What it means for the iteration. A step that sent nothing is transient, too: without a pause
    /// its user would spin.
    fn verdict(&self) -> Verdict;

    /// The text in the record of a task with this timeout.
    fn text(&self, timeout: &str) -> String;

    /// Whether this machine has exhausted a resource.
    fn is_own(&self) -> bool;

    /// Whether nothing was sent because of what the task's texts have become: no request was sent with
    /// a placeholder in it, then.
    fn is_unsent(&self) -> bool;
}

/// What every task has, parsed.
#[derive(Debug)]
pub(super) struct CommonDraft {
    pub(super) timeout: Timeout,
    /// Its TLS and proxy setting, in protocols that have them.
    pub(super) setting: Option<SettingDraft>,
    pub(super) checks: Checks<Draft>,
}

/// What every task has, ready to run.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) timeout: Timeout,
    /// The index of its TLS and proxy setting in the driver.
    pub(super) setting: usize,
    pub(super) checks: Checks,
}

/// What a step received.
#[derive(Debug)]
pub(super) struct Received<'a> {
    /// Its status, or [`NO_STATUS`].
    pub(super) status: u16,
    /// Its size in bytes, as the protocol counts it.
    pub(super) bytes: u64,
    pub(super) body: &'a [u8],
}

impl<'a> Received<'a> {
    /// What has no status.
    pub(super) fn new(bytes: u64, body: &'a [u8]) -> Self {
        Self { status: NO_STATUS, bytes, body }
    }
}

/// The tasks of a test while they are parsed.
#[derive(Debug)]
pub(super) struct StepTasks<P: StepProtocol> {
    defaults: P::Defaults,
    tasks: Vec<Parsed<P>>,
}

/// A parsed task.
#[derive(Debug)]
struct Parsed<P: StepProtocol> {
    /// Its place in the document.
    place: String,
    task: P::TaskDraft,
    common: CommonDraft,
}

impl<P: StepProtocol> StepTasks<P> {
    /// No tasks yet.
    pub(super) fn open(setup: &Setup<'_>) -> Result<Box<AnyTasks>, Invalid> {
        Ok(Box::new(Self { defaults: P::defaults(setup)?, tasks: Vec::new() }))
    }
}

impl<P: StepProtocol> Tasks for StepTasks<P> {
    type Driver = StepDriver<P>;
    type Reach = Reach;

    const FIELDS: &'static [&'static [Field]] = P::FIELDS;

    fn add(
        &mut self,
        source: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid> {
        if source.key.is_some() {
            let message = format!("the tasks of {} must be a list", P::USER);
            return Err(source.fields.invalid(message));
        }
        let (task, common) = P::TaskDraft::parse(source, fields, &self.defaults, compiler)?;
        self.tasks.push(Parsed { place: source.fields.pointer(), task, common });
        Ok(())
    }

    fn link(self, linker: &mut Linker<'_>, reach: &Reach) -> Result<StepDriver<P>, Invalid> {
        let (mut tasks, mut settings) = (Vec::new(), Settings::default());
        for Parsed { place, task, common } in self.tasks {
            let mut task = task.link(linker)?;
            let checks = common.checks.link(linker)?;
            let setting = common.setting.map(|setting| setting.link(linker)).transpose()?;
            P::complete(&mut task, &self.defaults)?;
            let setting = setting.map(|setting| settings.add(setting, place)).transpose()?;
            let setting = setting.unwrap_or_default();
            tasks.push((task, Common { timeout: common.timeout, setting, checks }));
        }
        let no_url = Template::literal(P::NO_URL);
        let mut driver = StepDriver { tasks, settings, no_url, reach: reach.clone() };
        P::prepare(&mut driver, linker)?;
        Ok(driver)
    }
}

/// The tasks of a test.
#[derive(Debug)]
pub(super) struct StepDriver<P: StepProtocol> {
    pub(super) tasks: Vec<(P::Task, Common)>,
    settings: Settings,
    no_url: Template,
    pub(super) reach: Reach,
}

impl<P: StepProtocol> StepDriver<P> {
    /// The way of connections with a TLS and proxy setting, by its index.
    pub(super) fn way<'a>(
        &'a self,
        dialer: &'a Dialer,
        setting: usize,
        deadline: Instant,
    ) -> Way<'a> {
        let setting = self.settings.get(setting);
        Way { dialer, targets: &self.reach.targets, setting, deadline }
    }
}

/// What the users of one worker share.
#[derive(Debug)]
pub(super) struct Worker<P: StepProtocol> {
    dialer: Dialer,
    /// The labels of each task's steps.
    labels: Vec<RefCell<Labels>>,
    own: P::Worker,
}

/// What one user keeps between steps.
#[derive(Debug)]
pub(super) struct User<P: StepProtocol> {
    own: P::User,
    deadline: Deadline,
    /// Whether a step is in progress.
    in_flight: bool,
    back_off: BackOff,
}

/// One step: one execution of one task.
#[derive(Debug)]
pub(super) struct Step<'a, P: StepProtocol> {
    pub(super) driver: &'a StepDriver<P>,
    pub(super) dialer: &'a Dialer,
    pub(super) worker: &'a P::Worker,
    pub(super) user: &'a mut P::User,
    pub(super) deadline: &'a mut Deadline,
    pub(super) task: &'a P::Task,
    pub(super) common: &'a Common,
    pub(super) url: &'a str,
    pub(super) virtual_user: &'a mut VirtualUser,
}

impl<P: StepProtocol> Driver for StepDriver<P> {
    type Worker = Worker<P>;
    type User = User<P>;

    fn worker(&self) -> Worker<P> {
        Worker {
            dialer: Dialer::new(self.reach.targets.clone()),
            labels: self.tasks.iter().map(|_| RefCell::default()).collect(),
            own: P::worker(),
        }
    }

    fn user(&self) -> User<P> {
        User {
            own: P::user(&self.reach),
            deadline: Deadline::default(),
            in_flight: false,
            back_off: BackOff::default(),
        }
    }

    async fn perform(
        &self,
        worker: &Worker<P>,
        user: &mut User<P>,
        index: usize,
        virtual_user: &mut VirtualUser,
    ) -> Verdict {
        let (Some((task, common)), Some(labels)) =
            (self.tasks.get(index), worker.labels.get(index))
        else {
            return Verdict::Permanent;
        };
        let start = Instant::now();
        user.deadline.begin(start, common.timeout.duration);
        let (url, begun) = P::begin(task, &mut user.own, virtual_user);
        let naming = P::naming(task, &self.no_url);
        let label = labels.borrow_mut().find(naming, &url, virtual_user);
        user.in_flight = true;
        let stopping = P::WAITS.then(|| virtual_user.stopping());
        let mut step = Step {
            driver: self,
            dialer: &worker.dialer,
            worker: &worker.own,
            user: &mut user.own,
            deadline: &mut user.deadline,
            task,
            common,
            url: &url,
            virtual_user,
        };
        let outcome = {
            let mut running = pin!(P::run(&mut step, begun));
            match stopping {
                Some(stopping) => stopping.bound(running.as_mut()).await,
                None => Some(running.await),
            }
        };
        let Some(outcome) = outcome else {
            self.abandon(worker, user, virtual_user);
            return Verdict::Passed;
        };
        user.in_flight = false;
        if outcome.as_ref().is_err_and(P::Fault::is_unsent) {
            virtual_user.scope.not_sent();
        }
        let shortage = outcome.as_ref().is_err_and(P::Fault::is_own);
        let verdict = outcome.as_ref().map_or_else(P::Fault::verdict, |()| Verdict::Passed);
        let error = outcome.err().map(|fault| fault.text(&common.timeout.text));
        if let Some(tracer) = &self.reach.tracer {
            let checks = match (verdict, P::reply(task, &user.own)) {
                (Verdict::Passed | Verdict::Flaky, Some(reply)) => {
                    common.checks.explain(reply, &mut virtual_user.scope)
                }
                _ => Vec::new(),
            };
            tracer.verdict(index, start.elapsed(), error.as_deref(), checks);
        }
        let Received { status, bytes, body } = P::received(&user.own);
        let (end, error) = (Instant::now(), error.as_deref());
        virtual_user.record(Measurement { label, start, end, status, bytes, error, body });
        P::settle(&mut user.own);
        if shortage {
            Box::pin(user.back_off.wait()).await;
        } else {
            user.back_off.reset();
        }
        verdict
    }

    fn skipped(&self, task: usize, why: Skipped) {
        if let Some(tracer) = &self.reach.tracer {
            tracer.skipped(task, why);
        }
    }

    fn abandon(&self, _: &Worker<P>, user: &mut User<P>, virtual_user: &mut VirtualUser) {
        if std::mem::take(&mut user.in_flight) {
            virtual_user.interrupt();
        }
    }
}
