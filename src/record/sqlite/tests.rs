use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tokio_util::sync::CancellationToken;

use super::super::Records;
use super::super::fixture::{HOSTILE, hostile, records};
use super::place::confine;
use super::*;
use crate::memory::Memory;
use crate::value::{Cell, Rows, Value};

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().canonicalize().expect("a path").join("runs.db");
    (dir, file)
}

fn memory() -> Arc<Memory> {
    Memory::new(1 << 30)
}

fn at(file: &Path) -> Result<Place, DatabaseError> {
    Place::of(file).map_err(|_| DatabaseError::CannotOpen)
}

fn write<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, DatabaseError> {
    let never = CancellationToken::new();
    at(file)?.write(&Guard::writing(&never, never.clone()), &memory(), work)
}

fn read<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<Option<T>, DatabaseError> {
    let never = CancellationToken::new();
    at(file)?.read(&Guard::reading(&never, never.clone()), &memory(), work)
}

fn persist(file: &Path, records: &Records) -> Result<i64, DatabaseError> {
    let records = records.clone();
    write(file, move |database| database.persist(&records, "2026-01-01T00:00:00+00:00", None, "{}"))
}

fn two() -> Records {
    records(&[
        ("POST", "http://x/", "", 0, 3.0, 0, Some("bad")),
        ("GET", "http://x/a", "n", 200, 12.5, 3, None),
    ])
}

fn runs(file: &Path, limit: i64) -> Result<Option<Rows>, DatabaseError> {
    read(file, move |database| Ok(database.runs(limit)?.0))
}

fn rows(file: &Path, run: i64) -> Rows {
    read(file, move |database| database.records(run)).expect("sound").expect("there")
}

#[test]
fn runs_are_numbered_and_listed_newest_first() {
    let (_dir, file) = place();
    assert_eq!(persist(&file, &two()).expect("written"), 1);
    assert_eq!(persist(&file, &two()).expect("written"), 2);
    let run = "'started_at': '2026-01-01T00:00:00+00:00', 'label': None, 'metadata_json': '{}'}";
    let all = runs(&file, -1).expect("sound").expect("there");
    assert_eq!(Value::from(all).to_text(), format!("[{{'id': 2, {run}, {{'id': 1, {run}]"));
    assert_eq!(runs(&file, 1).expect("sound").expect("there").len(), 1);
    assert_eq!(
        Value::from(rows(&file, 2)).to_text(),
        "[{'outcome': 'success', 'method': 'GET', 'test_url': 'http://x/a', 'name': 'n', \
         'status_code': '200', 'response_time_ms': 12.5, 'response_length': 3, 'error': None}, \
         {'outcome': 'failure', 'method': 'POST', 'test_url': 'http://x/', 'name': '', \
         'status_code': '0', 'response_time_ms': 3.0, 'response_length': 0, 'error': 'bad'}]"
    );
    assert!(rows(&file, 3).is_empty());
    let figures = read(&file, |database| database.figures(1)).expect("sound").expect("there").0;
    assert_eq!(figures.into_keys().collect::<Vec<_>>(), ["http://x/", "n"]);
}

#[test]
fn t23_hostile_texts_are_read_back_unchanged() {
    let (_dir, file) = place();
    persist(&file, &hostile()).expect("written");
    let rows = rows(&file, 1);
    assert_eq!(rows.len(), HOSTILE.len());
    for (row, hostile) in rows.iter().zip(HOSTILE) {
        let hostile = Cell::Text(hostile);
        let same = row.filter(|(name, _)| ["test_url", "name", "error"].contains(name));
        assert!(same.map(|(_, cell)| cell).eq([hostile; 3]));
    }
}

#[test]
fn a_missing_file_has_no_runs_and_is_not_created() {
    let (dir, file) = place();
    assert!(runs(&file, 20).expect("sound").is_none());
    assert!(!file.exists());
    let missing = dir.path().join("no/runs.db");
    let error = persist(&missing, &two()).expect_err("no directory");
    assert_eq!(error.to_string(), "unable to open database file");
}

fn refused(file: &Path, message: &str) {
    let before = std::fs::read(file).expect("readable");
    let error = persist(file, &two()).expect_err(message);
    assert_eq!(error.to_string(), message);
    assert_eq!(runs(file, 20).expect_err("refused").to_string(), message);
    assert_eq!(std::fs::read(file).expect("readable"), before, "untouched");
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let (_dir, file) = place();
    std::fs::write(&file, "not a database, but rather long\n".repeat(100)).expect("written");
    refused(&file, "runs.db: file is not a database; restore it from a copy or name another file");
}

