//! Documents in their forms: `LD_format_action_*`, which puts the keys of tasks in order, and files of
//! YAML and TOML, `LD_read_action_*` and `LD_write_action_*`.

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::action::format::formatted;
use crate::event::{Failure, FailureKind};
use crate::memory::Full;
use crate::value::{
    Field, Invalid, Kind, Literal, NoToml, Syntax, Value, json_weight, toml_weight, yaml_weight,
};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_format_action_document",
        "Returns a document with the keys of its tasks in one order.",
        &[Field::required("doc", Kind::Any, "The document.")],
        |given| Ok(Box::new(Format(given.required("doc")?.value().clone()))),
    )
    .text(
        "`method`, `request_url`, `url`, `name`, `weight` and `timeout` come first. Nothing is lost: \
         other members of the document stay.",
    )
    .returns("The document.")
    .example(
        r#"["LD_format_action_document", {"doc": [["LD_start_test", {
  "user_detail_dict": {}, "tasks": [{"request_url": "/", "method": "get"}]}]]}]"#,
    ),
    Declaration::named(
        "LD_format_action_string",
        "Returns the text of a document, formatted.",
        &[Field::required("text", Kind::Text, "The document as JSON."), INDENT],
        |given| {
            Ok(Box::new(FormatText {
                text: given.required("text")?.string()?,
                indent: given.or_default("indent", |indent| indent.integer(0))?,
            }))
        },
    )
    .returns("The text, with a line end.")
    .example(r#"["LD_format_action_string", {"text": "[[\"LD_summary\"]]"}]"#),
    Declaration::named(
        "LD_format_action_file",
        "Formats a document file, and returns its new text.",
        &[
            Field::required("file_path", Kind::Path, "The file, in the data directory.")
                .example("\"checkout.json\""),
            INDENT,
        ],
        |given| {
            Ok(Box::new(FormatFile {
                path: given.required("file_path")?.string()?,
                indent: given.or_default("indent", |indent| indent.integer(0))?,
            }))
        },
    )
    .text("`ldctl fmt` does the same to local files.")
    .returns("The text, with a line end.")
    .example(r#"["LD_format_action_file", {"file_path": "checkout.json"}]"#),
    Declaration::named(
        "LD_read_action_yaml",
        "Returns the document in a YAML file.",
        &[Field::required("yaml_file_path", Kind::Path, "The file, in the data directory.")
            .example("\"checkout.yaml\"")],
        |given| {
            let path = given.required("yaml_file_path")?.string()?;
            Ok(Box::new(Read { path, syntax: Syntax::Yaml, weigh: yaml_weight }))
        },
    )
    .text("The rules are those of YAML 1.1: `yes` is `true`, `1:30` is 90. Dates stay texts.")
    .returns("The document.")
    .example(r#"["LD_read_action_yaml", {"yaml_file_path": "checkout.yaml"}]"#),
    Declaration::named(
        "LD_write_action_yaml",
        "Writes a document as a YAML file.",
        &[
            Field::required("yaml_save_path", Kind::Path, "The file, in the data directory.")
                .example("\"checkout.yaml\""),
            Field::required("action_doc", Kind::Any, "The document."),
        ],
        |given| {
            let document = given.required("action_doc")?;
            let path = given.required("yaml_save_path")?.string()?;
            Ok(Box::new(Write { path, text: Ok(document.value().to_yaml()) }))
        },
    )
    .returns("`null`.")
    .example(
        r#"["LD_write_action_yaml", {"yaml_save_path": "checkout.yaml",
  "action_doc": [["LD_summary"]]}]"#,
    ),
    Declaration::named(
        "LD_read_action_toml",
        "Returns the document in a TOML file.",
        &[Field::required("toml_file_path", Kind::Path, "The file, in the data directory.")
            .example("\"checkout.toml\"")],
        |given| {
            let path = given.required("toml_file_path")?.string()?;
            Ok(Box::new(Read { path, syntax: Syntax::Toml, weigh: toml_weight }))
        },
    )
    .text("Dates stay texts.")
    .returns("The document.")
    .example(r#"["LD_read_action_toml", {"toml_file_path": "checkout.toml"}]"#),
    Declaration::named(
        "LD_write_action_toml",
        "Writes a document as a TOML file.",
        &[
            Field::required("toml_save_path", Kind::Path, "The file, in the data directory.")
                .example("\"checkout.toml\""),
            Field::required("action_doc", Kind::MEMBERS, "The document."),
        ],
        |given| {
            let text = match given.required("action_doc")?.value().to_toml() {
                Err(root @ NoToml::Root) => {
                    return Err(Invalid { pointer: String::new(), message: root.to_string() });
                }
                text => text.map_err(|error| error.to_string()),
            };
            Ok(Box::new(Write { path: given.required("toml_save_path")?.string()?, text }))
        },
    )
    .text("The document must be an object, `{\"load_density\": [...]}`, without `null`.")
    .returns("`null`.")
    .example(
        r#"["LD_write_action_toml", {"toml_save_path": "checkout.toml",
  "action_doc": {"load_density": [["LD_summary"]]}}]"#,
    ),
];

