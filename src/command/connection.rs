//! The server that a client verb speaks to: the command line's options become an [`Endpoint`], and
//! its refusals an error of this program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::Connection;
use crate::client::{ClientError, ClientTls, Endpoint, Identity, Mode};
use crate::console::Console;
use crate::error::Error;

/// The endpoint that the options name.
pub(super) fn resolve(
    args: &Connection,
    connect_timeout: Duration,
    console: &mut Console,
) -> Result<Endpoint, Error> {
    let mode = if args.legacy { Mode::Legacy } else { Mode::Framed };
    let (host, port, tls) = (args.host.clone(), args.port, tls(args)?);
    if args.tls_insecure {
        console.warn("--tls-insecure: whoever is on the way can read the token and change replies");
    }
    Ok(Endpoint { host, port, mode, tls, connect_timeout })
}

/// A certificate and its key, of which neither is of use alone.
pub(super) fn identity(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<Identity>, Error> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            Ok(Some(Identity { cert: cert.to_owned(), key: key.to_owned() }))
        }
        (Some(_), None) => Err(half("--tls-cert", "--tls-key")),
        (None, Some(_)) => Err(half("--tls-key", "--tls-cert")),
    }
}

/// A client's failure as this program's.
pub(super) fn failure(error: &ClientError) -> Error {
    Error::new(error.exit(), error.line())
}

fn tls(args: &Connection) -> Result<Option<ClientTls>, Error> {
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

/// An option that only TLS gives a meaning.
fn without_tls(args: &Connection) -> Option<&'static str> {
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