#[test]
fn a_truncated_database_is_refused_and_unchanged() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let whole = std::fs::read(&file).expect("readable");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    refused(
        &file,
        "runs.db: database disk image is malformed; restore it from a copy or name another file",
    );
}

/// Refuses a file that these statements make.
fn refused_as(statements: &str, message: &str) {
    let (_dir, file) = place();
    Connection::open(&file).expect("opened").execute_batch(statements).expect(statements);
    refused(&file, message);
}

#[test]
fn a_newer_or_foreign_database_is_refused_and_unchanged() {
    for (statement, message) in [
        (
            "PRAGMA user_version = 7",
            "runs.db: has format 7, this ldctl supports format 0; use a newer ldctl",
        ),
        (
            "PRAGMA application_id = 99",
            "runs.db: belongs to another program (application_id 99); name another file",
        ),
        (
            "CREATE TABLE load_density_runs (id INTEGER, started_at TEXT)",
            "runs.db: its table load_density_runs has no column label; name another file",
        ),
    ] {
        refused_as(statement, message);
    }
}

const RUNS: &str = "CREATE TABLE load_density_runs \
                    (id INTEGER PRIMARY KEY, started_at TEXT, label TEXT, metadata_json TEXT);";

const ENDLESS: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)";

#[test]
fn t51_a_database_that_would_compute_is_refused_and_unchanged() {
    let with = |more: &str| format!("{RUNS}{more}");
    for (statements, why) in [
        (
            format!(
                "CREATE VIEW load_density_runs AS {ENDLESS} SELECT x AS id, 'a' AS started_at, \
                 'b' AS label, 'c' AS metadata_json FROM c"
            ),
            "it has a view load_density_runs in place of or for load_density_runs",
        ),
        (
            with(&format!("CREATE VIEW Load_Density_Records AS {ENDLESS} SELECT x AS id FROM c")),
            "it has a view Load_Density_Records in place of or for load_density_records",
        ),
        (
            "CREATE VIRTUAL TABLE load_density_runs USING fts5(started_at, label, metadata_json)"
                .to_owned(),
            "its table load_density_runs is virtual",
        ),
        (
            with(&format!(
                "CREATE TRIGGER t AFTER INSERT ON load_density_runs BEGIN INSERT INTO \
                 load_density_runs (label) {ENDLESS} SELECT x FROM c; END"
            )),
            "it has a trigger t in place of or for load_density_runs",
        ),
        (
            RUNS.replace("label TEXT", "label TEXT AS (instr(hex(zeroblob(1 << 22)), 'no'))"),
            "its column load_density_runs.label is computed",
        ),
        (
            RUNS.replace("label TEXT", "label TEXT, more TEXT DEFAULT (hex(randomblob(1 << 28)))"),
            "the default of its column load_density_runs.more is computed",
        ),
        (with("CREATE INDEX i ON load_density_runs (length(label))"), "its index i is computed"),
        (
            with("CREATE INDEX i ON load_density_runs (id) WHERE label LIKE '%a%b'"),
            "its index i is computed",
        ),
        (
            RUNS.replace(" PRIMARY KEY", ""),
            "its column load_density_runs.id is not the key of its rows",
        ),
        (
            (0..20).fold(RUNS.to_owned(), |all, number| {
                format!("{all} CREATE INDEX i{number} ON load_density_runs (label);")
            }),
            "its table load_density_runs has 20 indexes",
        ),
    ] {
        refused_as(&statements, &format!("runs.db: {why}; name another file"));
    }
}

#[test]
fn t51_a_database_with_a_huge_schema_is_refused_soon() {
    let (_dir, file) = place();
    let views = "PRAGMA writable_schema = ON;
        WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000)
        INSERT INTO sqlite_schema
        SELECT 'view', 'v' || x, 'v' || x, 0, 'CREATE VIEW v' || x || ' AS SELECT 1' FROM c";
    Connection::open(&file).expect("opened").execute_batch(views).expect("made");
    refused(&file, "runs.db: it has too many tables; name another file");
}

#[test]
fn t51_a_cell_longer_than_a_reply_is_refused() {
    let (_dir, file) = place();
    let row = "INSERT INTO load_density_runs VALUES (1, '', zeroblob(20000000), '')";
    Connection::open(&file).expect("opened").execute_batch(&format!("{RUNS}{row}")).expect("made");
    persist(&file, &two()).expect("written");
    let error = runs(&file, 20).expect_err("refused").to_string();
    assert_eq!(error, "runs.db: string or blob too big");
}

