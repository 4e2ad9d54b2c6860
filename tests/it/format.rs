//! The examples, the templates of `ldctl init`, what `ldctl convert` writes, and the command lines in
//! the documentation: all of it works as it stands.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use ldctl::action::pretty;
use ldctl::cli::Cli;
use ldctl::value::Value;
use regex::{Captures, Regex};
use snapbox::cmd::OutputAssert;

use crate::support::grpc::greeter;
use crate::support::{Peer, Target, free_port, ldctl};

/// The examples as documents; `gate.json` fails, and is there for that.
fn examples() -> Vec<PathBuf> {
    let entries =
        fs::read_dir("examples").expect("examples").map(|entry| entry.expect("one").path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    found.sort();
    found
}

/// The text with a free port in place of each fixed one.
fn with_free_ports(text: &str) -> String {
    let fixed = Regex::new(r"\b(99[0-9]{2}|9646)\b").expect("a pattern");
    let mut ports: HashMap<String, u16> = HashMap::new();
    let replaced = fixed.replace_all(text, |found: &Captures<'_>| {
        ports.entry(found[0].to_owned()).or_insert_with(free_port).to_string()
    });
    replaced.into_owned()
}

/// A directory with the examples' data, in which documents run.
fn place() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("examples")).expect("a directory");
    for file in ["users.csv", "recording.har", "greeter.proto"] {
        fs::copy(Path::new("examples").join(file), directory.path().join("examples").join(file))
            .expect("a copy");
    }
    directory
}

#[track_caller]
fn clean(directory: &Path, file: &str) {
    let linted = ldctl().current_dir(directory).args(["lint", file]).assert();
    let output = linted.get_output();
    let said = [output.stdout.clone(), output.stderr.clone()].concat();
    assert_eq!(String::from_utf8(said).expect("UTF-8"), "", "lint of {file}");
}

#[track_caller]
fn runs(directory: &Path, args: &[&str]) -> OutputAssert {
    let variables = ["SHOP_PASSWORD", "PASSWORD", "COOKIE_SESSION", "TOKEN"];
    let set = |command: snapbox::cmd::Command, name| command.env(name, "secret");
    let command = variables.into_iter().fold(ldctl(), set);
    command.current_dir(directory).arg("run").args(args).assert().success()
}

/// The peer of an example that starts none itself, and its port there.
fn peer_of(name: &str) -> Option<(Peer, &'static str)> {
    match name {
        "websocket.json" => {
            let echo = Peer::start(|stream| {
                let mut socket = tungstenite::accept(stream)
                    .map_err(|error| io::Error::other(error.to_string()))?;
                loop {
                    let message = socket.read().map_err(io::Error::other)?;
                    if message.is_text() {
                        socket.send(message).map_err(io::Error::other)?;
                    }
                }
            });
            Some((echo, "9954"))
        }
        "redis.json" => {
            // As much of a server as the example needs: each command comes in one piece.
            let server = Peer::start(|stream| {
                let mut buffer = [0; 1024];
                loop {
                    let count = stream.read(&mut buffer)?;
                    let set = buffer[..count].windows(3).any(|word| word == b"SET");
                    let reply: &[u8] = match (count, set) {
                        (0, _) => return Ok(()),
                        (_, true) => b"+OK\r\n",
                        (_, false) => b"$5\r\nhello\r\n",
                    };
                    stream.write_all(reply)?;
                }
            });
            Some((server, "9957"))
        }
        "mqtt.json" => {
            // It accepts clients and acknowledges messages, of which each comes in one piece.
            let broker = Peer::start(|stream| {
                let mut buffer = [0; 1024];
                loop {
                    let count = stream.read(&mut buffer)?;
                    match buffer[..count] {
                        [] => return Ok(()),
                        [0x10, ..] => stream.write_all(&[0x20, 2, 0, 0])?,
                        // The identifier follows the topic.
                        [0x32, _, 0, length, ref rest @ ..] => {
                            let at = usize::from(length);
                            stream.write_all(&[0x40, 2, rest[at], rest[at + 1]])?;
                        }
                        _ => {}
                    }
                }
            });
            Some((broker, "9958"))
        }
        _ => None,
    }
}

