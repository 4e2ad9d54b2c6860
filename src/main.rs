//! Parses the command line, runs the verb, prints the error, and chooses the exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;
use ldctl::cli::{Cli, RUNS, Verb};
use ldctl::command;
use ldctl::console::Console;
use ldctl::error::{Exit, chain, reason};
use ldctl::python::{CONFINED, become_confined};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(first) if first == RUNS => {
            command::complete_runs(&words.collect::<Vec<_>>(), &mut Console::default());
            return ExitCode::SUCCESS;
        }
        Some(first) if first == CONFINED => {
            become_confined(words);
            return Exit::Usage.into();
        }
        _ => {}
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are reported this way too.
        Err(answer) => return print_message(&answer).into(),
    };
    let mut console = Console::new(cli.color);
    console.log(cli.verbose, matches!(cli.verb, Verb::Serve(_)));
    let outcome = command::execute(&cli, &mut console);
    let written = console.finish();
    if let Err(error) = outcome.as_ref().and(written.as_ref()) {
        console.error(&chain(error));
    }
    match (outcome, written) {
        // What was asked for has been done, but for its output.
        (Ok(Exit::Done), Err(error)) | (Err(error), _) => error.exit().into(),
        (Ok(exit), _) => exit.into(),
    }
}

/// Prints the parser's message. A closed stdout is not an error.
fn print_message(answer: &clap::Error) -> Exit {
    match answer.print() {
        Err(error) if !answer.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            Console::default().error(&format!("cannot write to stdout: {}", reason(&error)));
            Exit::ActionFailed
        }
        _ if answer.use_stderr() => Exit::Usage,
        _ => Exit::Done,
    }
}