#[test]
fn t51_rows_that_would_have_to_be_sorted_are_refused() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let other = "DROP INDEX idx_records_run_id;
        CREATE INDEX i ON load_density_records (run_id, name)";
    Connection::open(&file).expect("opened").execute_batch(other).expect("made");
    let error = read(&file, |database| database.records(1)).expect_err("refused").to_string();
    assert!(error.contains("do not keep their rows in the order"), "{error}");
}

#[test]
fn t51_a_damaged_database_ends_in_a_result_or_an_error() {
    let (_dir, file) = place();
    let many: Vec<_> = (0..500).map(|_| ("GET", "http://x/a", "n", 200, 12.5, 3, None)).collect();
    persist(&file, &records(&many)).expect("written");
    let sound = std::fs::read(&file).expect("readable");
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..100 {
        let mut bytes = sound.clone();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(16..bytes.len());
            bytes[at] = random.u8(..);
        }
        std::fs::write(&file, bytes).expect("written");
        for beside in COMPANIONS {
            let _ = std::fs::remove_file(file.with_file_name(format!("runs.db{beside}")));
        }
        let read = read(&file, |database| {
            let _ = (database.runs(-1), database.records(1), database.figures(1));
            Ok(())
        });
        let _ = (read, persist(&file, &two()));
    }
}

#[test]
fn t51_a_query_without_end_ends_when_it_is_stopped_or_its_time_is_over() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let ended = |guard: &Guard, stop: CancellationToken| {
        let endless = format!("{ENDLESS} SELECT count(*) FROM c");
        let work = move |database: &mut Database| {
            stop.cancel();
            let count = database.connection.query_row(&endless, [], |row| row.get::<_, i64>(0));
            count.map_err(|error| database.failed(&error))
        };
        at(&file).expect("there").read(guard, &memory(), work).expect_err("no end").to_string()
    };
    let never = CancellationToken::new;
    let (stop, document) = (never(), never());
    let stopped = "runs.db: the command was stopped";
    assert_eq!(ended(&Guard::reading(&never(), stop.clone()), stop), stopped);
    assert_eq!(ended(&Guard::reading(&document, never()), document.clone()), stopped);
    let soon = Duration::from_millis(50);
    let guard = Guard::new(vec![], Instant::now(), Some((Instant::now() + soon, soon)));
    assert_eq!(ended(&guard, never()), "runs.db: took longer than 0 s and was ended");
}

#[test]
fn a_run_that_was_cancelled_before_is_still_written_and_read() {
    let (_dir, file) = place();
    let (cancelled, never) = (CancellationToken::new(), CancellationToken::new());
    cancelled.cancel();
    let work = |database: &mut Database| database.persist(&two(), "", None, "{}");
    let written = at(&file).expect("there").write(
        &Guard::writing(&cancelled, never.clone()),
        &memory(),
        work,
    );
    assert_eq!(written.expect("written"), 1);
    let reading = Guard::reading(&cancelled, never);
    let rows = at(&file).expect("there").read(&reading, &memory(), |open| open.records(1));
    assert_eq!(rows.expect("read").expect("there").len(), 2);
}

#[test]
fn t51_a_thread_that_hangs_does_not_hold_its_document_up() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let stop = CancellationToken::new();
    let (keep, never) = std::sync::mpsc::channel::<()>();
    let guard = Guard::reading(&CancellationToken::new(), stop.clone());
    let hanging = at(&file).expect("there").read(&guard, &memory(), move |_| {
        stop.cancel();
        let _ = never.recv();
        Ok(())
    });
    assert_eq!(hanging.expect_err("stopped").to_string(), "runs.db: the command was stopped");
    drop(keep);
}

#[test]
fn a_locked_database_is_refused_and_unchanged() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let lock = file.clone();
    let error = write(&file, move |database| {
        let other = Connection::open(&lock).expect("opened");
        other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        database.connection.busy_timeout(Duration::from_millis(1)).expect("set");
        database.persist(&two(), "", None, "{}")
    });
    assert_eq!(
        error.expect_err("refused").to_string(),
        "runs.db: database is locked by another process; try again when it is done"
    );
    assert_eq!(runs(&file, 20).expect("sound").expect("there").len(), 1);
}

