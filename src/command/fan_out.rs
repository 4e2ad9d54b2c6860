//! `ldctl send --fan-out`: several servers make a test together. Each gets the document over its control
//! connection as a worker and is held by it; this process is their master and has the record of all.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::document::{self, Source, Taker};
use super::overrides;
use super::report_files::Reports;
use super::run::Runner;
use super::setup::{block_on, data_dir};
use super::{connection, descriptors};
use crate::action::{
    Clustered, FileAccess, Overrides, Policy, Rules, Share, Surroundings, Where, fan_out,
};
use crate::cli::{Connection, Send, ServerAddress, TOKEN_VARIABLE};
use crate::client::{CONNECT_TIMEOUT, ClientError, Endpoint, diagnose};
use crate::console::Console;
use crate::error::{Error, Exit, reason};
use crate::event::Event;
use crate::load::TestLimits;
use crate::net::route;
use crate::value::Value;
use crate::wire::dialect::Reply;
use crate::wire::parameters::{MOST_DETAIL, Parameters};
use crate::wire::request::Request;
use crate::wire::token::Token;

/// Where the master waits for its workers.
const PORT: u16 = 5557;

/// How long a server may take to end its run once the test is over, before its connection, which holds
/// the run, is closed.
const END: Duration = Duration::from_secs(10);

/// A server that takes part.
struct Server {
    address: ServerAddress,
    endpoint: Endpoint,
    token: Option<Token>,
    written: Box<RawValue>,
}

/// What a server has said of its run: why it failed, and its warnings.
type Said = Vec<String>;

pub(super) fn send(args: &Send, verbose: u8, console: &mut Console) -> Result<Exit, Error> {
    descriptors::raise();
    let overrides = overrides::resolve(&args.overrides, None)?;
    let rules: Rules = TestLimits::default().into();
    let around = Surroundings { place: Where::Here, rules, ..Surroundings::unknown() };
    let plain = match (&args.json, &args.file) {
        (Some(text), _) => document::of_text(&Source::json(text), "--json", &overrides, &around)?,
        (None, Some(path)) => document::read(path, Taker::Verb("send"), &overrides, &around)?,
        (None, None) => {
            return Err(Error::usage("no document; name a file, - for stdin, or give --json"));
        }
    };
    overrides::must_be_taken(&overrides, std::slice::from_ref(&plain))?;
    console.replies(args.printing.output, args.printing.quiet);
    if !args.checking.no_check {
        document::without_errors(std::slice::from_ref(&plain), "sent", console)?;
    }
    let given = &args.overrides.cluster;
    let port = given.master_bind_port.unwrap_or(PORT);
    let (mut own, mut peers) = (Vec::new(), Vec::new());
    for ServerAddress { host, port } in &args.fan_out {
        let (ours, theirs) = route(host, *port).map_err(|error| {
            Error::unreachable(format!("--fan-out: no way to {host}: {}", reason(&error)))
        })?;
        own.push(ours);
        peers.push(IpNet::from(theirs.to_canonical()));
    }
    let one = own.first().filter(|first| own.iter().all(|other| other == *first));
    let bind = match (&given.master_bind_host, one) {
        (Some(host), _) => host.clone(),
        (None, Some(address)) => address.to_string(),
        (None, None) => "*".to_owned(),
    };
    let mut servers = Vec::new();
    for ((address, ours), number) in args.fan_out.iter().zip(&own).zip(1..) {
        let host = given.master_bind_host.clone().filter(|host| host != "*");
        let host = host.unwrap_or_else(|| ours.to_string());
        let share = Share { number, of: args.fan_out.len(), host: &host, port };
        servers.push(Server::of(args, address, share, plain.written.get(), console)?);
    }
    let master =
        Overrides { cluster: Some(clustered(&bind, port, servers.len())), ..Overrides::default() };
    let local =
        document::of_text(&Source::json(plain.written.get()), &plain.name, &master, &around)?;
    overrides::must_be_taken(&master, std::slice::from_ref(&local))?;
    let listen: IpAddr = match bind.as_str() {
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        host => host.parse().unwrap_or(Ipv4Addr::LOCALHOST.into()),
    };
    let policy = Policy {
        // The document is this machine's, and so are its reports.
        access: FileAccess::All,
        allow_env: None,
        secret_env: vec![TOKEN_VARIABLE.to_owned()],
        listen: vec![listen],
        workers: peers,
        ..Policy::inside(data_dir(None)?)
    };
    let reports = Reports::resolve(&args.overrides.report, args.file.as_slice())?;
    let mut runner = Runner::new(policy, None, verbose.min(MOST_DETAIL), false)?;
    runner.reports = reports;
    block_on(async {
        let mut held = Vec::new();
        for server in servers {
            // Those before it end with their connections if it fails.
            held.push(server.hold().await?);
        }
        let exit = runner.run_all(vec![local], console).await;
        for (address, mut held) in held {
            match timeout(END, &mut held).await {
                Ok(Ok(said)) => {
                    said.iter().for_each(|text| console.warn(&format!("{address}: {text}")))
                }
                Ok(Err(_)) => console.warn(&format!("{address}: crashed (a bug in ldctl)")),
                Err(_) => {
                    held.abort();
                    console.warn(&format!("{address}: the run did not end and is cut off"));
                }
            }
        }
        exit
    })
}

