//! Completion scripts: clap's, and what its hints cannot say. Variables of the environment are
//! completed where an option names one, documents come before other files, and fish learns the values
//! of arguments without an option, which clap's script for it leaves out.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::run_numbers::with_run_numbers;

/// The options whose values name variables of the environment.
const VARIABLES: [&str; 1] = ["--allow-env"];

/// The verbs whose files are documents.
const DOCUMENTS: [&str; 4] = ["run", "send", "lint", "fmt"];

/// The script of a shell.
pub fn completion_script(shell: Shell) -> String {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "ldctl", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let script = match shell {
        Shell::Bash => bash(&script),
        Shell::Fish => script + &fish(&command),
        Shell::Zsh => zsh(&script),
        _ => script,
    };
    with_run_numbers(shell, script, &command)
}

/// Documents and directories in bash; where there are none, bash offers all files. Its names of files are
/// one a line, and readline puts the slash and the quotes to them.
const BASH: &str = r#"_ldctl_documents() {
    local path
    COMPREPLY=()
    while IFS= read -r path; do
        COMPREPLY+=("${path}")
    done < <(compgen -f -- "$1" | grep -E '[.](json|ya?ml|toml)$'; compgen -d -- "$1")
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]] ; then
        compopt -o filenames
    fi
}

"#;

/// In bash an option's values follow the case that is its name.
fn bash(script: &str) -> String {
    let mut out = BASH.to_owned();
    let mut option = "";
    let mut verb = String::new();
    for line in script.lines() {
        let label = line.trim();
        if let Some(name) =
            label.strip_suffix(')').filter(|name| name.starts_with("ldctl__subcmd__"))
        {
            verb = name.trim_start_matches("ldctl__subcmd__").to_owned();
        }
        if label.starts_with("--") && label.ends_with(')') {
            option = label.trim_end_matches(')');
        }
        if VARIABLES.contains(&option) && label.starts_with("COMPREPLY=($(compgen -f") {
            out.push_str(&line.replace("compgen -f", "compgen -v"));
            option = "";
        } else if DOCUMENTS.contains(&&*verb)
            && label == "COMPREPLY=( $(compgen -W \"${opts}\" -- \"${cur}\") )"
        {
            let indent = line.len() - label.len();
            out.push_str(line);
            let documents = "[[ ${cur} == -* ]] || _ldctl_documents \"${cur}\"";
            out.push_str(&format!("\n{0:indent$}{documents}", ""));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Lines that fish adds to those of clap.
fn fish(command: &Command) -> String {
    let mut out = String::new();
    let within =
        |verb: &str| format!("complete -c ldctl -n \"__fish_ldctl_using_subcommand {verb}\"");
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        for argument in verb.get_positionals() {
            let values = argument.get_possible_values();
            if values.is_empty() {
                continue;
            }
            let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            out.push_str(&format!("{} -f -a \"{}\"\n", within(name), names.join(" ")));
        }
        for option in verb.get_opts() {
            let long = option.get_long().unwrap_or_default();
            if VARIABLES.contains(&&*format!("--{long}")) {
                out.push_str(&format!(
                    "{} -l {long} -x -a \"(set --names --export)\"\n",
                    within(name)
                ));
            }
        }
    }
    for verb in DOCUMENTS {
        out.push_str(&format!("{} -k -f -a \"(__fish_complete_suffix .json)\"\n", within(verb)));
    }
    out
}

/// In zsh an option is one line that ends with what completes its values.
fn zsh(script: &str) -> String {
    let mut verb = "";
    let lines = script.lines().map(|line| {
        let label = line.trim();
        if let Some(name) = label.strip_prefix('(').and_then(|label| label.strip_suffix(')')) {
            verb = name;
        }
        let is_variable = VARIABLES.iter().any(|name| label.contains(&format!("{name}=")));
        if is_variable {
            line.replace(":_default'", ":_parameters -g \"*export*\"'")
        } else if DOCUMENTS.contains(&verb)
            && (label.starts_with("'::") || label.starts_with("'*::") || label.starts_with("':"))
        {
            line.replace(":_files'", ":_files -g \"*.(json|yaml|yml|toml)\"'")
        } else {
            line.to_owned()
        }
    });
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shell: Shell, has: &[&str]) {
        let script = completion_script(shell);
        for part in has {
            assert!(script.contains(part), "the script of {shell} lacks {part}");
        }
    }

    #[test]
    fn a_shell_completes_variables_documents_and_the_names_of_shells() {
        check(Shell::Bash, &["compgen -v", "[.](json|ya?ml|toml)$"]);
        check(
            Shell::Fish,
            &[
                "using_subcommand completions\" -f -a \"bash elvish fish powershell zsh\"",
                "using_subcommand serve\" -l allow-env -x -a \"(set --names --export)\"",
                "using_subcommand run\" -k -f -a \"(__fish_complete_suffix .json)\"",
            ],
        );
        check(Shell::Zsh, &["_parameters -g \"*export*\"", "_files -g \"*.(json|yaml|yml|toml)\""]);
    }
}
