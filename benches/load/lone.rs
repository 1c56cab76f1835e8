//! A sender of one delivery at a time.

use std::net::SocketAddr;

use tokio::runtime::Runtime;

use super::connection::Connection;
use super::delivery::Deliveries;

pub struct Lone {
    runtime: Runtime,
    connection: Connection,
    deliveries: Deliveries,
    next: usize,
    request: Vec<u8>,
}

impl Lone {
    pub fn open(address: SocketAddr, deliveries: Deliveries) -> anyhow::Result<Lone> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(Connection::open(address))?;
        Ok(Lone { runtime, connection, deliveries, next: 0, request: Vec::new() })
    }

    /// Sends the next delivery and answers the status.
    pub fn send(&mut self) -> anyhow::Result<u16> {
        self.deliveries.write(self.next, &mut self.request);
        self.next += 1;
        Ok(self.runtime.block_on(self.connection.ask(&self.request))?)
    }
}
