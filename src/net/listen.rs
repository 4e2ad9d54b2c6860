//! Listening sockets, bound here or inherited. `localhost` means both loopback addresses on one
//! port, whatever the system's resolver says.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::task::Poll;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::descriptors::{Purpose, admit};
use crate::error::reason;

/// Connections that the system completes before they are accepted. The reference's backlog of 5
/// made 200 clients wait for half a minute.
const BACKLOG: u32 = 4096;

/// How often to look for a port that is free on both loopback addresses.
const TRIES: usize = 32;

/// Listening sockets, on one port unless they were inherited.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    /// The socket whose turn it is.
    next: usize,
    host: String,
    port: u16,
    inherited: bool,
}

/// Why a socket cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {host}:{port}: {}", self.why("--host", "--port"))]
pub struct BindError {
    /// The host that was asked for.
    pub host: String,
    /// The port that was asked for.
    pub port: u16,
    /// Why. Not a `source`, because the message already words it better.
    pub error: io::Error,
}

impl BindError {
    /// Why, and which of these options says another host or port.
    pub fn why(&self, host: &str, port: &str) -> String {
        match self.error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("another program has the port; choose another with {port}")
            }
            io::ErrorKind::NotFound => format!("no address for this name; check {host}"),
            io::ErrorKind::AddrNotAvailable => {
                format!("no such address here; choose another with {host}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 are reserved; choose another with {port}")
            }
            _ => reason(&self.error),
        }
    }
}

/// Resolves where a document wants to listen. Beyond loopback only addresses that the operator has
/// named are permitted; an unspecified one (`0.0.0.0`, `::`) stands for every address, `0.0.0.0` for
/// those of IPv4.
pub fn permitted(host: &str, port: u16, named: &[IpAddr]) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let covers = |named: &IpAddr, ip: IpAddr| match named {
        IpAddr::V4(v4) if v4.is_unspecified() => ip.is_ipv4(),
        IpAddr::V6(v6) if v6.is_unspecified() => true,
        named => named.to_canonical() == ip,
    };
    let open = addresses.iter().find(|address| {
        let ip = address.ip().to_canonical();
        !ip.is_loopback() && !named.iter().any(|named| covers(named, ip))
    });
    match open {
        None => Ok(addresses),
        Some(open) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("documents listen on loopback only; --allow-listen {} permits it", open.ip()),
        )),
    }
}

impl Listeners {
    /// Listens on a name or address; port 0 picks a free one. Resolves names, which may block: call
    /// it before serving.
    pub fn bind(host: &str, port: u16) -> Result<Self, BindError> {
        let bound = match host {
            "localhost" => bind_loopback(port),
            _ => bind_all(host, port),
        };
        bound
            .and_then(|sockets| {
                let first = sockets.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let port = first.local_addr()?.port();
                Ok(Self::of(sockets, host.to_owned(), port, false))
            })
            .map_err(|error| BindError { host: host.to_owned(), port, error })
    }

    /// Listens on sockets that another process has bound, at least one, on this runtime.
    pub fn inherited(sockets: Vec<std::net::TcpListener>) -> io::Result<Self> {
        let sockets = sockets
            .into_iter()
            .map(|socket| {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket)
            })
            .collect::<io::Result<Vec<_>>>()?;
        // All of them: an unknown address would be missing where targets are checked.
        let addresses: Vec<SocketAddr> =
            sockets.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let first = addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let host = match first.ip() {
            IpAddr::V4(four) => four.to_string(),
            IpAddr::V6(six) => format!("[{six}]"),
        };
        Ok(Self::of(sockets, host, first.port(), true))
    }

    /// A socket that is bound already.
    pub(super) fn one(socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self::of(vec![socket], address.ip().to_string(), address.port(), false))
    }

    fn of(sockets: Vec<TcpListener>, host: String, port: u16, inherited: bool) -> Self {
        Self { sockets, next: 0, host, port, inherited }
    }

    /// The next connection of any socket, in turns.
    pub(crate) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let Self { sockets, next, .. } = self;
        poll_fn(|context| {
            for offset in 0..sockets.len() {
                let turn = (*next + offset) % sockets.len();
                if let Some(Poll::Ready(accepted)) =
                    sockets.get(turn).map(|socket| socket.poll_accept(context))
                {
                    *next = turn + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The sockets, for another runtime.
    pub(super) fn into_std(self) -> io::Result<Vec<std::net::TcpListener>> {
        self.sockets.into_iter().map(TcpListener::into_std).collect()
    }

    /// Each of the sockets, to accept from.
    pub fn into_sockets(self) -> impl Iterator<Item = Listener> {
        self.sockets.into_iter().map(Listener)
    }

    /// The host as it was given; the first address of inherited sockets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The actual port; the first one of inherited sockets.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether another process has bound them.
    pub fn are_inherited(&self) -> bool {
        self.inherited
    }

    /// The addresses it listens on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok())
    }
}

/// A socket that listens for what a document has asked for.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// The next connection, and the peer's address. One that would take the last descriptors is refused.
    pub async fn accept(&self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, peer) = self.0.accept().await?;
        admit(&stream, Purpose::Accepted)?;
        let _ = stream.set_nodelay(true);
        Ok((stream, peer.ip()))
    }
}

