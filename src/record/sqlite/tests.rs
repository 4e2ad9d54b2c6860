use std::path::PathBuf;

use super::super::fixture::{HOSTILE, hostile, records};
use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().canonicalize().expect("a path").join("runs.db");
    (dir, file)
}

fn persist(file: &Path, records: &Records) -> Result<i64, DatabaseError> {
    Database::create(file, "runs.db")?.persist(records, "2026-01-01T00:00:00+00:00", None, "{}")
}

fn two() -> Records {
    records(&[
        ("POST", "http://x/", "", 0, 3.0, 0, Some("bad")),
        ("GET", "http://x/a", "n", 200, 12.5, 3, None),
    ])
}

#[test]
fn runs_are_numbered_and_listed_newest_first() {
    let (_dir, file) = place();
    assert_eq!(persist(&file, &two()).expect("written"), 1);
    assert_eq!(persist(&file, &two()).expect("written"), 2);
    let database = Database::open(&file, "runs.db").expect("sound").expect("there");
    let run = "'started_at': '2026-01-01T00:00:00+00:00', 'label': None, 'metadata_json': '{}'}";
    assert_eq!(
        Value::List(database.runs(20).expect("read")).to_text(),
        format!("[{{'id': 2, {run}, {{'id': 1, {run}]")
    );
    assert_eq!(database.runs(1).expect("read").len(), 1);
    assert_eq!(
        Value::List(database.records(2).expect("read")).to_text(),
        "[{'outcome': 'success', 'method': 'GET', 'test_url': 'http://x/a', 'name': 'n', \
         'status_code': '200', 'response_time_ms': 12.5, 'response_length': 3, 'error': None}, \
         {'outcome': 'failure', 'method': 'POST', 'test_url': 'http://x/', 'name': '', \
         'status_code': '0', 'response_time_ms': 3.0, 'response_length': 0, 'error': 'bad'}]"
    );
    assert_eq!(database.records(3).expect("read"), []);
    let names: Vec<String> = database.figures(1).expect("read").into_keys().collect();
    assert_eq!(names, ["http://x/", "n"]);
}

#[test]
fn t23_hostile_texts_are_read_back_unchanged() {
    let (_dir, file) = place();
    persist(&file, &hostile()).expect("written");
    let database = Database::open(&file, "runs.db").expect("sound").expect("there");
    let rows = database.records(1).expect("read");
    for (row, hostile) in rows.iter().zip(HOSTILE) {
        let Value::Dict(row) = row else { panic!("an object") };
        for column in ["test_url", "name", "error"] {
            assert_eq!(row[column], Value::from(hostile));
        }
    }
}

#[test]
fn a_missing_file_has_no_runs_and_is_not_created() {
    let (dir, file) = place();
    assert!(Database::open(&file, "runs.db").expect("sound").is_none());
    assert!(!file.exists());
    let missing = dir.path().join("no/runs.db");
    for error in [
        Database::open(&missing, "no/runs.db").expect_err("no directory"),
        Database::create(&missing, "no/runs.db").expect_err("no directory"),
    ] {
        assert_eq!(error.to_string(), "unable to open database file");
    }
}

fn refused(file: &Path, message: &str) {
    let before = std::fs::read(file).expect("readable");
    let error = persist(file, &two()).expect_err("refused");
    assert_eq!(error.to_string(), message);
    assert_eq!(Database::open(file, "runs.db").expect_err("refused").to_string(), message);
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
        let (_dir, file) = place();
        Connection::open(&file).expect("opened").execute_batch(statement).expect("executed");
        refused(&file, message);
    }
}

#[test]
fn a_locked_database_is_refused_and_unchanged() {
    let (_dir, file) = place();
    persist(&file, &two()).expect("written");
    let other = Connection::open(&file).expect("opened");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let mut database = Database::open(&file, "runs.db").expect("sound").expect("there");
    database.connection.busy_timeout(Duration::from_millis(1)).expect("set");
    let error = database.persist(&two(), "", None, "{}").expect_err("refused");
    assert_eq!(
        error.to_string(),
        "runs.db: database is locked by another process; try again when it is done"
    );
    drop(other);
    assert_eq!(database.runs(20).expect("read").len(), 1);
}

#[test]
fn other_tables_in_the_same_file_are_ignored() {
    let (_dir, file) = place();
    Connection::open(&file)
        .expect("opened")
        .execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1)")
        .expect("executed");
    assert_eq!(
        Database::open(&file, "runs.db").expect("sound").expect("there").runs(20).expect("read"),
        []
    );
    assert_eq!(persist(&file, &two()).expect("written"), 1);
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let (dir, file) = place();
    persist(&file, &two()).expect("written");
    let link = dir.path().canonicalize().expect("a path").join("link.db");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    Database::create(&link, "link.db").expect_err("refused");
}
