//! The server of a client verb: converts the command line's options to an [`Endpoint`], and the
//! client's errors to errors of this program.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{choice, token};
use crate::cli::{Connection, DEFAULT_PORT, TokenSource, Way};
use crate::client::{ClientError, Endpoint};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::ErrorKind;
use crate::wire::frame::Mode;
use crate::wire::tls::{ClientTls, Identity};
use crate::wire::token::Token;

/// The default timeout of replies. LoadDensity's own server sends nothing until the last action has
/// ended, so a long test must fit.
pub(super) const SILENCE: Duration = Duration::from_secs(3600);

/// Returns the endpoint and the token for the options, and warns where others could read the token.
pub(super) fn resolve(
    args: &Connection,
    source: &TokenSource,
    connect_timeout: Duration,
    console: &mut Console,
) -> Result<(Endpoint, Option<Token>), Error> {
    let (Connection { host, port, way, .. }, source) = choice::chosen(args, source)?;
    let host = host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
    let port = port.unwrap_or(DEFAULT_PORT);
    let mode = if way.legacy { Mode::Legacy } else { Mode::Framed };
    let tls = tls(&way)?;
    if way.tls_insecure {
        console.warn(
            "--tls-insecure: anyone on the network path can read the token and change replies",
        );
    }
    let token = token::resolve(&source, console)?;
    if token.is_some() && tls.is_none() && !is_loopback(&host) {
        console.warn("without TLS, anyone on the way can read the token; --tls prevents that");
    }
    Ok((Endpoint { host, port, mode, tls, connect_timeout }, token))
}

/// Refuses what an unframed request cannot ask for, before anything is sent: `needs` is what is asked
/// for, and whether it is.
pub(super) fn framed(
    endpoint: &Endpoint,
    args: &Connection,
    needs: &[(&str, bool)],
) -> Result<(), Error> {
    let asked = needs.iter().find(|(_, asked)| *asked);
    match (endpoint.mode, asked) {
        (Mode::Legacy, Some((what, _))) => Err(Error::usage(match args.way.legacy {
            true => format!("{what} needs a framed request; drop --legacy"),
            false => format!("{what} needs a framed request, and the context is --legacy"),
        })),
        _ => Ok(()),
    }
}

/// The server where nothing names one.
const DEFAULT_HOST: &str = "localhost";

/// Whether a host is this machine by its name alone, as it is for the server.
fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// A certificate and its key, which are only useful together.
pub(super) fn identity(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<Identity>, Error> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            let (cert, key) = (cert.to_owned(), key.to_owned());
            Ok(Some(Identity { cert, key, credentials: false }))
        }
        (Some(_), None) => Err(half("--tls-cert", "--tls-key")),
        (None, Some(_)) => Err(half("--tls-key", "--tls-cert")),
    }
}

/// Converts a client's error to this program's.
pub(super) fn failure(error: &ClientError) -> Error {
    let mut line = error.line();
    if let ClientError::Refused { refusal, .. } = error
        && refusal.message.starts_with("unknown run ")
    {
        line.push_str("; `ldctl runs` lists them");
    }
    Error::new(exit(error), line)
}

/// The same where an option other than --host and --port names the server.
pub(super) fn failure_of(error: &ClientError, option: &str) -> Error {
    let words = ["--host and --port", "--host, --port", "--host", "--port"];
    let line = words.iter().fold(error.line(), |line, name| line.replace(name, option));
    Error::new(exit(error), line)
}

/// The exit code of a client's error.
fn exit(error: &ClientError) -> Exit {
    match error {
        ClientError::TlsSetup(_) | ClientError::TooLong(_) => Exit::Usage,
        ClientError::TokenRequired { .. } | ClientError::Unauthorised { .. } => Exit::Refused,
        ClientError::Busy { .. } => Exit::Busy,
        ClientError::Refused { refusal, .. } => match refusal.kind {
            ErrorKind::InvalidJson
            | ErrorKind::InvalidDocument
            | ErrorKind::Limit
            | ErrorKind::UnknownRun
            | ErrorKind::Unavailable => Exit::ActionFailed,
            _ => Exit::Unreachable,
        },
        _ => Exit::Unreachable,
    }
}

