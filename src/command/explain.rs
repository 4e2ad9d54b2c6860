//! `ldctl explain` and `ldctl schema`: the format of documents, for people and for editors.

use crate::action::reference::{find, overview, overview_value, text, topic_value};
use crate::action::schema as actions;
use crate::cli::{Explain, Form};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::value::Value;

pub(super) fn explain(args: &Explain, console: &mut Console) -> Result<Exit, Error> {
    let topic = args.name.as_deref().map(find).transpose();
    let topic = topic.map_err(|unknown| Error::usage(unknown.to_string()))?;
    match args.output {
        Form::Text => {
            console.write(topic.as_ref().map_or_else(overview, text).as_bytes());
            Ok(Exit::Done)
        }
        Form::Json => print(&topic.as_ref().map_or_else(overview_value, topic_value), console),
    }
}

pub(super) fn schema(console: &mut Console) -> Result<Exit, Error> {
    print(&actions(), console)
}

fn print(value: &Value, console: &mut Console) -> Result<Exit, Error> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Error::usage(format!("this page cannot be written as JSON: {error}")))?;
    console.write(format!("{json}\n").as_bytes());
    Ok(Exit::Done)
}
