//! `ldctl serve`: what was typed becomes listeners, limits and a policy; what is not safe is
//! refused before anything is accepted; a quit or a signal ends it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::secrets::{self, Sources};
use super::signal::{Hangup, Interrupt};
use super::{block_on, data_dir, token};
use crate::action::{Executor, Policy, Targets};
use crate::cli;
use crate::console::{Announcer, Console};
use crate::error::{Error, Exit, chain};
use crate::server::{self, Counters, Keyring, Limits, Listeners, Secrets, Server};

pub(super) fn serve(args: &cli::Serve, console: &mut Console) -> Result<Exit, Error> {
    let (sources, secrets) = secrets::find(args, console)?;
    let policy = Policy {
        data_dir: data_dir(args.data_dir.as_deref())?,
        allow_env: Some(args.allow_env.clone()),
        secret_env: token::variables(&args.token),
        targets: Targets::default(),
    };
    block_on(async {
        let listeners =
            Listeners::bind(&args.host, args.port).map_err(|error| Error::usage(chain(&error)))?;
        guard(args, &listeners, &secrets, console)?;
        let announcer = Announcer::stdout()
            .map_err(|error| Error::usage(format!("cannot start a thread: {error}")))?;
        let executor = executor(policy, &listeners, &announcer)?;
        let server = Server {
            executor: Arc::new(executor),
            keyring: Keyring::new(secrets),
            framed_only: args.framed,
            limits: limits(&args.limits),
            counters: Arc::new(Counters::default()),
            announce: Box::new(announcer.speaker()),
        };
        let exit = until_stopped(listeners, server, sources, console).await;
        announcer.close();
        exit
    })
}

/// Serves until a quit, a signal, or the end of its terminal; a second signal does not wait for what
/// still runs. SIGHUP makes it read its secrets again.
async fn until_stopped(
    listeners: Listeners,
    server: Server,
    sources: Sources,
    console: &mut Console,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    let keyring = server.keyring.clone();
    let mut following = pin!(sources.follow(&keyring, Hangup::listen()?, console));
    let shutdown = CancellationToken::new();
    let mut serving = pin!(server::run(listeners, server, shutdown.clone()));
    let mut asked = false;
    loop {
        tokio::select! {
            () = &mut serving => return Ok(Exit::Done),
            () = interrupt.next() => {
                if asked {
                    return Ok(Exit::Interrupted);
                }
                asked = true;
                shutdown.cancel();
            }
            () = &mut following, if !asked => {
                asked = true;
                shutdown.cancel();
            }
        }
    }
}

/// A test must not be turned on the server itself, whose port is known only now.
fn executor(
    mut policy: Policy,
    listeners: &Listeners,
    announcer: &Announcer,
) -> Result<Executor, Error> {
    policy.targets.own_ports.push(listeners.port());
    let place = policy.data_dir.display().to_string();
    Executor::new(policy)
        .map(|executor| executor.with_output(Box::new(announcer.speaker())))
        .map_err(|error| Error::usage(format!("cannot use the data directory {place}: {error}")))
}

/// Refuses to be open to a network without a token, and warns when the token can be read there.
fn guard(
    args: &cli::Serve,
    listeners: &Listeners,
    secrets: &Secrets,
    console: &mut Console,
) -> Result<(), Error> {
    if listeners.addresses().all(|address| address.ip().is_loopback()) {
        return Ok(());
    }
    match (secrets.tokens.required(), secrets.tls.is_some()) {
        (false, _) if !args.allow_unauthenticated => Err(Error::usage(format!(
            "--host {} is open to the network and there is no token: give one with --token-env or \
             --token-file, or say --allow-unauthenticated",
            args.host
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