pub(super) fn tls(args: &Way) -> Result<Option<ClientTls>, Error> {
    if !args.tls {
        return match without_tls(args) {
            Some(option) => {
                Err(Error::usage(format!("{option} has no effect without --tls; add --tls")))
            }
            None => Ok(None),
        };
    }
    if args.tls_insecure && args.tls_ca.is_some() {
        return Err(Error::usage("--tls-insecure trusts anyone and --tls-ca does not; give one"));
    }
    Ok(Some(ClientTls {
        ca: args.tls_ca.clone(),
        server_name: args.tls_server_name.clone(),
        identity: identity(args.tls_cert.as_deref(), args.tls_key.as_deref())?,
        insecure: args.tls_insecure,
    }))
}

/// Returns an option that has no meaning without TLS, if one is given.
fn without_tls(args: &Way) -> Option<&'static str> {
    let path = |given: &Option<PathBuf>| given.is_some();
    [
        ("--tls-ca", path(&args.tls_ca)),
        ("--tls-cert", path(&args.tls_cert)),
        ("--tls-key", path(&args.tls_key)),
        ("--tls-server-name", args.tls_server_name.is_some()),
        ("--tls-insecure", args.tls_insecure),
    ]
    .into_iter()
    .find_map(|(option, given)| given.then_some(option))
}

fn half(given: &str, missing: &str) -> Error {
    Error::usage(format!("{given} is given without {missing}; give both, or neither"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::refusal::Refusal;
    use crate::wire::request::TooLong;

    #[test]
    fn t56_only_this_machine_is_loopback() {
        for host in ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "::", "fe80::1%lo", "::ffff:10.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn what_needs_a_framed_request_is_refused_with_the_way_to_one() {
        use clap::Parser;
        let connection = |options: &[&str]| {
            let line = ["ldctl", "quit"].iter().chain(options);
            match crate::cli::Cli::try_parse_from(line).expect("options").verb {
                crate::cli::Verb::Quit(quit) => quit.connection,
                _ => panic!("another verb"),
            }
        };
        let legacy = Endpoint { mode: Mode::Legacy, ..Endpoint::new("h", 1) };
        let refusal = |endpoint: &Endpoint, options: &[&str], needs: &[(&str, bool)]| {
            framed(endpoint, &connection(options), needs).map_err(|error| error.to_string())
        };
        let needs = [("--name", false), ("--report", true)];
        assert_eq!(
            refusal(&legacy, &["--legacy"], &needs),
            Err("--report needs a framed request; drop --legacy".to_owned())
        );
        assert_eq!(
            refusal(&legacy, &[], &needs),
            Err("--report needs a framed request, and the context is --legacy".to_owned())
        );
        assert_eq!(refusal(&Endpoint::new("h", 1), &[], &needs), Ok(()));
        assert_eq!(refusal(&legacy, &["--legacy"], &[("--name", false)]), Ok(()));
    }

    #[test]
    fn every_kind_of_failure_has_its_exit_code() {
        let address = || "there:1".to_owned();
        let refused = |refusal| ClientError::refused(address(), refusal, false);
        for (error, code) in [
            (ClientError::TooLong(TooLong { length: 9000, most: 8192 }), Exit::Usage),
            (refused(Refusal::token_required()), Exit::Refused),
            (refused(Refusal::unauthorised()), Exit::Refused),
            (refused(Refusal::busy("x")), Exit::Busy),
            (refused(Refusal::invalid_document()), Exit::ActionFailed),
            (refused(Refusal::new(ErrorKind::InvalidJson, "x")), Exit::ActionFailed),
            (refused(Refusal::limit("x")), Exit::ActionFailed),
            (refused(Refusal::unavailable("x")), Exit::ActionFailed),
            (refused(Refusal::internal("x")), Exit::Unreachable),
            (refused(Refusal::speaks_tls()), Exit::Unreachable),
            (ClientError::NothingListens { address: address() }, Exit::Unreachable),
        ] {
            assert_eq!(failure(&error).exit(), code, "{error:?}");
        }
    }
}
