//! What a file must be before its tables are used: it may come from anywhere.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::error::DatabaseError;

/// The table of tags, which only runs with tags need, and its columns.
const TAGS: (&str, &[&str]) = ("load_density_run_tags", &["run_id", "key", "value"]);

/// The columns of each table that are read and written.
pub(super) const TABLES: [(&str, &[&str]); 2] = [
    ("load_density_runs", &RUN_COLUMNS),
    (
        "load_density_records",
        &[
            "run_id",
            "outcome",
            "method",
            "test_url",
            "name",
            "status_code",
            "response_time_ms",
            "response_length",
            "error",
        ],
    ),
];

pub(super) const RUN_COLUMNS: [&str; 4] = ["id", "started_at", "label", "metadata_json"];

pub(super) const RECORD_COLUMNS: [&str; 8] = [
    "outcome",
    "method",
    "test_url",
    "name",
    "status_code",
    "response_time_ms",
    "response_length",
    "error",
];

/// The longest text or row, in bytes: a value's line in a reply is no longer.
const LONGEST_CELL: i32 = 16 << 20;

/// The longest statement in a file's schema, in bytes: SQLite's advice.
const LONGEST_STATEMENT: i32 = 100_000;

/// More indexes of one table are not for finding anything.
const MOST_INDEXES: usize = 16;

/// Switches off what could compute: triggers, views, and functions with effects in the schema.
pub(super) fn distrust(connection: &Connection, heap_bytes: usize) -> rusqlite::Result<()> {
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST_CELL),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 10),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        // A pattern can take longer than the universe has, in one step.
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    ] {
        connection.set_db_config(switch, on)?;
    }
    // Nothing is written outside the directory, and no page is mapped that another may cut off.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(no_row)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    // One for all databases of the process: it is only ever lowered.
    let heap = i64::try_from(heap_bytes).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "hard_heap_limit", heap, |_| Ok(())).or_else(no_row)
}

/// Some pragmas return a row, depending on how SQLite was built.
fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}

/// Checks what the file says of itself and what our tables are in it, if they are there.
pub(super) fn check(connection: &Connection, path: &str) -> Result<(), DatabaseError> {
    let failed = |error| DatabaseError::new(path, &error);
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let version: i64 = number("user_version").map_err(failed)?;
    let application: i64 = number("application_id").map_err(failed)?;
    let foreign = |detail| Err(DatabaseError::Foreign { path: path.to_owned(), detail });
    if application != 0 {
        return foreign(format!("belongs to another program (application_id {application})"));
    }
    if version != 0 {
        return Err(DatabaseError::Newer { path: path.to_owned(), version });
    }
    for (table, columns) in TABLES {
        if let Some(detail) = objection(connection, table, columns, true).map_err(failed)? {
            return foreign(detail);
        }
    }
    let (table, columns) = TAGS;
    if let Some(detail) = objection(connection, table, columns, false).map_err(failed)? {
        return foreign(detail);
    }
    Ok(())
}

/// What speaks against using a table, if it exists; `numbered` says that its rows have a number.
fn objection(
    connection: &Connection,
    table: &str,
    columns: &[&str],
    numbered: bool,
) -> rusqlite::Result<Option<String>> {
    let mut query = connection.prepare(
        "SELECT type, name, rootpage FROM sqlite_schema \
         WHERE name = ?1 COLLATE NOCASE OR tbl_name = ?1 COLLATE NOCASE",
    )?;
    let mut entries = query.query([table])?;
    let (mut exists, mut indexes) = (false, 0);
    while let Some(entry) = entries.next()? {
        let (kind, name): (String, String) = (entry.get(0)?, entry.get(1)?);
        let stored: Option<i64> = entry.get(2)?;
        match kind.as_str() {
            "table" if stored.is_none_or(|page| page == 0) => {
                return Ok(Some(format!("its table {name} is virtual")));
            }
            "table" => exists = true,
            "index" => indexes += 1,
            _ => return Ok(Some(format!("it has a {kind} {name} in place of or for {table}"))),
        }
    }
    if indexes > MOST_INDEXES {
        return Ok(Some(format!("its table {table} has {indexes} indexes")));
    }
    match exists {
        true => Ok(column_objection(connection, table, columns, numbered)?
            .or(index_objection(connection, table)?)),
        false => Ok(None),
    }
}

/// What speaks against the columns of a table.
fn column_objection(
    connection: &Connection,
    table: &str,
    columns: &[&str],
    needs_number: bool,
) -> rusqlite::Result<Option<String>> {
    let mut query = connection
        .prepare("SELECT name, type, dflt_value, pk, hidden FROM pragma_table_xinfo(?)")?;
    let mut found = query.query([table])?;
    let (mut names, mut numbered) = (Vec::new(), false);
    while let Some(column) = found.next()? {
        let name: String = column.get(0)?;
        let kind: Option<String> = column.get(1)?;
        let default: Option<String> = column.get(2)?;
        if column.get::<_, i64>(4)? != 0 {
            return Ok(Some(format!("its column {table}.{name} is computed")));
        }
        // A function is called with parentheses.
        if default.is_some_and(|default| default.contains('(')) {
            return Ok(Some(format!("the default of its column {table}.{name} is computed")));
        }
        numbered |= column.get::<_, i64>(3)? == 1
            && name.eq_ignore_ascii_case("id")
            && kind.is_some_and(|kind| kind.eq_ignore_ascii_case("integer"));
        names.push(name);
    }
    let missing = columns.iter().find(|column| !names.iter().any(|name| name == *column));
    Ok(match missing {
        Some(column) => Some(format!("its table {table} has no column {column}")),
        None if needs_number && !numbered => {
            Some(format!("its column {table}.id is not the key of its rows"))
        }
        None => None,
    })
}

/// What speaks against the indexes of a table: those of expressions compute.
fn index_objection(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let mut query = connection.prepare(
        "SELECT list.name FROM pragma_index_list(?) AS list \
         WHERE list.partial OR EXISTS \
         (SELECT 1 FROM pragma_index_xinfo(list.name) AS item WHERE item.cid < -1)",
    )?;
    let mut found = query.query([table])?;
    let Some(index) = found.next()? else { return Ok(None) };
    Ok(Some(format!("its index {} is computed", index.get::<_, String>(0)?)))
}
