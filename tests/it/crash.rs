//! `kill -9` at any moment: a report is the old one or the new one, never half of one, and every run
//! of the database that was acknowledged is there, whole.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::{tempdir, tempdir_in};

/// How often the program is killed: a hundred times, or as `LDCTL_KILLS` says. `.ci/run` asks for a
/// thousand, which take a minute.
fn rounds() -> u32 {
    std::env::var("LDCTL_KILLS").map_or(100, |kills| kills.parse().expect("a number"))
}

/// Directories that are written to at once, for most of a round is waiting.
const LANES: u32 = 4;

/// The most replies that are waited for before the kill.
const REPLIES: usize = 30;

/// A test of some dozen requests, whose records are then written again and again.
fn document(round: u32) -> String {
    let write = format!(
        r#"["LD_generate_junit_report", ["run"]], ["LD_generate_html_report", ["run"]],
           ["LD_generate_summary_report", ["run"]],
           ["LD_persist_records", ["runs.db", "{round}"]]"#
    );
    let writes = vec![write; REPLIES].join(",\n");
    format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"host": "http://127.0.0.1:1"}}, "user_count": 1,
              "test_time": 0.05, "wait_time": 0, "tasks": [{{"method": "get", "url": "/refused"}}]}}],
            {writes}]"#
    )
}

/// Runs the document, kills it after some replies and a moment more, and gives the numbers of the
/// runs that it had said are kept.
fn killed(directory: &Path, round: u32, random: &mut fastrand::Rng) -> Vec<i64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ldctl"))
        .args(["run", "-"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(document(round).as_bytes()).expect("taken");
    drop(stdin);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut acknowledged = Vec::new();
    let mut keep = |line: std::io::Result<String>| {
        acknowledged.extend(line.expect("a line").parse::<i64>());
    };
    lines.by_ref().take(random.usize(1..REPLIES)).for_each(&mut keep);
    // Not to wait for anything: it spreads the kill over what happens between two replies.
    std::thread::sleep(Duration::from_micros(random.u64(0..3000)));
    child.kill().expect("killed");
    lines.for_each(&mut keep);
    child.wait().expect("ended");
    acknowledged
}

fn whole(directory: &Path, name: &str, check: fn(&str) -> bool) {
    let Ok(text) = std::fs::read_to_string(directory.join(name)) else { return };
    assert!(check(&text), "{name} is torn: it ends in {:?}", text.get(text.len() - 40..));
}

#[test]
fn f01_a_killed_program_leaves_no_torn_file_and_loses_no_acknowledged_run() {
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            scope.spawn(move || go_through(lane, rounds().div_ceil(LANES)));
        }
    });
}

/// A directory whose writers are killed again and again.
fn go_through(seed: u32, rounds: u32) {
    // What a killed program wrote is the system's to keep, on whatever disk; in memory nobody waits
    // for a real one.
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempdir_in(memory) } else { tempdir() };
    let directory = directory.expect("a directory");
    let mut random = fastrand::Rng::with_seed(seed.into());
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let runs = killed(directory.path(), round, &mut random);
        acknowledged.extend(runs.into_iter().map(|run| (run, round.to_string())));
        whole(directory.path(), "run.xml", |text| text.ends_with("</testsuite>"));
        whole(directory.path(), "run.html", |text| text.ends_with("</html>"));
        whole(directory.path(), "run.json", |text| {
            serde_json::from_str::<serde_json::Value>(text).is_ok()
        });
    }
    assert!(acknowledged.len() > rounds as usize, "too few runs were written to mean anything");
    let runs = runs(&directory.path().join("runs.db"));
    for (run, round) in acknowledged {
        let found = runs.get(&run).map(|(label, _)| label);
        assert_eq!(found, Some(&round), "run {run} was acknowledged and is gone");
    }
    // Every run of a round has the records of the one test of that round.
    let mut whole = HashMap::new();
    for (label, count) in runs.values() {
        let most = whole.entry(label).or_insert(*count);
        *most = (*most).max(*count);
    }
    for (run, (label, count)) in &runs {
        assert!(*count > 0 && whole[label] == *count, "run {run} is not whole: {count} records");
    }
}

/// The runs of a sound database: the label and the number of records of each.
fn runs(file: &Path) -> HashMap<i64, (String, i64)> {
    let database = Connection::open(file).expect("opened");
    let sound: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(sound, "ok");
    let mut query = database
        .prepare(
            "SELECT runs.id, runs.label, count(records.id) FROM load_density_runs AS runs \
             LEFT JOIN load_density_records AS records ON records.run_id = runs.id \
             GROUP BY runs.id",
        )
        .expect("prepared");
    let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    rows.expect("read").collect::<Result<_, _>>().expect("read")
}
