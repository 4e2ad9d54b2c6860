//! A TCP peer that follows a script, in threads of its own.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A TCP peer: a thread per connection does what the script says and then closes it.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// The address of the connection that ends it.
    ended: Arc<Mutex<Option<SocketAddr>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Peer {
    pub(crate) fn start(
        script: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", script).expect("a free port")
    }

    pub(crate) fn at(
        address: &str,
        script: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(Mutex::new(None));
        let (count, end) = (Arc::clone(&connections), Arc::clone(&ended));
        let script = Arc::new(script);
        let accepting = thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                // Connections that came before the last one are served, however late that is.
                let last = *end.lock().expect("a lock");
                if last.is_some() && stream.peer_addr().ok() == last {
                    break;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                // A peer whose client has gone has nothing more to say.
                serving.push(thread::spawn(move || drop(script(&mut stream))));
            }
            serving.into_iter().for_each(|thread| thread.join().expect("a script"));
        });
        Ok(Self { address, connections, ended, accepting: Some(accepting) })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The lock is held until the address of the last connection is known.
        let mut last = self.ended.lock().expect("a lock");
        let connection = TcpStream::connect(self.address).expect("the peer accepts");
        *last = connection.local_addr().ok();
        drop(last);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("a peer");
        }
    }
}

/// An address where nothing listens.
pub(crate) fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address")
}