#[test]
fn every_example_is_clean_runs_and_is_written_as_ldctl_writes_documents() {
    let examples = examples();
    assert!(examples.len() >= 12, "{examples:?}");
    std::thread::scope(|scope| {
        for path in examples.iter().filter(|path| !path.ends_with("gate.json")) {
            scope.spawn(move || {
                let text = fs::read_to_string(path).expect("readable");
                let name = path.file_name().expect("a name").to_str().expect("UTF-8");
                assert_eq!(text, pretty(Value::parse(&text).expect("JSON")), "{name}");
                let directory = place();
                let peer = peer_of(name);
                let greeter = (name == "grpc.json").then(greeter);
                let text = match (&peer, &greeter) {
                    (Some((peer, port)), _) => text.replace(port, &peer.address.port().to_string()),
                    (None, Some(peer)) => text.replace("9958", &peer.address.port().to_string()),
                    (None, None) => with_free_ports(&text),
                };
                fs::write(directory.path().join(name), text).expect("a file");
                clean(directory.path(), name);
                runs(directory.path(), &[name]);
            });
        }
    });
}

const TEMPLATES: [&str; 6] = ["http", "login", "csv", "open-model", "stages", "gates"];

#[test]
fn every_template_is_clean_and_runs_against_its_stub_server() {
    for template in TEMPLATES {
        let directory = tempfile::tempdir().expect("a directory");
        ldctl().current_dir(directory.path()).args(["init", template, "a.json"]).assert().success();
        let file = directory.path().join("a.json");
        let text = fs::read_to_string(&file).expect("a document");
        assert!(text.contains("\"$schema\""), "{text}");
        ldctl().args(["fmt", "--check"]).arg(&file).assert().success();
        fs::write(&file, with_free_ports(&text)).expect("a file");
        clean(directory.path(), "a.json");
        ldctl().current_dir(directory.path()).args(["run", "a.json"]).assert().success();
    }
}

#[test]
fn a_template_for_a_host_has_no_stub_server_and_makes_load_there() {
    let target = Target::start();
    for template in TEMPLATES {
        let directory = tempfile::tempdir().expect("a directory");
        let host = target.url();
        ldctl()
            .current_dir(directory.path())
            .args(["init", template, "a.json", "--host", &host])
            .assert()
            .success();
        let text = fs::read_to_string(directory.path().join("a.json")).expect("a document");
        assert!(!text.contains("stub_server") && text.contains(&host), "{text}");
        clean(directory.path(), "a.json");
    }
}

#[test]
fn init_replaces_no_file_unless_it_is_forced_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let init =
        |args: &[&str]| ldctl().current_dir(directory.path()).arg("init").args(args).assert();
    init(&["csv", "a.json"]).success();
    fs::write(directory.path().join("users.csv"), "name,password\nown,data\n").expect("a file");
    init(&["login", "a.json"])
        .code(2)
        .stderr_eq("error: a.json exists; add --force to replace it\n");
    init(&["csv", "b.json"]).success();
    let users = fs::read_to_string(directory.path().join("users.csv")).expect("the users");
    assert!(users.contains("own,data"), "a file that is there is used: {users}");
    init(&["login", "a.json", "--force"]).success();
    let text = fs::read_to_string(directory.path().join("a.json")).expect("a document");
    assert!(text.contains("login"), "{text}");
}

