//! All tool servers behind one door: one list, and a call finds its server by name.

use std::sync::Arc;

use async_trait::async_trait;

use super::ToolServer;
use crate::domain::{Principal, Tool, ToolCall, ToolError, ToolHost, ToolOutput};

/// The tool servers of the service, in the order of the configuration.
pub struct Hub {
    servers: Vec<ToolServer>,
}

impl Hub {
    /// Puts servers behind one door.
    pub fn new(servers: Vec<ToolServer>) -> Self {
        Self { servers }
    }

    /// Returns the servers.
    pub fn servers(&self) -> &[ToolServer] {
        &self.servers
    }
}

#[async_trait]
impl ToolHost for Hub {
    async fn list(&self, _principal: &Principal) -> Arc<[Tool]> {
        match self.servers.as_slice() {
            [only] => only.tools().await,
            many => {
                let lists = futures_util::future::join_all(many.iter().map(ToolServer::tools)).await;
                lists.iter().flat_map(|list| list.to_vec()).collect()
            }
        }
    }

    fn is_degraded(&self) -> bool {
        self.servers.iter().any(|server| !server.is_up())
    }

    async fn call(&self, principal: &Principal, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        match self.servers.iter().find(|server| server.name().as_ref() == call.server) {
            Some(server) => server.call(principal, call).await,
            None => Err(ToolError::Unavailable { server: call.server.clone() }),
        }
    }
}