fn bind_all(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut port = port;
    let mut sockets: Vec<TcpListener> = Vec::new();
    let resolved = (host, port).to_socket_addrs();
    // The resolver's errors have no kind of their own.
    let resolved = resolved.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
    let mut addresses: Vec<IpAddr> = resolved.map(|to| to.ip()).collect();
    addresses.dedup();
    for address in addresses {
        let socket = bind_one(SocketAddr::new(address, port))?;
        port = socket.local_addr()?.port();
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_loopback(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut held = Vec::new();
    loop {
        let four = bind_one((Ipv4Addr::LOCALHOST, port).into())?;
        let real = four.local_addr()?.port();
        match bind_one((Ipv6Addr::LOCALHOST, real).into()) {
            Ok(six) => return Ok(vec![four, six]),
            // A free port was requested, and this one is free on IPv4 only: keep it bound so that
            // the next attempt returns another.
            Err(error)
                if port == 0 && error.kind() == io::ErrorKind::AddrInUse && held.len() < TRIES =>
            {
                held.push(four);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // This machine has no IPv6.
            Err(_) => return Ok(vec![four]),
        }
    }
}

pub(super) fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server gets its port back immediately. On Windows the option would share it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t55_a_document_listens_on_loopback_unless_the_operator_names_the_address() {
        let named = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        for (host, allowed, permitted) in [
            ("127.0.0.1", &[][..], true),
            ("127.8.8.8", &[], true),
            ("::1", &[], true),
            ("::ffff:127.0.0.1", &[], true),
            ("0.0.0.0", &[], false),
            ("0", &[], false),
            ("::", &[], false),
            ("10.0.0.1", &[], false),
            ("::ffff:10.0.0.1", &[], false),
            ("10.0.0.1", &["10.0.0.1"], true),
            ("::ffff:10.0.0.1", &["10.0.0.1"], true),
            ("10.0.0.2", &["10.0.0.1"], false),
            ("0.0.0.0", &["10.0.0.1"], false),
            ("0.0.0.0", &["0.0.0.0"], true),
            ("10.0.0.1", &["0.0.0.0"], true),
            ("::", &["0.0.0.0"], false),
            ("2001:db8::1", &["::"], true),
            ("0.0.0.0", &["::"], true),
        ] {
            let found = super::permitted(host, 9646, &named(allowed));
            assert_eq!(found.is_ok(), permitted, "{host} with {allowed:?}: {found:?}");
        }
        let refusal = super::permitted("0.0.0.0", 1, &[]).expect_err("refused").to_string();
        assert_eq!(refusal, "documents listen on loopback only; --allow-listen 0.0.0.0 permits it");
    }

    #[tokio::test]
    async fn localhost_has_one_port_on_all_its_addresses() {
        let listeners = Listeners::bind("localhost", 0).expect("a free port");
        assert_ne!(listeners.port(), 0);
        let ports: Vec<u16> = listeners.addresses().map(|address| address.port()).collect();
        assert!(ports.iter().all(|port| *port == listeners.port()), "{ports:?}");
        assert!(listeners.addresses().all(|address| address.ip().is_loopback()));
    }

    #[tokio::test]
    async fn f12_the_error_for_a_port_in_use_names_it_and_the_option_to_change() {
        let first = Listeners::bind("127.0.0.1", 0).expect("a free port");
        let refusal = Listeners::bind("127.0.0.1", first.port()).unwrap_err().to_string();
        let expected = format!(
            "cannot listen on 127.0.0.1:{}: another program has the port; choose another with --port",
            first.port()
        );
        assert_eq!(refusal, expected);
        let refusal = Listeners::bind("192.0.2.1", 0).unwrap_err();
        assert_eq!(
            refusal.why("--web", "--web"),
            "no such address here; choose another with --web"
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused() {
        let refusal = Listeners::bind("192.0.2.1", 0).unwrap_err().to_string();
        assert!(refusal.contains("choose another with --host"), "{refusal}");
    }
}
