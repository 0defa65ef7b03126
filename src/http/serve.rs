//! The serve loop: accepts connections, limits how long they may dawdle, and lets them finish when the service ends.

use std::{net, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use tokio_io_timeout::TimeoutStream;

use crate::{desks::Desks, shutdown::Shutdown};

/// How long a new connection may send nothing at all.
const FIRST_BYTE_LIMIT: Duration = Duration::from_secs(5);

/// How long the head of a request may take.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;

/// The most headers of a request.
const HEADERS: usize = 64;

/// How long a client may read nothing of what is there for it.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// How long answers may take to finish once the service ends.
const FINISH_LIMIT: Duration = Duration::from_secs(3);

/// How long to wait when the system gives no more connections, for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves at these desks until the service ends, then lets open answers finish for a moment. There are at most so many
/// connections at once; the next ones wait in the system's queue.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: Shutdown,
    connections: usize,
    desks: Arc<Desks>,
) {
    let places = Arc::new(Semaphore::new(connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.ended() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // Whoever serves it listens for it there.
                let Ok(stream) = stream.into_std() else { continue };
                let connection = connection(stream, router.clone(), shutdown.clone(), place);
                desks.serve(shutdown.waits_for(connection));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: net::TcpStream,
    router: Router,
    shutdown: Shutdown,
    _place: OwnedSemaphorePermit,
) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // Frames are small and must leave at once.
    let _ = stream.set_nodelay(true);
    if !matches!(timeout(FIRST_BYTE_LIMIT, stream.peek(&mut [0])).await, Ok(Ok(1))) {
        return;
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL_LIMIT));
    let io = TokioIo::new(Box::pin(stream));
    let mut serving = std::pin::pin!(http.serve_connection(io, TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = shutdown.ended() => {
            serving.as_mut().graceful_shutdown();
            match timeout(FINISH_LIMIT, serving).await {
                Ok(ended) => ended,
                Err(_elapsed) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