const INDENT: Field =
    Field::optional("indent", Kind::Between(0, 16), "Blanks for each level.").or(Literal::Int(2));

/// What documents have near their beginning, so that no other file is replaced.
const SIGNS: [&str; 2] = ["LD_", "load_density"];

fn lines(document: Value, indent: u64) -> String {
    let indent = usize::try_from(indent).unwrap_or(0).min(16);
    formatted(document).to_json_lines(indent) + "\n"
}

#[derive(Debug)]
struct Format(Value);

impl Command for Format {
    fn run(self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        Ok(formatted(self.0))
    }
}

#[derive(Debug)]
struct FormatText {
    text: String,
    indent: u64,
}

impl Command for FormatText {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let mut share = context.memory().share("values of a JSON text");
        share.grow(json_weight(&self.text)).map_err(|why| refused(&why))?;
        let document = Value::parse(&self.text).map_err(|error| {
            Failure::new(FailureKind::InvalidValue, format!("the text is not JSON: {error}"))
        })?;
        Ok(lines(document, self.indent).into())
    }
}

fn refused(full: &Full) -> Failure {
    Failure::new(FailureKind::Refused, full.to_string())
}

#[derive(Debug)]
struct FormatFile {
    path: String,
    indent: u64,
}

impl Command for FormatFile {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, indent } = *self;
        let text = lines(context.read_json(&path, 2, |_| Ok(()))?, indent);
        context.files().may_replace(&path, &SIGNS)?;
        context.files().write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
        Ok(text.into())
    }
}

#[derive(Debug)]
struct Read {
    path: String,
    syntax: Syntax,
    /// The memory that the values of a text take while they are built.
    weigh: fn(&str) -> usize,
}

impl Command for Read {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, syntax, weigh } = *self;
        read_as(context, &path, syntax, weigh)
    }
}

/// Reads a file; its text is weighed before its values are built.
pub(super) fn read_as(
    context: &mut Context<'_>,
    path: &str,
    syntax: Syntax,
    weigh: fn(&str) -> usize,
) -> Result<Value, Failure> {
    let invalid = |why: String| Failure::new(FailureKind::InvalidFile, why);
    let content = context.read(path).map_err(|failure| invalid(failure.message))?;
    let text = std::str::from_utf8(&content).map_err(|error| {
        invalid(format!("{path:?} is not UTF-8 (byte {})", error.valid_up_to()))
    })?;
    let mut share = context.memory().share("values of a file");
    let full = |why: Full| invalid(format!("{path:?}: {why}"));
    share.grow(weigh(text)).map_err(full)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = syntax
        .parse(text)
        .map_err(|why| invalid(format!("{path:?} is not {}: {why}", syntax.name())))?;
    share.set(value.weight()).map_err(full)?;
    context.hold(share);
    Ok(value)
}

#[derive(Debug)]
struct Write {
    path: String,
    /// Or why there is none.
    text: Result<String, String>,
}

impl Command for Write {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, text } = *self;
        let text = text.map_err(|why| Failure::new(FailureKind::InvalidArgument, why))?;
        context.files().may_replace(&path, &SIGNS)?;
        context.files().write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
        Ok(Value::Null)
    }
}