#[test]
fn a_new_file_that_another_process_is_writing_is_waited_for() {
    let (_dir, file) = place();
    let lock = file.clone();
    let written = write(&file, move |database| {
        // Such a file is in no mode yet, and SQLite asks nobody to wait who wants to change that.
        let other = Connection::open(&lock).expect("opened");
        other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE other (x)").expect("locked");
        let release = move |_| other.execute_batch("COMMIT").is_ok();
        database.connection.busy_handler(Some(release)).expect("set");
        database.persist(&two(), "", None, "{}")
    });
    assert_eq!(written.expect("written"), 1);
}

#[test]
fn other_tables_in_the_same_file_are_ignored() {
    let (_dir, file) = place();
    let other = format!(
        "CREATE TABLE other (x DEFAULT (random())); INSERT INTO other VALUES (1);
         CREATE VIEW endless AS {ENDLESS} SELECT x FROM c;
         CREATE VIRTUAL TABLE words USING fts5(x)"
    );
    Connection::open(&file).expect("opened").execute_batch(&other).expect("executed");
    assert!(runs(&file, 20).expect("sound").expect("there").is_empty());
    assert_eq!(persist(&file, &two()).expect("written"), 1);
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let (dir, file) = place();
    persist(&file, &two()).expect("written");
    let link = dir.path().canonicalize().expect("a path").join("link.db");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    persist(&link, &two()).expect_err("refused");
}

#[test]
fn t50_a_journal_that_names_a_file_elsewhere_is_refused_and_that_file_stays() {
    let (dir, file) = place();
    persist(&file, &two()).expect("written");
    let elsewhere = dir.path().join("kept");
    std::fs::write(&elsewhere, "kept").expect("written");
    let mut journal = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    journal.resize(512, 0);
    let name = elsewhere.to_str().expect("text").as_bytes();
    journal.extend(name);
    journal.extend(u32::try_from(name.len()).expect("short").to_be_bytes());
    journal.extend(name.iter().map(|byte| u32::from(*byte)).sum::<u32>().to_be_bytes());
    journal.extend(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7");
    std::fs::write(file.with_file_name("runs.db-journal"), journal).expect("written");
    let why = "its journal belongs to a change of several databases";
    refused(&file, &format!("runs.db: {why}; name another file"));
    assert!(elsewhere.exists());
}

/// Whether the system can keep a thread inside a directory.
fn can_confine() -> bool {
    let (dir, _) = place();
    let open = Dir::open_ambient_dir(dir.path(), ambient_authority()).expect("a directory");
    std::thread::spawn(move || confine(&open)).join().expect("no panic").expect("kept")
}

#[test]
fn t49_the_thread_of_a_database_reaches_nothing_outside_its_directory() {
    let (_dir, file) = place();
    let (outside, other) = place();
    std::fs::write(&other, "kept").expect("written");
    let path = outside.path().to_owned();
    let reached = write(&file, move |database| {
        database.persist(&two(), "", None, "{}")?;
        Ok(std::fs::read(path.join("runs.db")).is_ok()
            || std::fs::write(path.join("new"), "").is_ok()
            || std::fs::remove_file(path.join("runs.db")).is_ok())
    });
    assert_eq!(reached.expect("written"), !can_confine());
    assert_eq!(rows(&file, 1).len(), 2);
}

#[test]
fn t49_directories_and_links_that_are_exchanged_lead_no_database_outside() {
    let (dir, outside) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir());
    let outside = outside.expect("a directory");
    let (sub, link) = (dir.path().join("sub"), dir.path().join("link"));
    std::fs::create_dir(&sub).expect("a directory");
    std::os::unix::fs::symlink(outside.path(), &link).expect("a link");
    let root = dir.path().canonicalize().expect("a path");
    let data = Dir::open_ambient_dir(&root, ambient_authority()).expect("a directory");
    let done = Arc::new(AtomicBool::new(false));
    let exchanging = {
        let done = Arc::clone(&done);
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &sub, CWD, &link, RenameFlags::EXCHANGE).expect("exchanged");
            }
        })
    };
    let never = CancellationToken::new();
    let guard = Guard::writing(&never, never.clone());
    let mut opened = 0;
    for _ in 0..5_000_000 {
        // What the data directory has resolved to a directory inside.
        let Ok(open) = data.open_dir("sub") else { continue };
        let name = format!("x{opened}.db");
        let place = Place::new(open, root.join("sub"), name.as_ref(), &name);
        let _ = place.write(&guard, &memory(), |open| open.persist(&two(), "", None, "{}"));
        opened += 1;
        if opened == 200 {
            break;
        }
    }
    done.store(true, Ordering::Relaxed);
    exchanging.join().expect("no panic");
    let astray = std::fs::read_dir(outside.path()).expect("readable").count();
    assert!(astray == 0 && opened > 20, "{astray} files astray, {opened} times opened");
}

