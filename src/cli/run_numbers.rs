//! The numbers of runs in the completion scripts of bash, zsh and fish: the scripts call
//! `ldctl __runs` ([`RUNS`]) for them.

use clap::Command;
use clap_complete::Shell;

/// What scripts call to complete the number of a run: the shell, then the words that were typed after
/// the program's name. It is no verb, and not for people.
pub const RUNS: &str = "__runs";

/// The verbs whose argument is the number of a run.
const VERBS: [&str; 5] = ["attach", "open", "report", "status", "stop"];

/// The script of a shell, which completes them as well.
pub(super) fn with_run_numbers(shell: Shell, script: String, command: &Command) -> String {
    match shell {
        Shell::Bash => bash(script, command),
        Shell::Zsh => zsh(&script),
        Shell::Fish => fish(script),
        _ => script,
    }
}

/// In bash, which splits words at `:` and `=` as well, so that they are put together again. A word that
/// begins no option, and is not the value of one, is the number.
const BASH: &str = r#"_ldctl_runs() {
    local line="${COMP_LINE}" n=-1 i option
    local -a words=()
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        if [[ ${n} -lt 0 || ${line} == [[:space:]]* ]] ; then
            n=$((n + 1))
            words[n]=""
            line="${line#"${line%%[![:space:]]*}"}"
        fi
        words[n]+="${COMP_WORDS[i]}"
        line="${line#"${COMP_WORDS[i]}"}"
    done
    [[ ${words[n]} == -* ]] && return 1
    for option in "$@"; do
        [[ ${words[n - 1]} == "${option}" ]] && return 1
    done
    COMPREPLY=( $(compgen -W "$("${words[0]}" __runs bash "${words[@]:1}" 2>/dev/null)" -- "${words[n]}") )
}

"#;

fn bash(mut script: String, command: &Command) -> String {
    for verb in VERBS {
        let block = format!("        ldctl__subcmd__{verb})\n");
        let Some(begin) = script.find(&block) else { continue };
        let options = valued(command, verb).join(" ");
        let numbers = format!("            _ldctl_runs {options} && return 0\n");
        script.insert_str(begin + block.len(), &numbers);
    }
    BASH.to_owned() + &script
}

/// The options of a verb whose value is the next word.
fn valued(command: &Command, verb: &str) -> Vec<String> {
    let options = command.find_subcommand(verb).into_iter().flat_map(Command::get_opts);
    let takes_next = options.filter(|option| !option.is_require_equals_set());
    takes_next
        .flat_map(|option| {
            let short = option.get_short().map(|short| format!("-{short}"));
            let long = option.get_long().map(|long| format!("--{long}"));
            short.into_iter().chain(long)
        })
        .collect()
}

fn zsh(script: &str) -> String {
    let script: Vec<String> = script
        .lines()
        .map(|line| match line.strip_suffix(":_default' \\") {
            Some(argument) if argument.starts_with("'::run -- ") => {
                format!("{argument}:_ldctl_runs' \\")
            }
            _ => line.to_owned(),
        })
        .collect();
    let function = format!(
        "_ldctl_runs() {{\n    local -a runs\n    runs=(\"${{(@f)$(ldctl {RUNS} zsh \
         \"${{(@Q)words}}\" 2>/dev/null)}}\")\n    [[ -n $runs ]] && _describe -V 'run' runs\n}}\n\n"
    );
    let script = script.join("\n") + "\n";
    script.replacen("_ldctl() {\n", &format!("{function}_ldctl() {{\n"), 1)
}

fn fish(mut script: String) -> String {
    for verb in VERBS {
        script.push_str(&format!(
            "complete -c ldctl -n \"__fish_ldctl_using_subcommand {verb}\" -f -k -a \"(ldctl {RUNS} \
             fish (commandline -opc)[2..] 2>/dev/null)\"\n"
        ));
    }
    script
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::{Cli, completion_script};
    use super::*;

    #[test]
    fn the_scripts_ask_for_runs_once_for_each_verb_that_takes_one() {
        let count = |shell, text: &str| completion_script(shell).matches(text).count();
        assert_eq!(count(Shell::Bash, "__runs bash"), 1);
        assert_eq!(count(Shell::Bash, "  _ldctl_runs --"), VERBS.len());
        assert_eq!(count(Shell::Fish, "__runs fish"), VERBS.len());
        assert_eq!(count(Shell::Zsh, ":_ldctl_runs' \\"), VERBS.len());
        assert_eq!(count(Shell::Zsh, "__runs zsh"), 1);
        assert_eq!(count(Shell::Elvish, "__runs"), 0);
        let cli = Cli::command();
        let takes_run =
            |verb: &&clap::Command| verb.get_positionals().any(|arg| arg.get_id() == "run");
        let mut verbs: Vec<&str> =
            cli.get_subcommands().filter(takes_run).map(clap::Command::get_name).collect();
        verbs.sort_unstable();
        assert_eq!(verbs, VERBS);
    }
}
