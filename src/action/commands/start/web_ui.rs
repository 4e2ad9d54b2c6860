//! `web_ui_dict`: a page with the figures of a test while it runs, in place of Locust's, which could
//! start and stop load.

use crate::action::commands::exporters::LOCAL;
use crate::action::context::Context;
use crate::error::reason;
use crate::metrics::dashboard::{Dashboard, Subject};
use crate::net::permitted;
use crate::value::{Field, Invalid, Kind, Literal, Reader};

pub(super) const WEB_UI: &[Field] = &[
    Field::optional("host", Kind::Text, "The address to listen on.").or(LOCAL),
    Field::optional("port", Kind::Port, "The port; 0 picks a free one.").or(Literal::Int(8089)),
];

/// Where the page is served.
#[derive(Debug)]
pub(super) struct WebUi {
    host: String,
    port: u16,
}

impl WebUi {
    pub(super) fn read(field: &Reader<'_>) -> Result<Self, Invalid> {
        let mut fields = field.fields(WEB_UI)?;
        let host = fields.or_default("host", |host| host.string())?;
        let port = fields.or_default("port", |port| {
            let number = port.integer(0).ok().and_then(|port| u16::try_from(port).ok());
            number.ok_or_else(|| port.expected("a port, 0 to 65535"))
        })?;
        Ok(Self { host, port })
    }

    /// Serves the page, or says why not: the test runs without it.
    pub(super) fn serve(
        self,
        subject: Subject,
        context: &Context<'_>,
    ) -> Result<Dashboard, String> {
        let Self { host, port } = self;
        let started = permitted(&host, port, &context.policy().listen)
            .and_then(|addresses| Dashboard::of_test(subject, context.cumulative(), &addresses));
        started.map_err(|error| {
            let why = reason(&error);
            format!("web_ui_dict: the page of the test cannot use {host}:{port} ({why})")
        })
    }
}
