//! A load test in its place: linked with what exists now, run, and what is known of it afterwards.

use super::result::Figures;
use super::test::{StartTest, Work};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::action::commands::clustered::{Mode, Part, not_run};
use crate::action::commands::connections::{Connections, TooManyUsers};
use crate::action::commands::resolver::{self};
use crate::action::context::Context;
use crate::action::delegated::{DelegatedTest, Ending};
use crate::action::installed::Installed;
use crate::event::{Failure, FailureKind};
use crate::load::pacer::Pacing;
use crate::load::template::Bindings;
use crate::load::{OVERTIME, Progress, Runnable, Settings, Streamed, Trace};
use crate::memory::Share;
use crate::metrics::dashboard::{Report, Subject};
use crate::protocol::own_limits;
use crate::record::budget::FailureBudget;
use crate::record::{Conditions, Recording};
use crate::redact;
use crate::report::kept::{self, OfTest};
use crate::run::Lease;
use crate::value::Value;

/// The warning of a test that was not alone.
const SHARED: &str =
    "another test ran at the same time (--max-tests); each disturbs what the other measures";

/// The warning of a test in Python.
const UNCONDITIONED: &str =
    "the simulated network (LD_install_network_conditioner) has no effect in the executor's Python";

/// The failure of a test that was stopped from outside.
pub(super) const CANCELLED: &str = "cancelled before its end; the figures are partial";

/// Why a test was not made.
#[derive(Debug)]
pub(in crate::action::commands) enum Unmeasured {
    /// This machine has not enough connections for them.
    TooManyUsers(TooManyUsers),
    /// Whatever its load is.
    Failed(Failure),
}

impl From<TooManyUsers> for Unmeasured {
    fn from(why: TooManyUsers) -> Self {
        Self::TooManyUsers(why)
    }
}

