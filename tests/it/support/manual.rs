//! The manual of action documents, as Markdown and as a man page: both from the definitions by which
//! documents are read, as `ldctl explain` is.

use std::collections::HashMap;

use ldctl::action::reference::{Group, concepts, groups, type_text};
use ldctl::action::{Declaration, families};
use ldctl::value::Field;
use roff::{Inline, Roff, bold, roman};

const MARKDOWN_HEAD: &str = "\
<!-- Made from the definitions of the commands by `TRYCMD=overwrite cargo test --test it`. -->

# Actions

Every command of action documents, with its parameters, its result and an example. [concepts.md](concepts.md) explains how they work
together, [recipes.md](recipes.md) has documents for common tasks. `ldctl explain COMMAND` prints the same on a terminal,
`ldctl schema` prints the JSON Schema for editors.

A parameter whose type is an object has a table of its own below the command. The default of a required parameter is
*required*. `null` is the same as leaving an optional parameter out.
";

/// `docs/actions.md`
pub(crate) fn markdown() -> String {
    let mut out = MARKDOWN_HEAD.to_owned();
    out.push('\n');
    for family in families() {
        let links = family
            .commands
            .iter()
            .map(|command| format!("[`{}`](#{})", command.name(), command.name().to_lowercase()));
        out.push_str(&format!("- {}: {}\n", family.title, links.collect::<Vec<_>>().join(", ")));
    }
    let mut seen = HashMap::new();
    for family in families() {
        out.push_str(&format!("\n## {}\n", family.title));
        for command in family.commands {
            markdown_command(command, &mut seen, &mut out);
        }
    }
    out
}

/// Objects that have a table already, by their first field and its place.
type Seen = HashMap<*const Field, String>;

fn markdown_command(command: &Declaration, seen: &mut Seen, out: &mut String) {
    let manual = command.manual();
    out.push_str(&format!("\n### {}\n\n{}\n", command.name(), command.doc()));
    if !manual.text.is_empty() {
        out.push_str(&format!("\n{}\n", manual.text));
    }
    let fields: Vec<&'static Field> = command.parameters().unwrap_or_default().iter().collect();
    if !fields.is_empty() {
        markdown_table(&fields, out);
    }
    out.push_str(&format!("\nReturns: {}\n", manual.returns));
    if !manual.example.is_empty() {
        out.push_str(&format!("\n```json\n{}\n```\n", manual.example));
    }
    markdown_members(command.name(), &fields, seen, out);
}

