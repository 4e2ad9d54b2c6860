//! The JSON Schema of documents as a file: `LD_export_schema`.

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::value::{Field, Kind, Value};

pub(crate) const COMMANDS: &[Declaration] = &[Declaration::named(
    "LD_export_schema",
    "Writes the JSON Schema of documents.",
    &[Field::required("path", Kind::Path, "The file to write.")],
    |given| Ok(Box::new(Export(given.required("path")?.string()?))),
)
.text("`ldctl schema` prints the same.")
.returns("The path of the file.")
.example(r#"["LD_export_schema", {"path": "actions.schema.json"}]"#)];

#[derive(Debug)]
struct Export(String);

impl Command for Export {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let schema = context.interpreter().schema();
        // The reference creates directories for this file, and for no other.
        context.files().make_directories(&self.0)?;
        context.files().may_replace(&self.0, &["\"$schema\""])?;
        let path = context
            .files()
            .write_atomically(&self.0, |out| Ok(serde_json::to_writer_pretty(out, &schema)?))?;
        Ok(path.to_string_lossy().into_owned().into())
    }
}