impl From<Failure> for Unmeasured {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Unmeasured> for Failure {
    fn from(why: Unmeasured) -> Self {
        match why {
            Unmeasured::TooManyUsers(why) => Self::new(FailureKind::Refused, why.to_string()),
            Unmeasured::Failed(failure) => failure,
        }
    }
}

/// A test that has ended.
pub(in crate::action::commands) struct Measured {
    /// Its arguments, as it returns them.
    pub(super) echo: Value,
    /// What was recorded.
    pub(in crate::action::commands) recording: Recording,
    /// Why it was ended early by its own figures.
    pub(in crate::action::commands) aborted: Option<String>,
    /// Why it was ended early for lack of memory.
    pub(in crate::action::commands) exhausted: Option<String>,
    /// Whether it was ended early from outside.
    pub(in crate::action::commands) cancelled: bool,
    /// Why the executor's Python ended it.
    pub(super) ended: Option<Failure>,
    /// Its part in a cluster.
    pub(super) part: Part,
}

impl Measured {
    /// The figures that are kept with the run. They are taken before the test leaves its place, after
    /// which only their sum may be left.
    pub(in crate::action::commands) fn figures(&self, lease: &Lease<'_>) -> Figures {
        kept::members(OfTest {
            started: self.recording.started_at(),
            took: lease.test().snapshot().elapsed,
            document: self.recording.document.as_deref(),
            conditions: &self.recording.conditions,
            series: &lease.test().live().series(),
        })
    }
}

impl StartTest {
    /// Runs it in its place. `watch` sees its progress about once a second, and may have a reason to
    /// end it early.
    pub(in crate::action::commands) fn measure(
        mut self,
        context: &mut Context<'_>,
        lease: &Lease<'_>,
        watch: &mut dyn FnMut(&Progress<'_>) -> Option<String>,
    ) -> Result<Measured, Unmeasured> {
        let (endless, iterations) = (self.endless, self.iterations);
        let abort_on = std::mem::take(&mut self.abort_on);
        let document = std::mem::take(&mut self.document);
        let ignored = std::mem::take(&mut self.ignored);
        let (web_ui, class) = (self.web_ui.take(), std::mem::take(&mut self.class));
        let mode = std::mem::replace(&mut self.mode, Mode::Local);
        let (mode_name, is_local) = (mode.name(), mode.is_local());
        let part = mode.begin(context);
        let Installed { network, budget } = context.installed();
        let mut budget = budget.map(FailureBudget::begin);
        let mut simulated = network.as_ref().map(|network| network.in_words());
        self.work = match self.work {
            Work::Native(workload) => Work::Native(workload.through(network)),
            Work::Python(arguments) => {
                simulated = simulated.map(|_| UNCONDITIONED.to_owned());
                Work::Python(arguments)
            }
        };
        // What a master will command is not known.
        let peak = if is_local { self.shape.peak() as u64 } else { 0 };
        let seed = *self.seed.get_or_insert_with(|| fastrand::u64(..));
        let rate = match self.pacing {
            Pacing::Open(rate) => Some(rate.per_second),
            Pacing::Closed(_) => None,
        };
        let load = Some(std::mem::take(&mut self.load));
        let native = matches!(self.work, Work::Native(_));
        let conditions = Conditions { load, rate, seed: native.then_some(seed) };
        let steady = matches!(self.pacing, Pacing::Closed(_));
        let crowded = match self.work {
            Work::Native(_) => Connections::of(peak, steady, &document, context).check()?,
            Work::Python(_) => None,
        };
        // What its files take of the ceiling, as long as it runs.
        let trace = Trace::new(context.detail());
        let Linked { mut echo, plan, files: _files, ending } = match part.conduct(&self.shape) {
            Some(plan) => {
                let (echo, files) = (std::mem::take(&mut self.echo), Vec::new());
                Linked { echo, plan, files, ending: None }
            }
            None => {
                let linked = self.link(context, trace.clone(), &part)?;
                Linked { plan: part.of(linked.plan), ..linked }
            }
        };
        let subject = |class| Subject {
            live: Arc::clone(lease.test().live()),
            // An open model has no users to wait for.
            peak: if rate.is_none() { peak as usize } else { 0 },
            is_alone: is_local,
            class,
            report: Report(Box::new(context.page_so_far())),
        };
        let page = web_ui.map(|web_ui| web_ui.serve(subject(class), context));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut aborted = None;
        let recording = lease.execute(plan, cores, &mut |progress| {
            context.progress(lease.test(), progress);
            context.show(trace.as_deref().map(Trace::take).unwrap_or_default());
            context.make_room(0);
            let broken = abort_on.broken(progress.live);
            let broken = broken.map(|reason| format!("stopped early by abort_on: {reason}"));
            let spent = || {
                let (requests, failures) = (progress.requests, progress.failures);
                let reason = budget.as_mut()?.spent(progress.elapsed, requests, failures)?;
                Some(format!("stopped early by the failure budget: {reason}"))
            };
            match broken.or_else(spent).or_else(|| watch(progress)) {
                Some(reason) => {
                    aborted = Some(reason.clone());
                    ControlFlow::Break(reason)
                }
                None => ControlFlow::Continue(()),
            }
        });
        let no_page = page.and_then(|page| page.err());
        if let Some(trace) = &trace {
            context.show(trace.take());
            context.show(trace.rest().into_iter().collect());
        }
        let mut recording = recording.map_err(|error| not_run(&error))?;
        let ended = ending.and_then(|ending| ending.failure(context));
        if let (Some(failure), true) = (&ended, recording.is_empty()) {
            return Err(failure.clone().into());
        }
        recording.document = Some(document);
        recording.conditions = conditions;
        part.extend(&mut echo);
        recording.warnings.extend(own_limits(&recording));
        recording.warnings.extend(crowded);
        recording.warnings.extend(simulated);
        recording.warnings.extend(no_page);
        if lease.test().is_shared() {
            recording.warnings.push(SHARED.to_owned());
        }
        if !ignored.is_empty() {
            let names = ignored.join(", ");
            let place = match native {
                true => format!("{mode_name} mode"),
                false => "the executor's Python".to_owned(),
            };
            recording.warnings.push(format!("arguments without effect in {place}: {names}"));
        }
        let exhausted = lease.test().live().allowance().exhausted().map(str::to_owned);
        let cancelled = context.cancel().is_cancelled();
        let aborted = aborted.filter(|_| !cancelled);
        if cancelled {
            recording.warnings.push(CANCELLED.to_owned());
        } else if ended.is_none()
            && endless
            && (is_local || part.is_master())
            && iterations.is_none_or(|all| recording.iterations.started < all)
        {
            let most = context.policy().limits.seconds;
            recording.warnings.push(format!("stopped at --max-test-time {most}"));
        }
        let warnings = std::mem::take(&mut recording.warnings);
        recording.warnings = warnings.into_iter().map(redact::owned).collect();
        recording.take_memory(context.memory());
        Ok(Measured { echo, recording, aborted, exhausted, cancelled, ended, part })
    }

    /// `variables` and `csv_sources` have the same effect as the register commands: also on later
    /// actions.
    pub(in crate::action::commands) fn register(
        &mut self,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        let sources = resolver::load(std::mem::take(&mut self.sources), context)?;
        context.register(std::mem::take(&mut self.variables), sources)
    }

    /// Links the tasks with what exists now.
    fn link(
        self,
        context: &Context<'_>,
        trace: Option<Arc<Trace>>,
        part: &Part,
    ) -> Result<Linked, Failure> {
        let workload = match self.work {
            Work::Native(workload) => workload,
            Work::Python(arguments) => {
                let (elsewhere, ending) = DelegatedTest::start(arguments, context)?;
                let end = self.shape.end();
                let length = end.filter(|_| !self.endless);
                let most = end.unwrap_or(Duration::MAX);
                let overtime = OVERTIME;
                let plan = Box::new(Streamed { elsewhere, length, overtime, most });
                let (echo, files) = (self.echo, Vec::new());
                return Ok(Linked { echo, plan, files, ending: Some(ending) });
            }
        };
        let files = RefCell::new(Vec::new());
        let resolver = context.resolver_snapshot();
        let policy = context.policy();
        let bindings = Bindings {
            variable: &|name| resolver.variable(name),
            source: &|name| resolver.source(name),
            environment: &|name| policy.env(name),
            read_file: &|path| {
                let content = context.read(path).map_err(|failure| failure.message)?;
                let (bytes, share) = content.into_parts();
                files.borrow_mut().push(share);
                Ok(bytes)
            },
            memory: Some(context.memory()),
        };
        let settings = Settings {
            users: part.users(self.shape),
            pacing: self.pacing,
            keep_bodies: self.keep_bodies,
            iterations: self.iterations,
            trace,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
        };
        let plan = workload.link(bindings, &context.reach(), settings).map_err(|invalid| {
            Failure::new(FailureKind::InvalidArgument, format!("LD_start_test: {invalid}"))
        })?;
        Ok(Linked { echo: self.echo, plan, files: files.into_inner(), ending: None })
    }
}

/// A test that is ready to run.
struct Linked {
    /// What is echoed of its arguments.
    echo: Value,
    plan: Box<dyn Runnable>,
    /// The shares of its files.
    files: Vec<Share>,
    /// How it has ended in the executor's Python.
    ending: Option<Ending>,
}
