//! The manual of action documents, as Markdown and as a man page: both from the definitions by which
//! documents are read, as `ldctl explain` is.

use std::collections::HashMap;

use ldctl::action::reference::{Answered, Group, answers, concepts, groups, type_text, users};
use ldctl::action::{Declaration, families};
use ldctl::cli::ENVIRONMENT;
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

/// `docs/commands.md`
pub(crate) fn answered() -> String {
    let commands: Vec<_> = answers().collect();
    let users: Vec<_> = users().collect();
    let count = |list: &[(&str, Answered)], wanted: fn(&Answered) -> bool| {
        list.iter().filter(|(_, answered)| wanted(answered)).count()
    };
    let native = |answered: &Answered| *answered == Answered::Native;
    let executor = |answered: &Answered| *answered == Answered::Executor;
    let refused = |answered: &Answered| matches!(answered, Answered::Refused(_));
    let mut out = format!(
        "# Commands and users of LoadDensity\n\nLoadDensity 0.0.79 has {} commands. Of these {} are \
         native, {} run in the executor's Python (`--executor PYTHON`),\nand {} are refused. Of its {} \
         kinds of users {} are native, and {} run in the executor's Python.\n\nMade from the \
         definitions by a test. [differences.md](differences.md) lists what native commands do \
         differently, and\n[actions.md](actions.md) describes them.\n\n\
         | command | answered by |\n|---|---|\n",
        commands.len(),
        count(&commands, native),
        count(&commands, executor),
        count(&commands, refused),
        users.len(),
        count(&users, native),
        count(&users, executor),
    );
    let row = |(name, answered): &(&str, Answered)| match answered {
        Answered::Native => format!("| `{name}` | native |\n"),
        Answered::Executor => format!("| `{name}` | `--executor` |\n"),
        Answered::Refused(why) => format!("| `{name}` | refused: {why} |\n"),
    };
    out.extend(commands.iter().map(row));
    out.push_str("\n| user | requests made by |\n|---|---|\n");
    out.extend(users.iter().map(row));
    out
}

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

