//! `ldctl serve`: resolves the options into listeners, limits and a policy; refuses unsafe settings
//! before accepting anything; ends with a quit or a signal.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::secrets::{self, Sources};
use super::setup::{self, block_on, data_dir, targets, test_limits};
use super::signal::{Asked, Interrupt, ReloadSignal};
use super::working_directory::assumed;
use super::{descriptors, executor, service, token, web};
use crate::action::{Executor, FileAccess, Policy};
use crate::cli;
use crate::console::{Announcer, Console};
use crate::counters::Counters;
use crate::error::{Error, Exit, chain, reason};
use crate::load::TestLimits;
use crate::memory::{self, Memory, readable};
use crate::net::Listeners;
use crate::run::{History, KEPT_RUNS, Runs, TESTS_AT_ONCE};
use crate::server::{self, Handle, Keyring, Limits, Secrets, Server};
use crate::web::Settings;

pub(super) fn serve(args: &cli::Serve, console: &mut Console) -> Result<Exit, Error> {
    descriptors::raise();
    let inherited = service::sockets()?;
    let (sources, secrets) = secrets::find(args, console)?;
    let memory = setup::memory(&args.documents);
    tracing::info!("what is held in memory stays below {} (--max-memory)", readable(memory.most()));
    raised(args)
        .chain(raised_memory(args))
        .chain(unused_proxies(&args.allow_env))
        .for_each(|line| console.warn(&line));
    let history = history(args);
    let runs = runs(args, history.as_deref(), &memory)?;
    let mut secret_files = sources.files();
    secret_files.extend(history.iter().flat_map(|path| History::files(path)));
    let data_dir = data_dir(args.data_dir.as_deref())?;
    let access = match args.data_dir {
        Some(_) => FileAccess::Visible,
        None => assumed(&data_dir),
    };
    if let FileAccess::Nothing(why) = &access {
        console.warn(&format!(
            "documents can use no files, because {why}; name a directory for them with --data-dir"
        ));
    }
    let policy = Policy {
        data_dir,
        access,
        secret_files,
        allow_env: Some(args.allow_env.clone()),
        secret_env: token::variables(&args.token),
        targets: targets(&args.documents)?,
        listen: args.documents.allow_listen.clone(),
        workers: args.documents.worker_allow.clone(),
        limits: test_limits(&args.documents),
        max_body_bytes: args.documents.max_body_bytes,
        memory: Arc::clone(&memory),
    };
    guard_executor(args, &secrets)?;
    let python = executor::start(&args.python, &policy, console)?;
    let python = python.zip(executor::engine(&args.python));
    block_on(async {
        let listeners = listen(args, inherited)?;
        guard(args, &listeners, &secrets, console)?;
        let pages = args.web.as_ref().map(web::listen).transpose()?;
        if let Some(pages) = &pages {
            guard_pages(args, pages, &secrets)?;
        }
        let address = format!("{}:{}", listeners.host(), listeners.port());
        let announcer = Announcer::stdout()
            .map_err(|error| Error::usage(format!("cannot start a thread: {}", reason(&error))))?;
        let counters = Arc::new(Counters::default());
        let own = pages.iter().flat_map(Listeners::addresses);
        let executor = executor_of(policy, listeners.addresses().chain(own), &announcer)?
            .with_counters(Arc::clone(&counters));
        let mut executor = executor.with_runs(runs);
        if let Some((python, engine)) = python {
            executor = executor.with_python(python, engine);
        }
        let executor = Arc::new(executor);
        let server = Server {
            executor: Arc::clone(&executor) as _,
            keyring: Keyring::new(secrets),
            framed_only: args.framed,
            limits: limits(&args.limits),
            counters,
            announce: Box::new(announcer.speaker()),
        };
        let ceiling = readable(memory.most());
        let status = || format!("{}; memory below {ceiling}", status(&address, &executor));
        let shutdown = CancellationToken::new();
        let keyring = server.keyring.clone();
        let handle = Handle::new(server, shutdown.clone());
        let settings = Settings { names: args.web_host.clone(), read_only: false };
        let open = |pages| web::open(pages, settings, handle.clone(), console);
        let door = pages.map(open).transpose()?;
        let serving = server::run(listeners, handle);
        let exit = until_stopped(serving, &keyring, shutdown, sources, &status, console).await;
        match (door, &exit) {
            (None, _) => {}
            (Some(door), Ok(Exit::Interrupted)) => door.abandon(),
            (Some(door), _) => door.close().await,
        }
        if matches!(exit, Ok(Exit::Interrupted)) {
            // A second signal waits for nothing: what still runs is left to the system.
            std::mem::forget(Arc::clone(&executor));
        }
        announcer.close();
        exit
    })
}

/// The file of the history: under systemd in the directory of its state unless another is named.
fn history(args: &cli::Serve) -> Option<PathBuf> {
    let state = || std::env::var_os("STATE_DIRECTORY").filter(|state| !state.is_empty());
    args.history.clone().or_else(|| state().map(|state| Path::new(&state).join("history.db")))
}

