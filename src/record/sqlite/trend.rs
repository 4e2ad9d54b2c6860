//! The figures of the newest runs of a database.

use indexmap::IndexMap;
use rusqlite::types::ValueRef;

use super::super::trend::{Figures, Requests, TrendRun};
use super::database::{Database, NAME_BYTES, text_of};
use super::error::{DatabaseError, MAX_FETCH, MAX_NAMES};
use crate::memory::Share;

/// Latencies that are taken from the share at once.
const STEP: usize = 8192;

/// What a latency takes, in bytes: in the vector of its name, which doubles, and in that of its run.
const LATENCY_BYTES: usize = 3 * size_of::<f64>();

impl Database {
    /// The newest runs, the oldest first, of requests whose name holds `filter`; a negative limit
    /// means no limit. With the memory that they take.
    pub fn trend(&self, limit: i64, filter: &str) -> Result<(Vec<TrendRun>, Share), DatabaseError> {
        let mut share = self.memory().share("the figures of runs");
        let mut runs = Vec::new();
        if !self.has_tables()? {
            return Ok((runs, share));
        }
        let failed = |error| self.failed(&error);
        let most = i64::try_from(MAX_FETCH).unwrap_or(i64::MAX);
        let limit = if limit < 0 { most } else { limit.min(most) };
        let mut query = self.prepared(
            "SELECT id, started_at, label FROM load_density_runs ORDER BY id DESC LIMIT ?",
        )?;
        let mut found = query.query([limit]).map_err(failed)?;
        let mut kept = 0;
        while let Some(row) = found.next().map_err(failed)? {
            let run: i64 = row.get(0).map_err(failed)?;
            let started_at = text_of(row.get_ref(1).map_err(failed)?).into_owned();
            let label = match row.get_ref(2).map_err(failed)? {
                ValueRef::Null => None,
                text => Some(text_of(text).into_owned()),
            };
            let (overall, names) = self.requests(run, filter, &mut share, kept)?;
            kept +=
                names.keys().map(|name| NAME_BYTES + 2 * name.len()).sum::<usize>() + NAME_BYTES;
            share.set(kept).map_err(|full| self.full(full))?;
            runs.push(TrendRun { run, started_at, label, overall, names });
        }
        runs.reverse();
        Ok((runs, share))
    }

    /// The figures of a run, overall and by name; the share holds `kept` bytes already.
    fn requests(
        &self,
        run: i64,
        filter: &str,
        share: &mut Share,
        kept: usize,
    ) -> Result<(Figures, IndexMap<String, Figures>), DatabaseError> {
        let failed = |error| self.failed(&error);
        let mut query = self.prepared(
            "SELECT outcome, name, response_time_ms FROM load_density_records WHERE run_id = ?",
        )?;
        let mut found = query.query([run]).map_err(failed)?;
        let mut names: IndexMap<String, Requests> = IndexMap::new();
        let (mut requests, mut taken) = (0_usize, kept);
        while let Some(row) = found.next().map_err(failed)? {
            let name = match row.get_ref(1).map_err(failed)? {
                ValueRef::Null => "".into(),
                name => text_of(name),
            };
            if !name.contains(filter) {
                continue;
            }
            if requests.is_multiple_of(STEP) {
                taken += STEP * LATENCY_BYTES;
                share.set(taken).map_err(|full| self.full(full))?;
            }
            requests += 1;
            if !names.contains_key(&*name) {
                if names.len() == MAX_NAMES {
                    return Err(self.too_many_names(run));
                }
                taken += NAME_BYTES + 2 * name.len();
                share.set(taken).map_err(|full| self.full(full))?;
                names.insert(name.clone().into_owned(), Requests::default());
            }
            let Some(of_name) = names.get_mut(&*name) else { continue };
            let outcome = text_of(row.get_ref(0).map_err(failed)?);
            of_name.failures += u64::from(outcome == "failure");
            of_name.latencies.push(match row.get_ref(2).map_err(failed)? {
                ValueRef::Integer(number) => number as f64,
                ValueRef::Real(number) => number,
                _ => 0.0,
            });
        }
        let mut overall = Requests::default();
        overall.latencies.reserve_exact(requests);
        for of_name in names.values() {
            overall.failures += of_name.failures;
            overall.latencies.extend_from_slice(&of_name.latencies);
        }
        let figures = names.into_iter().map(|(name, of_name)| (name, Figures::of(of_name)));
        Ok((Figures::of(overall), figures.collect()))
    }
}
