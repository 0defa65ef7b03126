//! The first messages of a session. The protocol library ends a session that opens with anything but a request, be it
//! a late `notifications/cancelled` of a host that gave up its first probe; such messages are dropped here.

use rmcp::{
    RoleServer,
    model::{ClientRequest, JsonRpcMessage},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};

/// A transport that lets only requests through until the session is open.
pub(crate) struct Opening<T> {
    inner: T,
    is_open: bool,
}

impl<T> Opening<T> {
    pub(crate) const fn new(inner: T) -> Self {
        Self { inner, is_open: false }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Opening<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.inner.receive().await?;
            if let JsonRpcMessage::Request(request) = &message {
                // These two are answered without opening a session.
                let is_probe = matches!(
                    request.request,
                    ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_)
                );
                self.is_open |= !is_probe;
                return Some(message);
            }
            if self.is_open {
                return Some(message);
            }
            tracing::debug!("a message before the first request was dropped");
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
