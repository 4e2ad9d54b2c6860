//! The way to an origin: directly, or through a proxy, with TLS where the origin has it. Other
//! protocols that begin with a request of HTTP go the same way.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connection::{connect, tls_for};
use super::fault::Fault;
use super::proxy::Proxy;
use super::target::Origin;
use super::tls::Configured;
use crate::net::{Dialer, Stream, Targets};
use crate::protocol::fault::ConnectionFault;

/// How connections to origins are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) dialer: &'a Dialer,
    pub(crate) targets: &'a Targets,
    /// TLS and proxies.
    pub(crate) setting: Option<&'a Configured>,
    pub(crate) deadline: Instant,
}

impl Way<'_> {
    /// Connects to an origin. Plain requests of HTTP/1.1 may go to the returned proxy with their whole
    /// URL; with `tunnel` there is none, because the connection leads to the origin itself.
    pub(crate) async fn open(
        &self,
        origin: &Origin,
        tunnel: bool,
    ) -> Result<(Stream, Option<Arc<Proxy>>), Fault> {
        if let Some(proxy) = self.setting.and_then(|tls| tls.setting.proxies.towards(origin)) {
            return Box::pin(self.through(Arc::clone(proxy), origin, tunnel)).await;
        }
        let config = self.config(origin)?;
        // Boxed, because a user connects once and then keeps the connection.
        let opening = Box::pin(connect(self.dialer, origin, config, self.deadline));
        Ok((opening.await?, None))
    }

    /// Connects to a host that does not speak HTTP: through no proxy, and with TLS that names no protocol.
    pub(crate) async fn directly(
        &self,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<Stream, ConnectionFault> {
        let tls = match self.setting.filter(|_| tls) {
            None => None,
            Some(setting) => {
                let config = setting.config().map_err(ConnectionFault::Tls)?;
                let mut config = ClientConfig::clone(config);
                config.alpn_protocols.clear();
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|error| ConnectionFault::Tls(error.to_string()))?;
                Some((Arc::new(config), name))
            }
        };
        let dialled = self.dialer.dial(host, port, tls, self.deadline).await;
        dialled.map_err(ConnectionFault::of_dial)
    }

    /// Connects through a proxy, whose address is subject to the same targets as others. Only the
    /// origin's name is checked here, because the proxy resolves it.
    async fn through(
        &self,
        proxy: Arc<Proxy>,
        origin: &Origin,
        tunnel: bool,
    ) -> Result<(Stream, Option<Arc<Proxy>>), Fault> {
        proxy.check()?;
        if let Some(why) = self.targets.refuses_name(&origin.host, origin.port) {
            return Err(ConnectionFault::Forbidden(origin.authority.to_string(), why).into());
        }
        let (dialer, deadline) = (self.dialer, self.deadline);
        let dialled = dialer.dial(&proxy.host, proxy.port, None, deadline).await;
        let mut stream =
            dialled.map_err(|error| proxy.failed(ConnectionFault::of_dial(error).into()))?;
        if !origin.tls && !tunnel {
            return Ok((stream, Some(proxy)));
        }
        let tunnelled = timeout_at(deadline, proxy.tunnel(&mut stream, origin));
        tunnelled.await.map_err(|_| ConnectionFault::Deadline)??;
        if let Some(tls) = tls_for(origin, self.config(origin)?)? {
            let secured = dialer.secure(&origin.host, stream, tls, deadline).await;
            stream = secured.map_err(ConnectionFault::of_dial)?;
        }
        Ok((stream, None))
    }

    /// The TLS configuration for an origin, if it uses TLS.
    fn config(&self, origin: &Origin) -> Result<Option<&Arc<ClientConfig>>, Fault> {
        match self.setting.filter(|_| origin.tls) {
            Some(tls) => Ok(Some(tls.config().map_err(ConnectionFault::Tls)?)),
            None => Ok(None),
        }
    }
}
