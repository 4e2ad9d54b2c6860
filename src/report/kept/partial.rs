//! The figures for a page, of a record some of whose requests have no rows.

use super::errors::Kinds;
use super::figures::ERROR;
use super::read::KeptError;
use super::sum::Sum;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::memory::Memory;
use crate::record::diff::{self, Run};
use crate::record::{ErrorCount, Recording, Records};
use crate::report::figures::{Figures, NameFigures};

/// The figures of a record: where some requests have no rows, the sums are those of all requests, exact
/// to 1 %, and the course is that of the rows.
pub fn figures_of(records: &Records, memory: Option<&Arc<Memory>>) -> Figures {
    let mut figures = Figures::of(records, memory);
    if !records.are_partial() {
        return figures;
    }
    let (mut total, mut further, mut further_names) = (Sum::default(), Sum::default(), 0);
    for series in records.series().iter().filter(|series| series.requests > 0) {
        let sum = Sum::of(series);
        total.merge(&sum);
        let is_it = |row: &&mut NameFigures| {
            let label = row.label.as_ref();
            label.is_some_and(|(method, name)| **method == *series.method && **name == *series.name)
        };
        match figures.names.iter_mut().find(is_it) {
            Some(row) => row.stats = sum.stats(),
            None => {
                further.merge(&sum);
                further_names += 1;
            }
        }
    }
    figures.names.retain(|row| row.label.is_some());
    if further_names > 0 {
        figures.names.push(NameFigures { stats: further.stats(), ..NameFigures::default() });
    }
    figures.further_names = further_names;
    figures.total = total.stats();
    figures.latencies = total.bars();
    let length = |recording: &Arc<Recording>| {
        recording.users.last().map_or(0.0, |last| last.at.as_secs_f64())
    };
    let mut errors = Kinds::default();
    let mut offset = 0.0;
    for recording in records.recordings() {
        let mut one = Records::default();
        one.push(Arc::clone(recording));
        for error in one.errors(usize::MAX).kinds {
            let ErrorCount { count, first, last, method, name, error } = error;
            let (first, last) = (Some(first), Some(last));
            let error = KeptError { count, method, name, error, first, last };
            errors.add(&error, Some(recording.started_at()), offset);
        }
        offset += length(recording);
    }
    (figures.errors, figures.further_errors) = errors.into_figures();
    figures.seconds = figures.seconds.max(offset);
    figures.error = Some(ERROR);
    figures.is_partial = true;
    figures
}

/// The figures of a record by name, for a comparison; exact unless some requests have no rows.
pub fn run_of(records: &Records) -> Run {
    if !records.are_partial() {
        return diff::of_records(records);
    }
    // By name alone, whatever the method.
    let mut names: BTreeMap<String, Sum> = BTreeMap::new();
    for series in records.series().iter().filter(|series| series.requests > 0) {
        names.entry(series.name.to_string()).or_default().merge(&Sum::of(series));
    }
    names.into_iter().map(|(name, sum)| (name, sum.metrics())).collect()
}
