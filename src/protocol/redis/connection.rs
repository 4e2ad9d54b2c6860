//! A user's connection to a server: logged in once, then one command and one reply at a time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::address::Address;
use super::fault::Fault;
use super::resp::{Reply, command_into, parse};
use crate::memory::Held;
use crate::net::Stream;
use crate::protocol::fault::ConnectionFault;

/// The size of one read.
pub(super) const SCRATCH: usize = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    address: Arc<Address>,
    stream: Stream,
    /// What has arrived of the current reply.
    received: Vec<u8>,
    /// The longest byte string of a reply.
    limit: usize,
    held: Held,
}

impl Connection {
    /// A connection over a stream, whose replies have this limit and this share of memory.
    pub(super) fn new(
        stream: Stream,
        address: &Arc<Address>,
        (limit, held): (usize, Held),
    ) -> Self {
        let (address, received) = (Arc::clone(address), Vec::new());
        Self { address, stream, received, limit, held }
    }

    /// Logs in and selects the database, as the URL says.
    pub(super) async fn log_in(&mut self, scratch: &RefCell<Box<[u8]>>) -> Result<(), Fault> {
        let address = Arc::clone(&self.address);
        let mut command = Vec::new();
        if let Some((user, password)) = &address.login {
            let mut parts = vec![&b"AUTH"[..]];
            parts.extend(user.as_ref().map(|user| user.as_bytes()));
            parts.push(password.as_bytes());
            command_into(&parts, &mut command);
            self.succeed(&command, scratch).await?;
        }
        if address.database != 0 {
            let number = address.database.to_string();
            command.clear();
            command_into(&[b"SELECT", number.as_bytes()], &mut command);
            self.succeed(&command, scratch).await?;
        }
        Ok(())
    }

    async fn succeed(&mut self, command: &[u8], scratch: &RefCell<Box<[u8]>>) -> Result<(), Fault> {
        match self.exchange(command, scratch).await? {
            Reply::Error(why) => Err(Fault::LogIn(why)),
            _ => Ok(()),
        }
    }

    /// Whether it leads to this server, and nothing has come that was not asked for.
    pub(super) fn serves(&mut self, address: &Address) -> bool {
        *self.address == *address && !self.stream.has_unsolicited_input()
    }

    /// Sends a command and receives its reply.
    pub(super) async fn exchange(
        &mut self,
        command: &[u8],
        scratch: &RefCell<Box<[u8]>>,
    ) -> Result<Reply, Fault> {
        let broken = |error: io::Error| Fault::from(ConnectionFault::of_io(&error));
        self.stream.write_all(command).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        loop {
            if let Some((reply, length)) = parse(&self.received, self.limit)? {
                if length < self.received.len() {
                    return Err(Fault::Surplus);
                }
                self.received.clear();
                self.held.settle(&mut self.received);
                return Ok(reply);
            }
            let count = poll_fn(|context| {
                let mut scratch = scratch.borrow_mut();
                let mut buffer = ReadBuf::new(&mut scratch);
                let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
                read.map_ok(|()| {
                    self.received.extend_from_slice(buffer.filled());
                    buffer.filled().len()
                })
            });
            if count.await.map_err(broken)? == 0 {
                return Err(match self.received.is_empty() {
                    true => ConnectionFault::Closed.into(),
                    false => ConnectionFault::Truncated.into(),
                });
            }
            // A reply is copied out of it.
            self.held.set(2 * self.received.capacity())?;
        }
    }
}
