//! The numbers of runs in the completion scripts of bash, zsh and fish: the scripts call
//! `ldctl __runs` ([`RUNS`]) for them.

use clap_complete::Shell;

/// What scripts call to complete the number of a run: the shell, then the words that were typed after
/// the program's name. It is no verb, and not for people.
pub const RUNS: &str = "__runs";

/// The verbs whose argument is the number of a run.
const VERBS: [&str; 4] = ["attach", "report", "status", "stop"];

/// The script of a shell, which completes them as well.
pub(super) fn with_run_numbers(shell: Shell, script: String) -> String {
    match shell {
        Shell::Bash => bash(script),
        Shell::Zsh => zsh(&script),
        Shell::Fish => fish(script),
        _ => script,
    }
}

/// A word that begins no option and follows none is the number.
fn bash(mut script: String) -> String {
    for verb in VERBS {
        let block = format!("        ldctl__subcmd__{verb})\n");
        let Some(begin) = script.find(&block) else { continue };
        let numbers = format!(
            "            if [[ ${{cur}} != -* && ${{prev}} != -* ]] ; then\n                \
             COMPREPLY=( $(compgen -W \"$(\"${{COMP_WORDS[0]}}\" {RUNS} bash \
             \"${{COMP_WORDS[@]:1}}\" 2>/dev/null)\" -- \"${{cur}}\") )\n                \
             return 0\n            fi\n"
        );
        script.insert_str(begin + block.len(), &numbers);
    }
    script
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
        assert_eq!(count(Shell::Bash, "__runs bash"), VERBS.len());
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
