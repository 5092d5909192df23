//! A listener whose patience ends: connections that say nothing for long are closed, and there are never too many of them.

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use std::{
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

/// How long a connection may say nothing, in the middle of a request or between two.
const IDLE: Duration = Duration::from_secs(30);
/// How many connections are open at once; more wait in the system's queue.
const CONNECTIONS: usize = 1024;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, PatientListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, PatientListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Accepts connections while there is room.
pub(super) struct PatientListener {
    inner: TcpListener,
    room: Arc<Semaphore>,
    idle: Duration,
}

impl PatientListener {
    pub(super) fn new(inner: TcpListener) -> Self {
        Self { inner, room: Arc::new(Semaphore::new(CONNECTIONS)), idle: IDLE }
    }
}

impl Listener for PatientListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        // The inner listener's own way, which waits where the system runs out of descriptors.
        let (stream, peer) = Listener::accept(&mut self.inner).await;
        let silence = Box::pin(tokio::time::sleep(self.idle));
        (Connection { stream, idle: self.idle, heard_at: Instant::now(), silence, _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that is closed after so long without a byte from the other end.
pub(super) struct Connection {
    stream: TcpStream,
    idle: Duration,
    heard_at: Instant,
    /// Runs from an earlier byte than the last: to set it anew with each one would cost more than the reading.
    silence: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.heard_at = Instant::now();
            return Poll::Ready(read);
        }
        loop {
            ready!(self.silence.as_mut().poll(context));
            let end = self.heard_at + self.idle;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.silence.as_mut().reset(end);
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn silence_is_counted_from_the_last_byte() {
        let idle = Duration::from_millis(20);
        let mut listener = PatientListener { idle, ..PatientListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap()) };
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut connection, _) = listener.accept().await;
        let mut read = [0; 1];
        client.write_all(b"a").await.unwrap();
        let asked_at = Instant::now();
        connection.read_exact(&mut read).await.unwrap();
        let error = connection.read_exact(&mut read).await.unwrap_err();
        assert_eq!((read, error.kind()), (*b"a", io::ErrorKind::TimedOut));
        assert!(asked_at.elapsed() >= idle, "the time before the byte does not count");
    }
}