#[test]
fn t49_a_path_that_leads_elsewhere_is_not_opened() {
    let ((dir, file), (_other, elsewhere)) = (place(), place());
    for file in [&file, &elsewhere] {
        persist(file, &two()).expect("written");
    }
    let open = || Dir::open_ambient_dir(dir.path(), ambient_authority()).expect("a directory");
    let parent = |file: &Path| file.parent().expect("a parent").to_owned();
    let never = CancellationToken::new();
    for (path, right) in [(&file, true), (&elsewhere, false)] {
        let place = Place::new(open(), parent(path), "runs.db".as_ref(), "runs.db");
        assert_eq!(place.check_path().is_ok(), right);
        let guard = Guard::reading(&never, never.clone());
        assert_eq!(place.read(&guard, &memory(), |open| open.runs(1)).is_ok(), right);
    }
}

#[test]
fn t52_rows_and_figures_take_their_memory_and_are_refused_beyond_it() {
    let (_dir, file) = place();
    let many: Vec<_> = (0..5000).map(|_| ("GET", "http://x/a", "n", 200, 12.5, 3, None)).collect();
    persist(&file, &records(&many)).expect("written");
    let never = CancellationToken::new();
    let guard = Guard::reading(&never, never.clone());
    let memory = Memory::new(4 << 20);
    let records = at(&file).expect("there").read(&guard, &memory, |open| open.records(1));
    let records = Value::from(records.expect("room").expect("there"));
    let taken = memory.taken();
    assert!(records.weight() < taken && taken < 4 << 20, "{taken}");
    let again = at(&file).expect("there").read(&guard, &memory, |open| {
        let first = open.records(1)?;
        let second = open.records(1)?;
        Ok((first, second))
    });
    let full = again.expect_err("no room").to_string();
    assert!(full.starts_with("runs.db: records of a run: ") && full.ends_with("(--max-memory)"));
    assert_eq!(memory.taken(), taken);
    let rest = Memory::new(100_000);
    let figures = at(&file).expect("there").read(&guard, &rest, |open| open.figures(1));
    let full = figures.expect_err("no room").to_string();
    assert!(full.starts_with("runs.db: the figures of a run: "), "{full}");
    drop(records);
    assert_eq!((memory.taken(), rest.taken()), (0, 0));
}

#[test]
fn t52_a_run_is_written_with_a_small_cache_where_memory_is_short() {
    let (_dir, file) = place();
    let memory = Memory::new(64 << 20);
    let mut all = memory.share("all");
    all.grow(64 << 20).expect("room");
    let never = CancellationToken::new();
    let guard = Guard::writing(&never, never.clone());
    for (free, kib) in [(false, -1024), (true, -8192)] {
        if free {
            all.set(0).expect("less");
        }
        let cache = at(&file).expect("there").write(&guard, &memory, |open| {
            open.persist(&two(), "", None, "{}")?;
            let size = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            Ok(open.connection.pragma_query_value(None, "cache_size", size).expect("a number"))
        });
        assert_eq!(cache.expect("written"), kib);
    }
    assert_eq!(memory.taken(), 0);
}

#[test]
fn t52_a_run_with_more_names_than_a_comparison_holds_is_refused() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let names = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 50001)
        INSERT INTO load_density_records (run_id, outcome, name) SELECT 1, 'success', x FROM c";
    Connection::open(&file).expect("opened").execute_batch(names).expect("made");
    let error = read(&file, |database| database.figures(1)).expect_err("refused").to_string();
    assert_eq!(error, "runs.db: run 1 has more than 50000 names; compare it with sqlite3 instead");
}

#[test]
fn t52_runs_that_take_more_than_a_reply_could_hold_are_refused() {
    let (_dir, file) = place();
    let rows = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 40)
        INSERT INTO load_density_runs SELECT x, '', '', zeroblob(1000000) FROM c";
    Connection::open(&file).expect("opened").execute_batch(&format!("{RUNS}{rows}")).expect("made");
    persist(&file, &two()).expect("written");
    let error = runs(&file, -1).expect_err("refused").to_string();
    assert_eq!(error, "runs.db: runs take more than 32 MiB; ask for fewer");
    assert_eq!(runs(&file, 20).expect("sound").expect("there").len(), 20);
}
