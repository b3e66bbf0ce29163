//! Binds all ports at startup, before any component needs their addresses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// An error that makes a port unavailable.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The port is in use or cannot be bound.
    #[error("cannot use port {port} for {purpose} (choose another with --port)")]
    Taken {
        /// The port.
        port: u16,
        /// The component that needs the port.
        purpose: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The six following ports don't exist.
    #[error("--port {port} is too high: the six ports after it are also needed, so the maximum is 65529")]
    TooHigh {
        /// The port.
        port: u16,
    },
}

/// The listeners, all on 127.0.0.1.
pub(crate) struct Ports {
    pub(crate) api: TcpListener,
    pub(crate) whatsapp: TcpListener,
    pub(crate) dynamodb: TcpListener,
    pub(crate) secrets: TcpListener,
    pub(crate) lambda: TcpListener,
    pub(crate) parameters: TcpListener,
    pub(crate) s3: TcpListener,
}

/// Binds `port` and the six ports after it, or any seven free ports if `port` is 0.
pub(crate) fn bind(port: u16) -> Result<Ports, PortError> {
    let port_after = |offset: u16| match port {
        0 => Ok(0),
        _ => port.checked_add(offset).ok_or(PortError::TooHigh { port }),
    };
    let (second, third, fourth) = (port_after(1)?, port_after(2)?, port_after(3)?);
    let (fifth, sixth, seventh) = (port_after(4)?, port_after(5)?, port_after(6)?);
    Ok(Ports {
        api: listen(port, "the API")?,
        whatsapp: listen(second, "the simulated WhatsApp")?,
        dynamodb: listen(third, "DynamoDB")?,
        secrets: listen(fourth, "Secrets Manager and KMS")?,
        lambda: listen(fifth, "the Lambda API")?,
        parameters: listen(sixth, "Parameter Store")?,
        s3: listen(seventh, "S3")?,
    })
}

fn listen(port: u16, purpose: &'static str) -> Result<TcpListener, PortError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| PortError::Taken { port, purpose, source })
}

/// Returns the URL of the listener, such as `http://127.0.0.1:8787`.
pub(crate) fn url(listener: &TcpListener) -> std::io::Result<String> {
    let address: SocketAddr = listener.local_addr()?;
    Ok(format!("http://{address}"))
}

#[cfg(test)]
mod tests;
