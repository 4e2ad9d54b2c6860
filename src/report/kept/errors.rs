//! Errors by their text, with the requests that had them.

use super::read::KeptError;
use std::time::SystemTime;

use indexmap::IndexMap;

use crate::report::figures::{ErrorFigures, MAX_ERRORS, MAX_NAMES_OF_ERROR, Moment};

/// Errors by their text.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    kinds: IndexMap<String, ErrorFigures>,
    left: (usize, u64),
}

impl Kinds {
    /// Adds the error of a test that began at a moment, and on the time axis at a second.
    pub(super) fn add(&mut self, error: &KeptError<'_>, started: Option<SystemTime>, offset: f64) {
        let kind = self.kinds.entry(error.error.to_owned()).or_default();
        error.error.clone_into(&mut kind.text);
        kind.count += error.count;
        let at = |moment: Option<SystemTime>| {
            let since = moment?.duration_since(started?).unwrap_or_default();
            Some(Moment { at: moment?, seconds: offset + since.as_secs_f64() })
        };
        let earlier = |known: &Moment, new: &Moment| new.at < known.at;
        if let Some(new) = at(error.first)
            && kind.first.as_ref().is_none_or(|known| earlier(known, &new))
        {
            kind.first = Some(new);
        }
        if let Some(new) = at(error.last)
            && kind.last.as_ref().is_none_or(|known| earlier(&new, known))
        {
            kind.last = Some(new);
        }
        let is_it = |(method, name, _): &&mut (String, String, u64)| {
            method == error.method && name == error.name
        };
        match kind.names.iter_mut().find(is_it) {
            Some((.., count)) => *count += error.count,
            None => {
                kind.names.push((error.method.to_owned(), error.name.to_owned(), error.count));
            }
        }
    }

    /// Adds kinds of which only the number and the requests are known.
    pub(super) fn leave(&mut self, (kinds, count): (usize, u64)) {
        self.left = (self.left.0 + kinds, self.left.1 + count);
    }

    pub(super) fn into_figures(mut self) -> (Vec<ErrorFigures>, (usize, u64)) {
        let mut kinds: Vec<ErrorFigures> = std::mem::take(&mut self.kinds).into_values().collect();
        kinds.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
        for kind in kinds.split_off(kinds.len().min(MAX_ERRORS)) {
            self.leave((1, kind.count));
        }
        for kind in &mut kinds {
            kind.names.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
            kind.further_names = kind.names.len().saturating_sub(MAX_NAMES_OF_ERROR);
            kind.names.truncate(MAX_NAMES_OF_ERROR);
        }
        (kinds, self.left)
    }
}