/// Converts a text; returns the document, and what stderr said.
#[track_caller]
fn converted(text: &str, args: &[&str]) -> (String, String) {
    let done = ldctl()
        .arg("convert")
        .arg("-")
        .args(args)
        .stdin(text.as_bytes().to_vec())
        .assert()
        .success();
    let output = done.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_recording_becomes_a_document_with_a_host_waits_and_no_secrets() {
    let recording = fs::read_to_string("examples/recording.har").expect("a recording");
    let (document, said) = converted(&recording, &["--host-only", "--think-time"]);
    assert_eq!(
        document,
        r#"{
  "load_density": [
    [
      "LD_start_test",
      {
        "user_detail_dict": {
          "user": "fast_http_user",
          "host": "http://127.0.0.1:9949"
        },
        "user_count": 10,
        "spawn_rate": 5,
        "test_time": 60,
        "tasks": {
          "mode": "sequence",
          "tasks": [
            {
              "method": "get",
              "request_url": "/",
              "name": "GET /",
              "headers": {
                "Accept": "text/html"
              },
              "assertions": [
                {
                  "type": "status_code",
                  "value": 200
                }
              ],
              "cookies": {
                "session": "${env.COOKIE_SESSION}"
              },
              "think_time": 2.49
            },
            {
              "method": "post",
              "request_url": "/login",
              "name": "POST /login",
              "headers": {
                "Content-Type": "application/json"
              },
              "json": {
                "user": "ann",
                "password": "${env.PASSWORD}"
              },
              "assertions": [
                {
                  "type": "status_code",
                  "value": 200
                }
              ],
              "cookies": {
                "session": "${env.COOKIE_SESSION}"
              },
              "think_time": 0.68
            },
            {
              "method": "get",
              "request_url": "/items?limit=20",
              "name": "GET /items",
              "headers": {
                "Authorization": "Bearer ${env.TOKEN}"
              },
              "assertions": [
                {
                  "type": "status_code",
                  "value": 200
                }
              ],
              "cookies": {
                "session": "${env.COOKIE_SESSION}"
              }
            }
          ]
        }
      }
    ]
  ]
}
"#
    );
    assert!(said.contains("left out requests to other hosts: http://cdn.example (1)"), "{said}");
    assert!(said.contains("before it runs: COOKIE_SESSION, PASSWORD, TOKEN"), "{said}");
    for secret in ["s3ss10n", "apple-1", "t-1"] {
        assert!(!document.contains(secret), "{secret}");
    }
}

#[test]
fn what_is_converted_is_clean_and_replays() {
    let target = Target::start();
    let host = target.url();
    let recording = fs::read_to_string("examples/recording.har").expect("a recording");
    let curl = format!(
        "curl -sL '{host}/?x=1' -H 'Accept: text/html' --compressed\n\
         curl {host}/b \\\n  -d user=ann --data-urlencode 'note=a b' -u ann:pw -k\n"
    );
    for (text, args) in [(recording, &["--host-only"][..]), (curl, &[])] {
        let (document, _) = converted(&text, args);
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("a.json"), document).expect("a file");
        clean(directory.path(), "a.json");
        runs(directory.path(), &["a.json", "--test-time", "1s", "--target", &host]);
    }
}

#[test]
fn a_file_that_exists_is_not_replaced_by_a_conversion() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a.json");
    fs::write(&file, "mine").expect("a file");
    let out = file.to_str().expect("UTF-8");
    let convert = |more: &[&str]| {
        ldctl().args(["convert", "-", "-o", out]).args(more).stdin("curl http://h/").assert()
    };
    convert(&[]).code(2);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    convert(&["--force"]).success();
    assert!(fs::read_to_string(&file).expect("a file").contains("http://h"));
}

/// The command lines of ldctl in a text: those of shell blocks and of CI files, and what is typed in
/// console blocks.
fn commands(text: &str, markdown: bool) -> Vec<Vec<String>> {
    let mut block = if markdown { "" } else { "sh" };
    let typed = text.lines().filter_map(|line| {
        if let Some(language) = line.strip_prefix("```") {
            block = language;
        }
        match block {
            "sh" => {
                let line = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
                Some(line.split(" # ").next().unwrap_or_default().trim())
            }
            "console" => line.strip_prefix("$ "),
            _ => None,
        }
    });
    let lines = typed.filter_map(|line| line.rsplit(" | ").next());
    let lines = lines.filter(|line| line.starts_with("ldctl "));
    lines.map(|line| shlex::split(line).unwrap_or_else(|| panic!("quotes: {line}"))).collect()
}

#[test]
fn the_command_lines_of_the_documentation_and_of_the_ci_files_are_ones_that_ldctl_takes() {
    let mut seen = 0;
    for directory in ["docs", "examples/ci", "."] {
        for entry in fs::read_dir(directory).expect(directory) {
            let path = entry.expect("an entry").path();
            if !path.extension().is_some_and(|kind| kind == "md" || kind == "yml")
                || path.ends_with("CHANGELOG.md")
            {
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable");
            let markdown = path.extension().is_some_and(|kind| kind == "md");
            for words in commands(&text, markdown) {
                let words = words.into_iter().take_while(|word| {
                    !matches!(word.as_str(), "&" | ">" | ">>" | "|" | "||" | "&&")
                });
                let words: Vec<String> = words.collect();
                // The word in a heading or a table.
                if words.len() < 2 {
                    continue;
                }
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&words) {
                    let asks = matches!(
                        error.kind(),
                        clap::error::ErrorKind::DisplayHelp
                            | clap::error::ErrorKind::DisplayVersion
                    );
                    assert!(asks, "{}: {words:?}: {error}", path.display());
                }
            }
        }
    }
    assert!(seen > 20, "{seen} command lines are too few to mean anything");
}

