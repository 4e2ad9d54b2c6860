//! `ldctl convert`: what other tools keep as a document.

use super::document::{self, Taker};
use super::new_file;
use crate::action::convert::{Choices, Source, convert as converted};
use crate::action::pretty;
use crate::cli::{Convert, Origin};
use crate::console::Console;
use crate::error::{Error, Exit};

pub(super) fn convert(args: &Convert, console: &mut Console) -> Result<Exit, Error> {
    if let Some(path) = &args.output {
        new_file::must_be_json(path, "convert")?;
    }
    let (text, name) = document::load(&args.file, Taker::Verb("convert"))?;
    let source = args.from.map(|from| match from {
        Origin::Har => Source::Har,
        Origin::Curl => Source::Curl,
        Origin::OpenApi => Source::OpenApi,
        Origin::Postman => Source::Postman,
        Origin::K6 => Source::K6,
        Origin::JMeter => Source::JMeter,
    });
    let choices = Choices { host_only: args.host_only, think_time: args.think_time };
    let converted = converted(&text, source, choices);
    let converted = converted.map_err(|error| Error::usage(format!("{name}: {error}")))?;
    let text = pretty(converted.document);
    match args.output.as_deref().filter(|path| path.as_os_str() != "-") {
        Some(path) => new_file::write(path, &text, args.force)?,
        None => console.write(text.as_bytes()),
    }
    for note in &converted.notes {
        console.message(&format!("{name}: {note}"));
    }
    if !converted.variables.is_empty() {
        let names = converted.variables.join(", ");
        console
            .message(&format!("{name}: set these environment variables before it runs: {names}"));
    }
    Ok(Exit::Done)
}