fn markdown_table(fields: &[&'static Field], out: &mut String) {
    out.push_str("\n| parameter | type | default | unit | meaning |\n|---|---|---|---|---|\n");
    for field in fields {
        let default = match field.default_text() {
            _ if field.is_required() => "*required*".to_owned(),
            Some(_) if field.default.is_none() => field.fallback.to_owned(),
            Some(text) => format!("`{text}`"),
            None => String::new(),
        };
        let alias = field.alias.map(|alias| format!(", `{alias}`")).unwrap_or_default();
        let mut meaning = sentences(field);
        // A table's cell is one line; longer examples stand in the text.
        if !field.example.is_empty() && !field.example.contains('\n') {
            meaning.push_str(&format!(" Example: `{}`", field.example));
        }
        let cells = [
            format!("`{}`{alias}", field.name),
            type_text(&field.kind),
            default,
            field.measured_in().unwrap_or_default().to_owned(),
            meaning,
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn sentences(field: &Field) -> String {
    [field.doc, field.note]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The members of parameters, each object once.
fn markdown_members(path: &str, fields: &[&'static Field], seen: &mut Seen, out: &mut String) {
    for (place, group, known) in nested(path, fields, seen) {
        let of = if group.title.is_empty() { String::new() } else { format!(": {}", group.title) };
        out.push_str(&format!("\n#### {place}{of}\n"));
        match known {
            Some(known) => out.push_str(&format!("\nThe members are those of `{known}`.\n")),
            None => {
                markdown_table(&group.fields, out);
                markdown_members(&place, &group.fields, seen, out);
            }
        }
    }
}

/// The objects in these fields: the place, the members, and the place of the same members before.
fn nested(
    path: &str,
    fields: &[&'static Field],
    seen: &mut Seen,
) -> Vec<(String, Group, Option<String>)> {
    let mut found = Vec::new();
    for field in fields {
        let place = format!("{path}.{}", field.name);
        for group in groups(&field.kind) {
            let first: *const Field = group.fields[0];
            let known = seen.get(&first).cloned();
            if known.is_none() {
                seen.insert(first, place.clone());
            }
            found.push((place.clone(), group, known));
        }
    }
    found
}

/// `man/ldctl-actions.5`
pub(crate) fn page() -> String {
    let mut page = Roff::new();
    let source = concat!("ldctl ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["ldctl-actions", "5", "", source, "File Formats"]);
    page.control("SH", ["NAME"]);
    page.text([roman("ldctl-actions - the format of action documents")]);
    for concept in concepts() {
        let title = match &*concept.name {
            "documents" => "DESCRIPTION".to_owned(),
            "files" => "DATA DIRECTORY".to_owned(),
            name => name.to_uppercase(),
        };
        page.control("SH", [&*title]);
        prose(concept.text, &mut page);
    }
    page.control("SH", ["COMMANDS"]);
    page.text([roman("A parameter whose type is an object is followed by its members.")]);
    let mut seen = HashMap::new();
    for command in families().iter().flat_map(|family| family.commands) {
        page_command(command, &mut seen, &mut page);
    }
    page.control("SH", ["FILES"]);
    page.control("TP", []);
    page.text([bold("/usr/share/ldctl/actions.json")]);
    page.text([roman("The JSON Schema of documents, as ldctl schema prints it.")]);
    page.control("SH", ["SEE ALSO"]);
    let pages = ["ldctl", "ldctl-explain", "ldctl-init", "ldctl-lint", "ldctl-run", "ldctl-send"];
    let mut listed = Vec::new();
    for name in pages {
        if !listed.is_empty() {
            listed.push(roman(", "));
        }
        listed.extend([bold(name), roman("(1)")]);
    }
    page.text(listed);
    page.render()
}

fn page_command(command: &Declaration, seen: &mut Seen, page: &mut Roff) {
    let manual = command.manual();
    page.control("SS", [command.name()]);
    page.text([roman(command.doc())]);
    prose(manual.text, page);
    let fields: Vec<&'static Field> = command.parameters().unwrap_or_default().iter().collect();
    page_fields(command.name(), &fields, seen, page);
    page.control("PP", []);
    page.text([vec![roman("Returns: ")], inlines(manual.returns)].concat());
    code(manual.example, page);
}

fn page_fields(path: &str, fields: &[&'static Field], seen: &mut Seen, page: &mut Roff) {
    for field in fields {
        page.control("TP", []);
        let mut facts = format!(" ({}", type_text(&field.kind));
        if field.is_required() {
            facts.push_str(", required");
        }
        if let Some(default) = field.default_text() {
            facts.push_str(&format!(", default {default}"));
        }
        if let Some(unit) = field.measured_in() {
            facts.push_str(&format!(", unit: {unit}"));
        }
        let alias = field.alias.map(|alias| format!(", {alias}")).unwrap_or_default();
        page.text([bold(format!("{}{alias}", field.name)), roman(facts + ")")]);
        page.text(inlines(&sentences(field)));
        for (place, group, known) in nested(path, &[field], seen) {
            page.control("RS", []);
            if !group.title.is_empty() || known.is_some() {
                page.control("PP", []);
                let title = if group.title.is_empty() { "Members" } else { &*group.title };
                let as_before = known.as_ref().map(|known| format!(": those of {known}"));
                page.text([roman(format!("{title}{}", as_before.unwrap_or(":".to_owned())))]);
            }
            if known.is_none() {
                page_fields(&place, &group.fields, seen, page);
            }
            page.control("RE", []);
        }
    }
}

/// The Markdown that the concepts and the commands use: paragraphs, lists, tables and code.
fn prose(text: &str, page: &mut Roff) {
    let mut lines = text.lines().peekable();
    let mut paragraph = String::new();
    while let Some(line) = lines.next() {
        let ends = line.is_empty()
            || line.starts_with("```")
            || line.starts_with("| ")
            || line.starts_with("- ");
        if ends {
            flush(&mut paragraph, page);
        }
        if line.starts_with("```") {
            let body: Vec<&str> =
                lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            code(&body.join("\n"), page);
        } else if line.starts_with("| ") {
            // The heading; the rule below it and the rows follow.
            lines.next();
            while let Some(row) = lines.next_if(|line| line.starts_with("| ")) {
                let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
                let (first, rest) = cells.split_first().expect("a row with cells");
                page.control("TP", []);
                page.text([bold(first.replace('`', ""))]);
                page.text(inlines(&rest.join("; ")));
            }
        } else if let Some(item) = line.strip_prefix("- ") {
            let mut item = item.to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
                item = format!("{item} {}", more.trim());
            }
            page.control("IP", ["\\(bu", "2"]);
            page.text(inlines(&item));
        } else if !line.is_empty() {
            paragraph = format!("{paragraph} {line}");
        }
    }
    flush(&mut paragraph, page);
}

fn flush(paragraph: &mut String, page: &mut Roff) {
    let text = std::mem::take(paragraph);
    if !text.is_empty() {
        page.control("PP", []);
        page.text(inlines(text.trim()));
    }
}

fn code(text: &str, page: &mut Roff) {
    if text.is_empty() {
        return;
    }
    page.control("PP", []);
    page.control("RS", ["4"]);
    page.control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("RE", []);
}

/// Text with `code`; of links the text remains.
fn inlines(text: &str) -> Vec<Inline> {
    let link = regex::Regex::new(r"\[([^\]]+)\]\([^)]+\)").expect("a pattern");
    let text = link.replace_all(text, "$1");
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}