/// The arguments of the master's tests.
fn clustered(bind: &str, port: u16, workers: usize) -> Clustered {
    let number = |number: u64| Value::from(number);
    let arguments = vec![
        ("runner_mode", Value::from("master")),
        ("master_bind_host", bind.into()),
        ("master_bind_port", number(port.into())),
        ("expected_workers", number(workers as u64)),
    ];
    Clustered { option: "--fan-out", arguments }
}

impl Server {
    fn of(
        args: &Send,
        address: &ServerAddress,
        share: Share<'_>,
        document: &str,
        console: &mut Console,
    ) -> Result<Self, Error> {
        let mut value = document::json(document, "the document")?;
        fan_out(&mut value, share).map_err(Error::usage)?;
        let written = to_raw_value(&value)
            .map_err(|error| Error::usage(format!("the document cannot be sent: {error}")))?;
        let connection = Connection { server: Some(address.clone()), ..args.connection.clone() };
        let patience = args.timeout.map_or(CONNECT_TIMEOUT, Duration::from_secs_f64);
        let (endpoint, token) = connection::resolve(&connection, &args.token, patience, console)?;
        connection::framed(&endpoint, &connection, &[("--fan-out", true)])?;
        Ok(Self { address: address.clone(), endpoint, token, written })
    }

    /// Sends the document, and returns once it is accepted; the run lasts as long as the task.
    async fn hold(self) -> Result<(String, JoinHandle<Said>), Error> {
        let (address, endpoint) = (self.address.to_string(), self.endpoint.clone());
        let (accepted, is_accepted) = oneshot::channel();
        let held = tokio::spawn(self.listen(accepted));
        match is_accepted.await {
            Ok(Ok(())) => Ok((address, held)),
            Ok(Err(error)) => {
                Err(connection::failure_of(&diagnose(&endpoint, error).await, "--fan-out"))
            }
            Err(_) => Err(Error::new(Exit::Unreachable, format!("--fan-out {address}: no reply"))),
        }
    }

    async fn listen(self, accepted: oneshot::Sender<Result<(), ClientError>>) -> Said {
        let name = Some("fan-out".to_owned());
        let request =
            Request::run(&*self.written).with(Parameters { name, ..Parameters::default() });
        let mut accepted = Some(accepted);
        let mut said = Said::new();
        let mut replies =
            match self.endpoint.ask(request, self.token.as_ref(), connection::SILENCE).await {
                Ok(replies) => replies,
                Err(error) => {
                    fail(error, &mut accepted, &mut said);
                    return said;
                }
            };
        let patience = self.endpoint.connect_timeout;
        loop {
            let reply = match accepted {
                // It is accepted at once, or never.
                Some(_) => timeout(patience, replies.next()).await.unwrap_or_else(|_| {
                    let address = self.endpoint.address();
                    Err(ClientError::Timeout { address, after: patience })
                }),
                None => replies.next().await,
            };
            let reply = match reply {
                Ok(Some(reply)) => reply,
                Ok(None) => return said,
                Err(error) => {
                    fail(error, &mut accepted, &mut said);
                    return said;
                }
            };
            if let Some(refusal) = replies.refusal(&reply) {
                fail(refusal, &mut accepted, &mut said);
                return said;
            }
            match reply {
                Reply::Event(Event::Accepted { .. }) => {
                    if let Some(accepted) = accepted.take() {
                        let _ = accepted.send(Ok(()));
                    }
                }
                Reply::Event(Event::Result(result)) => {
                    said.extend(result.error.map(|error| error.message));
                    said.extend(result.warnings);
                }
                Reply::Event(_) | Reply::Line(_) => {}
            }
        }
    }
}

/// Tells whoever waits for the run to be accepted; later failures are said at the end.
fn fail(
    error: ClientError,
    accepted: &mut Option<oneshot::Sender<Result<(), ClientError>>>,
    said: &mut Said,
) {
    match accepted.take() {
        Some(accepted) => drop(accepted.send(Err(error))),
        None => said.push(error.line()),
    }
}