#[test]
fn the_documents_in_the_documentation_are_ones_that_ldctl_accepts() {
    let mut seen = 0;
    for path in ["docs/from-k6.md", "docs/from-locust.md", "docs/concepts.md", "README.md"] {
        let text = fs::read_to_string(path).expect(path);
        for block in text.split("```json\n").skip(1) {
            let block = block.split("```").next().expect("a block");
            // An action or a part of one, or a whole document.
            let whole = [block.to_owned(), format!("[{block}]")];
            for text in whole {
                let Ok(value) = Value::parse(&text) else { continue };
                if ldctl::action::Document::parse(value.clone()).is_err() {
                    continue;
                }
                let mut findings =
                    ldctl::action::check(&value, &ldctl::action::Surroundings::unknown());
                if findings.iter().any(|finding| finding.rule.name == "invalid-shape") {
                    continue;
                }
                findings.retain(|finding| finding.is_error());
                assert_eq!(findings, [], "{path}: {text}");
                seen += 1;
                break;
            }
        }
    }
    assert!(seen >= 4, "{seen} documents are too few to mean anything");
}

#[test]
fn the_links_of_the_documentation_lead_to_files_that_exist() {
    let link = Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").expect("a pattern");
    for path in [
        "README.md",
        "docs/actions.md",
        "docs/commands.md",
        "docs/concepts.md",
        "docs/from-k6.md",
        "docs/from-locust.md",
        "docs/recipes.md",
    ] {
        let directory = Path::new(path).parent().expect("a directory");
        let text = fs::read_to_string(path).expect(path);
        for found in link.captures_iter(&text) {
            let to = directory.join(&found[1]);
            assert!(to.exists(), "{path} links to {}", to.display());
        }
    }
}

#[test]
fn init_writes_nothing_that_run_refuses_and_takes_no_template_for_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let refused = |args: &[&str]| {
        let line = ldctl().current_dir(directory.path()).arg("init").args(args);
        let told = line.assert().code(2).get_output().stderr.clone();
        String::from_utf8_lossy(&told).into_owned()
    };
    for host in ["localhost:8080", "localhost", "http://"] {
        let told = refused(&["http", "a.json", "--host", host]);
        assert!(told.starts_with(&format!("error: --host {host:?}: ")), "{told}");
        refused(&["csv", "-", "--host", host]);
    }
    for template in TEMPLATES {
        let told = refused(&[template]);
        assert!(told.contains(&format!("`ldctl init {template} {template}.json`")), "{told}");
    }
    for file in ["z.toml", "z.yaml", "z.yml"] {
        let told = refused(&[file]);
        assert_eq!(told, "error: init writes JSON; name the file z.json\n");
        assert_eq!(refused(&["login", file]), told);
    }
    assert_eq!(directory.path().read_dir().expect("a list").count(), 0);
    ldctl().current_dir(directory.path()).args(["init", "./login"]).assert().success();
    let between = ["init", "--force", "login", "--host", "http://h", "between.json"];
    ldctl().current_dir(directory.path()).args(between).assert().success();
    let text = std::fs::read_to_string(directory.path().join("between.json")).expect("a file");
    assert!(text.contains("on_start") && text.contains("http://h"), "{text}");
    let wrong = ldctl().current_dir(directory.path()).args(["init", "logon", "a.json"]).assert();
    wrong.code(2).stderr_eq(
        "error: no template is called \"logon\", did you mean login?; there are http, login, csv, \
         open-model, stages, gates\n",
    );
}

#[test]
fn a_full_disk_leaves_the_file_that_init_was_to_replace() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.json");
    fs::write(&path, "before").expect("a file");
    // The size of files is limited, and the signal of a breach ignored.
    let mut command = crate::support::after("trap '' XFSZ; ulimit -f 1");
    let status = command
        .current_dir(directory.path())
        .args(["init", "gates", "a.json", "--force"])
        .stderr(std::process::Stdio::null())
        .status();
    assert_eq!(status.expect("the program").code(), Some(2));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "before");
    assert_eq!(directory.path().read_dir().expect("a list").count(), 1);
}
