//! Numbers of runs for a completion script. It says nothing where it cannot know them soon: without a
//! server, with a token that would have to be typed, or after a mistake on the command line.

use std::ffi::OsString;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use tokio::time::timeout;

use super::connection;
use super::setup::block_on;
use crate::cli::{Cli, Connection, TokenSource, Verb};
use crate::client;
use crate::console::Console;
use crate::error::Error;
use crate::escape::one_line;
use crate::event::Status;

/// How long a shell may wait.
const PATIENCE: Duration = Duration::from_millis(300);

/// Runs that are offered, the newest first.
const MOST: usize = 20;

/// Prints the numbers of runs for this shell. `words` is the shell and what was typed after the program's
/// name.
pub fn complete_runs(words: &[OsString], console: &mut Console) {
    let Some((shell, words)) = words.split_first() else { return };
    let Some((connection, token)) = typed(words) else { return };
    if token.token_prompt {
        return;
    }
    let Ok((endpoint, token)) = connection::resolve(&connection, &token, PATIENCE, console) else {
        return;
    };
    let asking = async {
        let asked = client::runs(&endpoint, token.as_ref(), MOST, None, PATIENCE);
        Ok::<_, Error>(timeout(PATIENCE, asked).await)
    };
    let Ok(Ok(Ok(runs))) = block_on(asking) else { return };
    let lines = runs.iter().filter_map(|status| line(shell.to_str()?, status));
    lines.for_each(|line| console.print(&line));
}

/// The server that the words name. The last one may be incomplete.
fn typed(words: &[OsString]) -> Option<(Connection, TokenSource)> {
    parsed(words).or_else(|| parsed(words.split_last()?.1))
}

fn parsed(words: &[OsString]) -> Option<(Connection, TokenSource)> {
    let program = std::iter::once(OsString::from("ldctl"));
    let command = Cli::command().ignore_errors(true);
    let typed = command.try_get_matches_from(program.chain(words.iter().cloned())).ok()?;
    match Cli::from_arg_matches(&typed).ok()?.verb {
        Verb::Status(args) => Some((args.asking.connection, args.asking.token)),
        Verb::Open(args) => Some((args.asking.connection, args.asking.token)),
        Verb::Stop(args) => Some((args.asking.connection, args.asking.token)),
        Verb::Attach(args) => Some((args.connection, args.token)),
        Verb::Report(args) => Some((args.connection, args.token)),
        _ => None,
    }
}

/// A run in the form of a shell: its number, and what describes it.
fn line(shell: &str, status: &Status) -> Option<String> {
    let info = status.run.as_ref()?;
    let name = info.name.as_deref().map_or_else(String::new, |name| format!(" {name}"));
    let about = format!("{}{name}", status.state);
    let about = one_line(&about);
    Some(match shell {
        "zsh" => format!("{}:{}", info.run, about.replace(':', "\\:")),
        "fish" => format!("{}\t{about}", info.run),
        _ => info.run.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RunInfo, State};

    #[test]
    fn the_server_is_read_from_what_is_typed_so_far() {
        let typed = |words: &str| {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            typed(&words).map(|(connection, _)| connection.port)
        };
        for words in
            ["status --port 7", "stop --port 7 ", "attach --port 7 1", "report --port 7 --fo"]
        {
            assert!(typed(words).is_some(), "{words}");
        }
        assert!(typed("send --port 7").is_none());
        assert!(typed("nothing").is_none());
    }

    #[test]
    fn each_shell_has_its_form_and_no_text_of_a_name_is_more_than_a_description() {
        let name = Some("a:b\n$(rm)".to_owned());
        let info = RunInfo { run: 7, name, ..RunInfo::default() };
        let status = Status { state: State::Passed, run: Some(Box::new(info)) };
        for (shell, want) in
            [("bash", "7"), ("zsh", "7:passed a\\:b\\n$(rm)"), ("fish", "7\tpassed a:b\\n$(rm)")]
        {
            assert_eq!(line(shell, &status).as_deref(), Some(want));
        }
    }
}