/// Objects that have a table already, by all that is said of their members.
type Seen = HashMap<String, String>;

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
        if !field.example.is_empty() {
            // A table's cell is one line.
            let lines: Vec<&str> = field.example.lines().map(str::trim).collect();
            meaning.push_str(&format!(" Example: `{}`", lines.join(" ")));
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
            // Not by their addresses: whether two constants share one is the compiler's choice.
            let mut table = String::new();
            markdown_table(&group.fields, &mut table);
            let known = seen.get(&table).cloned();
            if known.is_none() {
                seen.insert(table, place.clone());
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

/// A verb's examples, each with what it does.
const EXAMPLES: [(&str, &[(&str, &str)]); 8] = [
    (
        "ldctl",
        &[
            ("ldctl init http first.json", "Write a document to begin with."),
            ("ldctl run first.json", "Run it in this process."),
            ("ldctl explain LD_start_test", "Read about the command that makes load."),
        ],
    ),
    (
        "run",
        &[
            (
                "ldctl run test.json --target https://staging.example --users 5 --test-time 30s",
                "Run a document against another target, with less load.",
            ),
            (
                "ldctl run test.json --gate 'latency_p95<300ms'",
                "Exit with 1 if the figures are worse.",
            ),
        ],
    ),
    (
        "send",
        &[
            ("ldctl send --host load.example --tls test.json", "Run a document on a server."),
            (
                "ldctl send --detach --name nightly soak.json",
                "Leave it there, and print its number.",
            ),
        ],
    ),
    (
        "serve",
        &[(
            "ldctl serve --framed --token-file token --data-dir /srv/load --allow-env SHOP_PASSWORD",
            "Serve documents with files of one directory, which may read one variable.",
        )],
    ),
    ("lint", &[("ldctl lint load/*.json", "Check documents before they are committed.")]),
    (
        "explain",
        &[
            ("ldctl explain", "List commands and concepts."),
            ("ldctl explain tasks.assertions", "Read about a member of tasks."),
            ("ldctl explain -o json LD_assert_sla", "The same for tools."),
        ],
    ),
    (
        "init",
        &[
            (
                "ldctl init login shop.json --host https://shop.example",
                "A document that logs in, for a target.",
            ),
            (
                "ldctl init csv users.json",
                "One that runs as it stands, with the data that it reads.",
            ),
        ],
    ),
    (
        "convert",
        &[
            (
                "ldctl convert recording.har --host-only --think-time -o test.json",
                "Replay what a browser recorded.",
            ),
            ("ldctl convert - --from curl -o test.json", "Paste a command of curl, then Ctrl-D."),
        ],
    ),
];

/// The verbs that talk to a server.
const CLIENTS: &[&str] = &["send", "ping", "status", "stop", "runs", "attach", "report", "quit"];

/// Which verbs a variable concerns, by the first of its names in `ENVIRONMENT`; the pages of `ldctl`
/// and `ldctl context` list all of them.
const CONCERNED: [(&str, &[&str]); 8] = [
    ("LDCTL_SERVER", CLIENTS),
    ("LDCTL_CONTEXT", CLIENTS),
    ("LOAD_DENSITY_SOCKET_TOKEN", CLIENTS),
    ("XDG_CONFIG_HOME", CLIENTS),
    ("CREDENTIALS_DIRECTORY", &["serve"]),
    ("STATE_DIRECTORY", &["serve"]),
    ("http_proxy", &["run", "serve"]),
    ("NO_COLOR", &["run", "send", "attach"]),
];

/// Files, the verbs that they concern, and their meaning.
const FILES: [(&str, &[&str], &str); 3] = [
    (
        "/usr/share/ldctl/actions.json",
        &["ldctl", "schema", "init", "lint"],
        "The JSON Schema of documents.",
    ),
    ("/etc/ldctl/token", &["ldctl", "serve"], "The token of the packaged service."),
    (
        "/usr/share/doc/ldctl/examples",
        &["ldctl", "run", "init"],
        "Documents that run as they stand.",
    ),
];

/// The last sections of a verb's page: EXAMPLES, ENVIRONMENT, FILES and SEE ALSO.
pub(crate) fn sections(verb: &str) -> String {
    let mut page = Roff::new();
    let examples = EXAMPLES.iter().find(|(known, _)| *known == verb).map(|(_, examples)| *examples);
    if let Some(examples) = examples {
        page.control("SH", ["EXAMPLES"]);
        for (command, does) in examples {
            page.control("TP", []);
            page.text([bold(*command)]);
            page.text([roman(*does)]);
        }
    }
    let variables = ENVIRONMENT.iter().filter(|(names, _)| {
        let first = names.split(',').next().unwrap_or_default();
        let (_, verbs) = CONCERNED
            .iter()
            .find(|(known, _)| *known == first)
            .unwrap_or_else(|| panic!("say which verbs {first} concerns"));
        verbs.contains(&verb)
    });
    let variables: Vec<(&str, &str)> = variables.copied().collect();
    let files = FILES.iter().filter(|(_, verbs, _)| verbs.contains(&verb));
    let files = files.map(|(name, _, meaning)| (*name, *meaning)).collect();
    for (title, rows) in [("ENVIRONMENT", variables), ("FILES", files)] {
        if rows.is_empty() {
            continue;
        }
        page.control("SH", [title]);
        for (name, meaning) in rows {
            page.control("TP", []);
            page.text([bold(name)]);
            page.text([roman(meaning)]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    let others: &[&str] = match verb {
        "ldctl" => &["ldctl-run", "ldctl-serve", "ldctl-send", "ldctl-explain", "ldctl-init"],
        "explain" | "schema" | "init" | "convert" | "lint" => {
            &["ldctl", "ldctl-run", "ldctl-explain"]
        }
        _ => &["ldctl", "ldctl-explain"],
    };
    let mut listed: Vec<Inline> = Vec::new();
    for name in others.iter().filter(|name| **name != format!("ldctl-{verb}")) {
        listed.extend([bold(*name), roman("(1), ")]);
    }
    listed.extend([bold("ldctl-actions"), roman("(5)")]);
    page.text(listed);
    // Roff writes the definition of an apostrophe in front, which the page has already.
    page.to_roff()
}
