//! A load test of any protocol, for callers that only start it. A [`Workload`] is its parsed tasks;
//! linked when the test starts, it becomes a [`Runnable`], which hides the type of the driver.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::conditioner::Conditioner;
use super::driver::{Driver, Tasks};
use super::limits::TestLimits;
use super::plan::{Plan, Settings};
use super::progress::Progress;
use super::runner::{self, RunError};
use super::scenario::{STEP, Scenario, Task, TaskSource, TaskSources, Throttles, tasks};
use super::template::{Bindings, Compiler, Draft, Linker};
use crate::record::Recording;
use crate::record::live::Live;
use crate::value::{Field, Invalid, Object, Reader};

/// A test's parsed tasks. What is known only when the test starts (variables, CSV sources, files,
/// the environment) is referred to by name.
#[derive(Debug)]
pub struct Workload<R> {
    scenario: Scenario<Draft>,
    /// The names of the tasks, as the document writes them.
    names: Vec<String>,
    network: Option<Arc<Conditioner>>,
    tasks: Box<dyn AnyTasks<R>>,
    compiler: Compiler,
}

impl<R> Workload<R> {
    /// Parses `tasks`: the engine's fields of each, and those of its protocol into `tasks`.
    pub fn read(
        field: &Reader<'_>,
        mut tasks: Box<dyn AnyTasks<R>>,
        limits: &TestLimits,
    ) -> Result<Self, Invalid> {
        let TaskSources { mode, first, tasks: sources } = self::tasks(field, limits)?;
        let mut compiler = Compiler::default();
        let mut throttles = Throttles::new();
        let mut steps = Vec::with_capacity(sources.len());
        let names = sources.iter().map(TaskSource::written).collect();
        for source in sources {
            let mut fields = source.fields.fields(STEP)?;
            for table in tasks.fields() {
                fields = fields.and(table);
            }
            let mut step = Task::parse(&mut fields, &mut compiler, &mut throttles)?;
            tasks.add_any(&source, &mut fields, &mut compiler)?;
            step.keep_constants(compiler.take_constants());
            step.keep_title(source.fields.value(), steps.len() + 1);
            steps.push(step);
            fields.finish()?;
        }
        Ok(Self {
            scenario: Scenario::new(mode, first, steps),
            names,
            network: None,
            tasks,
            compiler,
        })
    }

    /// The same through a simulated network, if there is one.
    #[must_use]
    pub fn through(self, network: Option<Arc<Conditioner>>) -> Self {
        Self { network, ..self }
    }

    /// Links the test.
    pub fn link(
        self,
        bindings: Bindings<'_>,
        reach: &R,
        settings: Settings,
    ) -> Result<Box<dyn Runnable>, Invalid> {
        let mut linker = Linker::new(self.compiler, bindings);
        let mut scenario = self.scenario.link(&mut linker)?;
        if let Some(network) = &self.network {
            scenario.pass(network, self.names.iter().map(String::as_str));
        }
        self.tasks.plan(linker, reach, scenario, settings)
    }
}

/// A load test of any protocol, ready to run.
pub trait Runnable: Debug + Send {
    /// Runs it to its end on `workers` threads; `watch` receives the progress about once a second
    /// and may end the run early, as `cancel` does. Blocks the calling thread.
    fn run(
        self: Box<Self>,
        workers: usize,
        live: &Arc<Live>,
        cancel: &CancellationToken,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError>;
}

impl<D: Driver> Runnable for Plan<D> {
    fn run(
        self: Box<Self>,
        workers: usize,
        live: &Arc<Live>,
        cancel: &CancellationToken,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        runner::run(*self, workers, live, cancel, watch)
    }
}

/// [`Tasks`] of any protocol whose reach is `R`.
pub trait AnyTasks<R>: Debug + Send + Sync {
    /// [`Tasks::FIELDS`].
    fn fields(&self) -> &'static [&'static [Field]];

    /// [`Tasks::add`].
    fn add_any(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid>;

    /// Links the tasks, and makes a plan with the driver.
    fn plan(
        self: Box<Self>,
        linker: Linker<'_>,
        reach: &R,
        scenario: Scenario,
        settings: Settings,
    ) -> Result<Box<dyn Runnable>, Invalid>;
}

impl<T: Tasks> AnyTasks<T::Reach> for T {
    fn fields(&self) -> &'static [&'static [Field]] {
        T::FIELDS
    }

    fn add_any(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid> {
        self.add(task, fields, compiler)
    }

    fn plan(
        self: Box<Self>,
        mut linker: Linker<'_>,
        reach: &T::Reach,
        mut scenario: Scenario,
        settings: Settings,
    ) -> Result<Box<dyn Runnable>, Invalid> {
        let driver = self.link(&mut linker, reach)?;
        scenario.note_unresolved(&linker);
        Ok(Box::new(Plan { settings, scenario, driver, names: Arc::new(linker.names()) }))
    }
}
