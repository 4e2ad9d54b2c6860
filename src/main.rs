//! Parses the command line, runs the verb, prints the error, and chooses the exit code.

use std::process::ExitCode;

use clap::Parser;
use ldctl::cli::Cli;
use ldctl::command;
use ldctl::console::{self, Console};
use ldctl::error::{Exit, chain};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version come this way too. A reader who has gone has seen enough.
            let _ = answer.print();
            return if answer.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    console::log(cli.verbose);
    let mut console = Console::new();
    let outcome = command::execute(&cli, &mut console);
    match outcome.and_then(|exit| console.finish().map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            console.error(&chain(&error));
            error.exit().into()
        }
    }
}