/// The table of runs, with those of the history.
fn runs(args: &cli::Serve, history: Option<&Path>, memory: &Arc<Memory>) -> Result<Runs, Error> {
    let runs = Runs::new(args.limits.max_tests, args.keep_runs, memory);
    let runs = if args.web.is_some() { runs.keeping_documents() } else { runs };
    let Some(path) = history else { return Ok(runs) };
    let (history, last) =
        History::open(path).map_err(|error| Error::usage(format!("--history {error}")))?;
    Ok(runs.with_history(history, last))
}

/// Serves until a quit, a signal, or the end of its terminal; a second signal waits for nothing.
/// SIGHUP reloads the secrets, SIGUSR1 prints the status. The service manager receives it, too.
async fn until_stopped(
    serving: impl Future<Output = ()>,
    keyring: &Keyring,
    shutdown: CancellationToken,
    sources: Sources,
    status: service::StatusLine<'_>,
    console: &mut Console,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    let mut following = pin!(sources.follow(keyring, ReloadSignal::listen()?, console));
    let mut attending = pin!(service::attend(status, &shutdown));
    let mut serving = pin!(serving);
    let mut asked = false;
    loop {
        tokio::select! {
            // Polled first, so that the service manager is notified before the server ends.
            biased;
            never = &mut attending => match never {},
            () = &mut serving => return Ok(Exit::Done),
            signal = interrupt.next() => match signal {
                Asked::Status => Console::default().message(&format!("status: {}", status())),
                Asked::Stop if asked => return Ok(Exit::Interrupted),
                Asked::Stop => {
                    asked = true;
                    shutdown.cancel();
                }
            },
            () = &mut following, if !asked => {
                asked = true;
                shutdown.cancel();
            }
        }
    }
}

/// Sockets that the service manager passed on, or new ones.
fn listen(args: &cli::Serve, inherited: Vec<TcpListener>) -> Result<Listeners, Error> {
    if inherited.is_empty() {
        return Listeners::bind(&args.host, args.port).map_err(|error| Error::usage(chain(&error)));
    }
    Listeners::inherited(inherited).map_err(|error| {
        Error::usage(format!("cannot use the sockets from the service manager: {}", reason(&error)))
    })
}

/// The status for the service manager: the address and the running test.
fn status(address: &str, executor: &Executor) -> String {
    match executor.status().run {
        Some(run) => {
            let name = run.name.unwrap_or_default();
            format!("Listening on {address}; run {} in progress: {name}", run.run)
        }
        None => format!("Listening on {address}; {} runs so far; no test running", executor.runs()),
    }
}

/// A test must not target the server itself, whose addresses are known only now.
fn executor_of(
    mut policy: Policy,
    own: impl Iterator<Item = SocketAddr>,
    announcer: &Announcer,
) -> Result<Executor, Error> {
    policy.targets.own.extend(own);
    let place = policy.data_dir.display().to_string();
    Executor::new(policy)
        .map(|executor| executor.owned_by("ldctl serve").with_output(Box::new(announcer.speaker())))
        .map_err(|error| {
            Error::usage(format!("cannot use the data directory {place}: {}", reason(&error)))
        })
}

