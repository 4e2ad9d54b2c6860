mod arbitrary;
mod breaking_point;
mod builtins;
mod data;
mod documents;
#[cfg(unix)]
mod executor;
mod exports;
mod formats;
mod governance;
mod imports;
mod installs;
mod notifiers;
mod records;
mod regression;
mod runs;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::event::{Event, FailureKind};
use crate::record::Recording;
use crate::run::{self, Submission};
use crate::value::Value;

/// An executor over a fresh data directory.
struct Bench {
    executor: Executor,
    dir: tempfile::TempDir,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let policy = Policy {
            allow_env: Some(vec!["PATH".to_owned(), "TOKEN".to_owned()]),
            secret_env: vec!["TOKEN".to_owned()],
            ..Policy::inside(dir.path())
        };
        let printed = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&printed);
        let executor = Executor::new(policy)
            .expect("an executor")
            .with_output(Box::new(move |line| lines.lock().expect("unpoisoned").push(line)));
        Self { executor, dir, printed }
    }

    fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).expect("written");
        self
    }

    fn run(&self, json: &str) -> (Vec<Event>, DocumentOutcome) {
        let document = Document::parse(Value::parse(json).expect("JSON")).expect("a document");
        let mut events = Vec::new();
        let outcome = self.executor.execute(
            document,
            &mut |event| events.push(event),
            &CancellationToken::new(),
        );
        (events, outcome)
    }

    fn lines(&self, json: &str) -> Vec<String> {
        let (events, _) = self.run(json);
        let results = events.iter().filter_map(|event| match event {
            Event::Result(result) => Some(result.line()),
            _ => None,
        });
        results.collect()
    }

    fn check(&self, json: &str, lines: &[&str]) {
        assert_eq!(self.lines(json), lines, "{json}");
    }
}

fn check(json: &str, lines: &[&str]) {
    Bench::new().check(json, lines);
}
