//! The options of the verbs that write documents.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Args, Command, ValueEnum, ValueHint};

/// `ldctl init`
#[derive(Args)]
#[command(override_usage = "ldctl init [OPTIONS] [TEMPLATE] <FILE>")]
pub struct Init {
    /// What the document shows [default: http]
    #[arg(value_name = "TEMPLATE", value_parser = TemplateOrFile)]
    pub first: Option<OsString>,

    /// The file to write; - prints to stdout
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub second: Option<PathBuf>,

    /// The target [default: a stub server that the document starts, so that it runs as it stands]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub host: Option<String>,

    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// The first word of `ldctl init`: a template, or the file where there is no template. Options may
/// stand between the two, which an optional first argument does not allow.
#[derive(Debug, Clone)]
pub(super) struct TemplateOrFile;

impl TypedValueParser for TemplateOrFile {
    type Value = OsString;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OsString, clap::Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let templates = Template::value_variants().iter();
        Some(Box::new(templates.filter_map(ValueEnum::to_possible_value)))
    }
}

/// The documents to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A request and an assertion
    Http,
    /// Logging in once per user, and sending the token
    Login,
    /// Users from a CSV file
    Csv,
    /// A fixed number of iterations per second
    OpenModel,
    /// A number of users that changes over time
    Stages,
    /// Gates and reports for CI
    Gates,
}

/// `ldctl convert`
#[derive(Args)]
pub struct Convert {
    /// A HAR recording, an OpenAPI document, a Postman collection, a k6 script, a JMeter test plan, or a text
    /// with commands of curl; - reads stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// What the file is [default: found out]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: Option<Origin>,

    /// Leave out requests to other hosts than that of the first page
    #[arg(long)]
    pub host_only: bool,

    /// Keep pauses (recorded ones, timers, sleeps) as waits (think_time)
    #[arg(long)]
    pub think_time: bool,

    /// The file to write [default: stdout]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}

/// What can be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    /// A recording of a browser or proxy
    Har,
    /// Commands of curl
    Curl,
    /// An API as OpenAPI 3 or Swagger 2, in JSON or YAML
    #[value(name = "openapi")]
    OpenApi,
    /// A Postman collection of version 2.0 or 2.1
    Postman,
    /// A k6 script
    K6,
    /// A JMeter test plan
    #[value(name = "jmeter", alias = "jmx")]
    JMeter,
}