/// Refuses to serve a network without a token, and warns if the token can be read on the network.
fn guard(
    args: &cli::Serve,
    listeners: &Listeners,
    secrets: &Secrets,
    console: &mut Console,
) -> Result<(), Error> {
    let Some(open) = listeners.addresses().find(|address| !address.ip().is_loopback()) else {
        // Loopback keeps other machines out, not other users.
        let open = !secrets.tokens.required() && args.tls_client_ca.is_none();
        if open && !args.allow_unauthenticated {
            console.warn(
                "without a token, any local user can use this port; --token-file or --token-env \
                 prevents that",
            );
        }
        return Ok(());
    };
    match (secrets.tokens.required(), secrets.tls.is_some()) {
        (false, _) if !args.allow_unauthenticated => Err(Error::usage(format!(
            "{} is open to the network and there is no token; give one with --token-env or \
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

/// The same for the web door, of whose rules the socket has warned already.
fn guard_pages(args: &cli::Serve, pages: &Listeners, secrets: &Secrets) -> Result<(), Error> {
    let is_open = pages.addresses().any(|address| !address.ip().is_loopback());
    if !is_open || secrets.tokens.required() || args.allow_unauthenticated {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--web {} is open to the network and there is no token; give one with --token-env or \
         --token-file, or say --allow-unauthenticated",
        pages.host()
    )))
}

/// Refuses to let documents of just anybody run code, or in a directory that nobody has chosen.
fn guard_executor(args: &cli::Serve, secrets: &Secrets) -> Result<(), Error> {
    let python = &args.python;
    if python.executor.is_none() {
        return Ok(());
    }
    let open = !secrets.tokens.required() && args.tls_client_ca.is_none();
    if open && !args.allow_unauthenticated {
        return Err(Error::usage(
            "with --executor documents can run code, and without a token any local user can send \
             them; give one with --token-env or --token-file, or say --allow-unauthenticated",
        ));
    }
    if args.data_dir.is_none() && !python.executor_unconfined {
        return Err(Error::usage(
            "--executor needs --data-dir, the directory that its Python reads and writes; \
             or say --executor-unconfined",
        ));
    }
    Ok(())
}

fn limits(args: &cli::Limits) -> Limits {
    Limits {
        connections: args.max_connections,
        handshake: Duration::from_secs_f64(args.handshake_timeout),
        request: Duration::from_secs_f64(args.request_timeout),
        request_bytes: args.max_request_bytes,
        documents: args.max_documents,
        reply_queue: args.max_reply_queue,
        watchers: args.max_watchers,
        shutdown: Duration::from_secs_f64(args.shutdown_timeout),
        ..Limits::default()
    }
}

/// A line for each proxy of the environment that load tests do not use: documents come over a
/// socket, and the operator decides which parts of this process's environment they may use.
fn unused_proxies(allowed: &[String]) -> impl Iterator<Item = String> {
    let names = ["http_proxy", "https_proxy", "all_proxy"];
    let spellings = names.into_iter().flat_map(|name| [name.to_owned(), name.to_ascii_uppercase()]);
    let set = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    spellings.filter(move |name| set(name) && !allowed.contains(name)).map(|name| {
        format!(
            "load tests do not use the proxy of {name}; --allow-env {name} lets them (and lets \
             documents read it)"
        )
    })
}

/// A line for each limit above its default, so that the log shows what clients can make the server
/// do.
fn raised(args: &cli::Serve) -> impl Iterator<Item = String> + use<> {
    let (server, defaults) = (&args.limits, Limits::default());
    let (documents, allowed) = (&args.documents, TestLimits::default());
    [
        ("--max-users", documents.max_users as f64, allowed.users as f64),
        ("--max-test-time", documents.max_test_time, allowed.seconds),
        ("--max-tasks", documents.max_tasks as f64, allowed.tasks as f64),
        ("--max-records", documents.max_records as f64, memory::RECORDS as f64),
        ("--max-body-bytes", documents.max_body_bytes as f64, Policy::DEFAULT_BODY_BYTES as f64),
        ("--max-connections", server.max_connections as f64, defaults.connections as f64),
        ("--handshake-timeout", server.handshake_timeout, defaults.handshake.as_secs_f64()),
        ("--request-timeout", server.request_timeout, defaults.request.as_secs_f64()),
        ("--max-request-bytes", server.max_request_bytes as f64, defaults.request_bytes as f64),
        ("--max-documents", server.max_documents as f64, defaults.documents as f64),
        ("--max-reply-queue", server.max_reply_queue as f64, defaults.reply_queue as f64),
        ("--max-tests", server.max_tests as f64, TESTS_AT_ONCE as f64),
        ("--max-watchers", server.max_watchers as f64, defaults.watchers as f64),
        ("--keep-runs", args.keep_runs as f64, KEPT_RUNS as f64),
        ("--shutdown-timeout", server.shutdown_timeout, defaults.shutdown.as_secs_f64()),
    ]
    .into_iter()
    .filter(|(_, value, default)| value > default)
    .map(|(flag, value, default)| format!("{flag} {value} is above its default of {default}"))
}

/// The same for memory, whose default depends on the machine.
fn raised_memory(args: &cli::Serve) -> Option<String> {
    let (chosen, default) = (args.documents.max_memory?, memory::half_of_machine());
    (chosen > default).then(|| {
        let (chosen, default) = (readable(chosen), readable(default));
        format!("--max-memory {chosen} is above its default of {default}, half of this machine")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    #[test]
    fn a_ceiling_for_memory_above_half_of_the_machine_is_reported() {
        let said = |size: &str| match Cli::try_parse_from(["ldctl", "serve", "--max-memory", size])
        {
            Ok(Cli { verb: Verb::Serve(args), .. }) => raised_memory(&args),
            _ => panic!("it did not parse"),
        };
        assert_eq!(said("16MiB"), None);
        let line = said("1000000GiB").expect("a line");
        assert!(line.starts_with("--max-memory 1000000 GiB is above its default of "), "{line}");
    }

    #[test]
    fn the_limits_in_the_help_are_those_of_the_server() {
        let Ok(Cli { verb: Verb::Serve(args), .. }) = Cli::try_parse_from(["ldctl", "serve"])
        else {
            panic!("it did not parse");
        };
        assert_eq!(format!("{:?}", limits(&args.limits)), format!("{:?}", Limits::default()));
        assert_eq!(test_limits(&args.documents), TestLimits::default());
        assert_eq!(args.documents.max_body_bytes, Policy::DEFAULT_BODY_BYTES);
        assert_eq!(args.documents.max_records, memory::RECORDS);
    }
}
