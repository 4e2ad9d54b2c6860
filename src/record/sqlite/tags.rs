//! Tags of runs, in the reference's table.

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::database::{Database, text_of};
use super::error::DatabaseError;
use crate::value::{Map, Rows};

/// The table and its index.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS load_density_run_tags (
    run_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
);
CREATE INDEX IF NOT EXISTS idx_tags_key_value ON load_density_run_tags (key, value);
";

/// The columns of a run that is found by a tag.
const FOUND_COLUMNS: [&str; 3] = ["id", "started_at", "label"];

/// The most tags of one run that are returned: people write them.
const MAX_TAGS: usize = 10_000;

impl Database {
    /// Sets tags of a run, which need not exist: all, or none on an error.
    pub fn tag(&mut self, run: i64, tags: &[(String, String)]) -> Result<(), DatabaseError> {
        let written = self.insert_tags(run, tags);
        written.map_err(|error| self.failed(&error))
    }

    fn insert_tags(&mut self, run: i64, tags: &[(String, String)]) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        {
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO load_density_run_tags (run_id, key, value) VALUES (?, ?, ?)",
            )?;
            tags.iter().try_for_each(|(key, value)| {
                insert.execute(params![run, key, value]).map(|_| ())
            })?;
        }
        transaction.commit()
    }

    /// The tags of a run.
    pub fn tags(&self, run: i64) -> Result<Map, DatabaseError> {
        let mut tags = Map::new();
        if !self.has_tags()? {
            return Ok(tags);
        }
        let failed = |error| self.failed(&error);
        let mut query =
            self.prepared("SELECT key, value FROM load_density_run_tags WHERE run_id = ?")?;
        let mut found = query.query([run]).map_err(failed)?;
        let mut share = self.memory().share("the tags of a run");
        while let Some(row) = found.next().map_err(failed)? {
            let [key, value] = [row.get_ref(0), row.get_ref(1)];
            let (key, value) = (text_of(key.map_err(failed)?), text_of(value.map_err(failed)?));
            share.grow(2 * (key.len() + value.len()) + 128).map_err(|full| self.full(full))?;
            if tags.len() == MAX_TAGS {
                return Err(self.too_large("the tags of a run"));
            }
            tags.insert(key.into_owned(), value.into_owned().into());
        }
        Ok(tags)
    }

    /// The runs that have a tag, newest first, and whether there are more than one value may hold.
    pub fn tagged(&self, key: &str, value: &str) -> Result<(Rows, bool), DatabaseError> {
        if !self.has_tables()? || !self.has_tags()? {
            return Ok((Rows::new(&FOUND_COLUMNS, self.memory().share("runs")), false));
        }
        self.rows(
            "SELECT id, started_at, label FROM load_density_runs WHERE EXISTS (SELECT 1 FROM \
             load_density_run_tags WHERE run_id = load_density_runs.id AND key = ? AND value = ?) \
             ORDER BY id DESC",
            &FOUND_COLUMNS,
            [key, value],
            "runs",
        )
    }

    fn has_tags(&self) -> Result<bool, DatabaseError> {
        let query =
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'load_density_run_tags'";
        let found = self.connection.query_row(query, [], |_| Ok(())).optional();
        found.map(|found| found.is_some()).map_err(|error| self.failed(&error))
    }
}
