//! A page as text for a terminal.

use super::members::{Group, groups, type_text};
use super::{Concept, Topic, concepts};
use crate::action::command::Declaration;
use crate::action::registry::families;
use crate::protocol::UserKind;
use crate::value::Field;

/// The width of paragraphs, in characters.
const WIDTH: usize = 96;

/// The list of commands and concepts.
pub fn overview() -> String {
    let names =
        families().iter().flat_map(|family| family.commands).map(|known| known.name().len());
    let width = names.max().unwrap_or_default();
    let mut out = String::new();
    for family in families() {
        out.push_str(&format!("{}:\n", family.title));
        for command in family.commands {
            out.push_str(&format!("  {:width$}  {}\n", command.name(), command.doc()));
        }
        out.push('\n');
    }
    out.push_str("Concepts:\n");
    for concept in concepts() {
        out.push_str(&format!("  {:width$}  {}\n", concept.name, concept.summary()));
    }
    out.push_str(
        "\nRun `ldctl explain NAME` for one of them, and `ldctl explain LD_start_test.tasks` for a parameter.\n",
    );
    out
}

/// A page.
pub fn text(topic: &Topic) -> String {
    match topic {
        Topic::Concept(concept) => of_concept(concept),
        Topic::Command(command) => of_command(command),
        Topic::User(user) => of_user(user),
        Topic::Members { path, found } => {
            let pages = found.iter().map(|(object, field)| of_member(path, object, field));
            pages.collect::<Vec<_>>().join("\n")
        }
    }
}

fn of_concept(concept: &Concept) -> String {
    format!("{}\n\n{}\n", concept.name.to_uppercase(), concept.text)
}

fn of_command(command: &Declaration) -> String {
    let manual = command.manual();
    let mut out = format!("{}\n\n{}", command.name(), paragraphs(command.doc()));
    if !manual.text.is_empty() {
        out.push_str(&format!("\n{}", paragraphs(manual.text)));
    }
    match command.parameters() {
        None => {}
        Some([]) => out.push_str("\nPARAMETERS: none\n"),
        Some(fields) => {
            out.push_str("\nPARAMETERS, by name or in this order:\n");
            table(&fields.iter().collect::<Vec<_>>(), &mut out);
        }
    }
    out.push_str(&format!("\nRESULT:\n{}", indented(&paragraphs(manual.returns))));
    example(manual.example, &mut out);
    let nested = command.parameters().unwrap_or_default();
    if let Some(field) = nested.iter().find(|field| !groups(&field.kind).is_empty()) {
        let line = format!(
            "Run `ldctl explain {}.{}` for the members of a parameter.",
            command.name(),
            field.name
        );
        out.push_str(&format!("\n{line}\n"));
    }
    out
}

fn of_user(user: &UserKind) -> String {
    let mut out = format!("{}\n\n{}", user.name, paragraphs(user.doc));
    out.push_str("\nMEMBERS of its tasks:\n");
    table(&user.fields.iter().copied().flatten().collect::<Vec<_>>(), &mut out);
    out.push_str("\nRun `ldctl explain LD_start_test.tasks` for the members that every task has");
    for name in user.options {
        out.push_str(&format!(
            ", `ldctl explain LD_start_test.{name}` for an argument of its tests"
        ));
    }
    out.push_str(".\n");
    out
}

fn of_member(path: &str, object: &str, field: &'static Field) -> String {
    let mut out = format!("{path}\n");
    if !object.is_empty() {
        out.push_str(&format!("  in: {object}\n"));
    }
    out.push_str(&format!("  {}\n", facts(field)));
    if let Some(alias) = field.alias {
        out.push_str(&format!(
            "  also: {}\n",
            if path.ends_with(alias) { field.name } else { alias }
        ));
    }
    out.push_str(&format!("\n{}", paragraphs(field.doc)));
    if !field.note.is_empty() {
        out.push_str(&paragraphs(field.note));
    }
    for Group { title, fields } in groups(&field.kind) {
        let of = if title.is_empty() { String::new() } else { format!(" of {title}") };
        out.push_str(&format!("\nMEMBERS{of}:\n"));
        table(&fields, &mut out);
    }
    example(field.example, &mut out);
    out
}

/// Type, default and unit of a field.
fn facts(field: &Field) -> String {
    let mut facts = type_text(&field.kind);
    if field.is_required() {
        facts.push_str(", required");
    }
    if let Some(default) = field.default_text() {
        facts.push_str(&format!(", default {default}"));
    }
    if let Some(unit) = field.measured_in() {
        facts.push_str(&format!(", unit: {unit}"));
    }
    facts
}

fn table(fields: &[&Field], out: &mut String) {
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
    for field in fields {
        out.push_str(&format!("  {:width$}  {}\n", field.name, facts(field)));
        let note = if field.note.is_empty() { String::new() } else { format!(" {}", field.note) };
        for line in wrapped(&format!("{}{note}", field.doc), WIDTH.saturating_sub(width + 4)) {
            out.push_str(&format!("  {:width$}    {line}\n", ""));
        }
    }
}

fn example(json: &str, out: &mut String) {
    if !json.is_empty() {
        out.push_str(&format!("\nEXAMPLE:\n{}", indented(json)));
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Paragraphs, each of its lines no longer than the width.
fn paragraphs(text: &str) -> String {
    let lines = text.lines().flat_map(|line| match line {
        "" => vec![String::new()],
        line => wrapped(line, WIDTH),
    });
    lines.map(|line| line + "\n").collect()
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(text(&find(name).expect(name)), expected);
    }

    #[test]
    fn a_command_is_explained_with_its_parameters_its_result_and_an_example() {
        check(
            "register_csv_source",
            r#"LD_register_csv_source

Registers the CSV file whose rows ${csv.NAME.COLUMN} returns in turn.

The first row names the columns; columns are separated by commas. Each execution of a task that
uses the source takes one row, which all placeholders of that execution share. All virtual users
take rows from one source. After the last row it starts over, unless `cycle` is false; then the
placeholders stay as they are written.

PARAMETERS, by name or in this order:
  name       string, required
               Its name in placeholders. Without dots and braces.
  file_path  path, required
               A CSV file whose first row names the columns. In the data directory: of the server
               for `ldctl send`, of the working directory for `ldctl run`.
  cycle      boolean, default true
               Whether the rows start over after the last one.
  part       object {number, of}, default all of them
               Only a part of the rows, so that several machines use different ones.

RESULT:
  `null`.

EXAMPLE:
  ["LD_register_csv_source", {"name": "users", "file_path": "users.csv"}]

Run `ldctl explain LD_register_csv_source.part` for the members of a parameter.
"#,
        );
    }

    #[test]
    fn a_member_is_explained_with_its_unit_and_its_own_members() {
        check(
            "wait_time",
            r#"LD_start_test.wait_time
  number >= 0 or object {min, max}, default 0.1 to 0.2, unit: seconds

How long a user waits after an iteration.
With the default 10 users make at most about 66 iterations per second; 0 repeats without a wait.
It is ignored with arrival_rate.

MEMBERS:
  min  number >= 0, default 0, unit: seconds
         The shortest wait.
  max  number >= 0, default min, unit: seconds
         The longest wait.

EXAMPLE:
  {"min": 1, "max": 3}
"#,
        );
    }

    #[test]
    fn the_overview_has_a_line_for_every_command_and_concept() {
        let overview = overview();
        for name in crate::action::commands().chain(concepts().iter().map(|concept| &*concept.name))
        {
            assert!(overview.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name}");
        }
    }
}
