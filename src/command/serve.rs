//! `ldctl serve`: what was typed becomes listeners, limits and a policy; what is not safe is
//! refused before anything is accepted; a quit or a signal ends it.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::signal::Interrupt;
use super::{block_on, connection, credential, data_dir, service, token};
use crate::action::{Executor, Policy, Targets};
use crate::cli;
use crate::console::{Announcer, Console};
use crate::error::{Error, Exit, chain, reason};
use crate::server::{self, Counters, Limits, Listeners, Server};
use crate::wire::tls::{self, Identity, TlsError};
use crate::wire::token::Tokens;

pub(super) fn serve(args: &cli::Serve, console: &mut Console) -> Result<Exit, Error> {
    let inherited = service::sockets()?;
    let (tokens, _) = token::find(&args.token, console)?;
    let tokens = Tokens::new(&tokens);
    let tls = tls(args)?;
    let policy = Policy {
        data_dir: data_dir(args.data_dir.as_deref())?,
        allow_env: Some(args.allow_env.clone()),
        secret_env: token::variables(&args.token),
        targets: Targets::default(),
    };
    block_on(async {
        let listeners = listen(args, inherited)?;
        guard(args, &listeners, tokens.required(), tls.is_some(), console)?;
        let address = format!("{}:{}", listeners.host(), listeners.port());
        let announcer = Announcer::stdout()
            .map_err(|error| Error::usage(format!("cannot start a thread: {error}")))?;
        let executor = Arc::new(executor(policy, &listeners, &announcer)?);
        let server = Server {
            executor: Arc::clone(&executor) as _,
            tokens,
            framed_only: args.framed,
            tls,
            limits: limits(&args.limits),
            counters: Arc::new(Counters::default()),
            announce: Box::new(announcer.speaker()),
        };
        let exit = until_stopped(listeners, server, &|| status(&address, &executor)).await;
        announcer.close();
        exit
    })
}

/// Serves until a quit or a signal; a second signal does not wait for what still runs.
async fn until_stopped(
    listeners: Listeners,
    server: Server,
    status: service::Status<'_>,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    let shutdown = CancellationToken::new();
    let mut attending = pin!(service::attend(status, &shutdown));
    let mut serving = pin!(server::run(listeners, server, shutdown.clone()));
    let mut asked = false;
    loop {
        tokio::select! {
            // First, so that the service manager hears of the end before it comes.
            biased;
            never = &mut attending => match never {},
            () = &mut serving => return Ok(Exit::Done),
            () = interrupt.next() => {
                if asked {
                    return Ok(Exit::Interrupted);
                }
                asked = true;
                shutdown.cancel();
            }
        }
    }
}

/// Sockets that the service manager handed over, or else new ones.
fn listen(args: &cli::Serve, inherited: Vec<TcpListener>) -> Result<Listeners, Error> {
    if inherited.is_empty() {
        return Listeners::bind(&args.host, args.port).map_err(|error| Error::usage(chain(&error)));
    }
    Listeners::inherited(inherited).map_err(|error| {
        Error::usage(format!("cannot use the sockets from the service manager: {}", reason(&error)))
    })
}

/// For the service manager: where the server listens and what it does.
fn status(address: &str, executor: &Executor) -> String {
    match executor.running() {
        Some(test) => format!("Listening on {address}; run {} makes load: {}", test.run, test.name),
        None => format!("Listening on {address}; {} runs, none makes load now", executor.runs()),
    }
}

/// A test must not be turned on the server itself, whose ports are known only now.
fn executor(
    mut policy: Policy,
    listeners: &Listeners,
    announcer: &Announcer,
) -> Result<Executor, Error> {
    policy.targets.own_ports.extend(listeners.addresses().map(|address| address.port()));
    let place = policy.data_dir.display().to_string();
    Executor::new(policy)
        .map(|executor| executor.with_output(Box::new(announcer.speaker())))
        .map_err(|error| Error::usage(format!("cannot use the data directory {place}: {error}")))
}

/// Refuses to be open to a network without a token, and warns when the token can be read there.
fn guard(
    args: &cli::Serve,
    listeners: &Listeners,
    token: bool,
    tls: bool,
    console: &mut Console,
) -> Result<(), Error> {
    let Some(open) = listeners.addresses().find(|address| !address.ip().is_loopback()) else {
        return Ok(());
    };
    match (token, tls) {
        (false, _) if !args.allow_unauthenticated => Err(Error::usage(format!(
            "{} is open to the network and there is no token: give one with --token-env or \
             --token-file, or say --allow-unauthenticated",
            if listeners.are_inherited() {
                format!("the inherited socket {open}")
            } else {
                format!("--host {}", args.host)
            }
        ))),
        (false, _) => {
            console.warn("without a token, anyone who reaches this port can start load");
            Ok(())
        }
        (true, false) => {
            console.warn(
                "without TLS, anyone on the way can read the token; --tls-cert and --tls-key \
                 prevent that",
            );
            Ok(())
        }
        (true, true) => Ok(()),
    }
}

fn tls(args: &cli::Serve) -> Result<Option<Arc<tokio_rustls::rustls::ServerConfig>>, Error> {
    let Some(identity) = identity(args)? else {
        return match args.tls_client_ca {
            Some(_) => Err(Error::usage(
                "--tls-client-ca has no effect without TLS: give --tls-cert and --tls-key",
            )),
            None => Ok(None),
        };
    };
    tls::server_config(&identity, args.tls_client_ca.as_deref())
        .map(Some)
        .map_err(|error: TlsError| Error::usage(chain(&error)))
}

/// The certificate and key that the command line names, else those among systemd's credentials.
fn identity(args: &cli::Serve) -> Result<Option<Identity>, Error> {
    let named = connection::identity(args.tls_cert.as_deref(), args.tls_key.as_deref())?;
    if named.is_some() {
        return Ok(named);
    }
    match (credential::find(credential::CERTIFICATE)?, credential::find(credential::KEY)?) {
        (Some(cert), Some(key)) => Ok(Some(Identity { cert, key })),
        (None, None) => Ok(None),
        (cert, _) => {
            let (given, missing) = match cert {
                Some(_) => (credential::CERTIFICATE, credential::KEY),
                None => (credential::KEY, credential::CERTIFICATE),
            };
            Err(Error::usage(format!(
                "there is a credential {given} and none {missing}: give both, or neither"
            )))
        }
    }
}

fn limits(args: &cli::Limits) -> Limits {
    Limits {
        connections: args.max_connections,
        handshake: Duration::from_secs_f64(args.handshake_timeout),
        request: Duration::from_secs_f64(args.request_timeout),
        request_bytes: args.max_request_bytes,
        reply_queue: args.max_reply_queue,
        shutdown: Duration::from_secs_f64(args.shutdown_timeout),
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    #[test]
    fn the_limits_in_the_help_are_those_of_the_server() {
        let Ok(Cli { verb: Verb::Serve(args), .. }) = Cli::try_parse_from(["ldctl", "serve"])
        else {
            panic!("it did not parse");
        };
        assert_eq!(format!("{:?}", limits(&args.limits)), format!("{:?}", Limits::default()));
    }
}
