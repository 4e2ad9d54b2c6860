//! The options of `ldctl run URL`.

use clap::Args;

use super::values::requests;

/// The request that a URL is asked for.
#[derive(Args, Debug, Default)]
pub struct OneLiner {
    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD", help_heading = "Request to a URL")]
    pub method: Option<String>,

    /// Header (repeatable)
    #[arg(short = 'H', long, value_name = "NAME: VALUE", help_heading = "Request to a URL")]
    pub header: Vec<String>,

    /// Body; @FILE reads it, @- from stdin. Sent as a form, unless a header says otherwise
    #[arg(short, long, value_name = "TEXT|@FILE", help_heading = "Request to a URL")]
    pub data: Option<String>,

    /// Body as JSON; @FILE reads it
    #[arg(
        long,
        value_name = "JSON|@FILE",
        conflicts_with = "data",
        help_heading = "Request to a URL"
    )]
    pub json_body: Option<String>,

    /// Use HTTP/2, or offer it with TLS
    #[arg(long, help_heading = "Request to a URL")]
    pub http2: bool,

    /// Do not verify the certificate
    #[arg(long, help_heading = "Request to a URL")]
    pub insecure: bool,

    /// End after so many requests, instead of a time
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        value_parser = requests,
        allow_negative_numbers = true,
        help_heading = "Request to a URL"
    )]
    pub requests: Option<i64>,
}

impl OneLiner {
    /// The options that are given.
    pub fn options(&self) -> Vec<&'static str> {
        let given = [
            ("--method", self.method.is_some()),
            ("--header", !self.header.is_empty()),
            ("--data", self.data.is_some()),
            ("--json-body", self.json_body.is_some()),
            ("--http2", self.http2),
            ("--insecure", self.insecure),
            ("--requests", self.requests.is_some()),
        ];
        given.into_iter().filter_map(|(option, given)| given.then_some(option)).collect()
    }
}
