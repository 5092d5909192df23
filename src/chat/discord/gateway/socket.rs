//! One WebSocket: connects, says, hears, closes. Nothing that goes over it is logged: IDENTIFY carries the bot's token, and every command
//! its own.

use crate::http::quoted;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// From the name to the open WebSocket.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// What cannot be written by then never will be.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long a farewell may take: it is a courtesy.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// The largest message that is taken, in bytes. A server with everything at its limits is described in a few MiB.
const LARGEST: usize = 32 * 1024 * 1024;
const BUFFER: usize = 16 * 1024;
/// Anything but 1000 and 1001, with which Discord ends the session too.
const KEEP_SESSION: u16 = 4000;

/// An open connection.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came.
pub(super) enum Incoming {
    Text(Utf8Bytes),
    /// Discord closed it, with a code or without.
    Closed(Option<u16>),
    /// It broke; in words for the log.
    Broken(String),
}

impl Socket {
    /// Connects; follows no redirect.
    ///
    /// # Errors
    /// In words for the log.
    pub(super) async fn connect(url: &Url) -> Result<Self, String> {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        match timeout(CONNECT_TIME, connect_async_with_config(url.as_str(), Some(config), true)).await {
            Ok(Ok((stream, _))) => Ok(Self(stream)),
            Ok(Err(error)) => Err(format!("no connection to the Gateway: {}", words(&error))),
            Err(_) => Err(format!("no connection to the Gateway within {} s", CONNECT_TIME.as_secs())),
        }
    }

    /// Says something.
    ///
    /// # Errors
    /// In words for the log.
    pub(super) async fn say(&mut self, text: &SecretString) -> Result<(), String> {
        match timeout(WRITE_TIME, self.0.send(Message::text(text.expose_secret()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err(format!("nothing could be written within {} s", WRITE_TIME.as_secs())),
        }
    }

    /// Waits for the next message. Nothing is lost where this is given up.
    pub(super) async fn hear(&mut self) -> Incoming {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Incoming::Text(text),
                Some(Ok(Message::Close(frame))) => return Incoming::Closed(frame.map(|frame| frame.code.into())),
                // Pings are answered underneath; binary is compressed, which was not asked for.
                Some(Ok(_)) => {}
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => return Incoming::Closed(None),
                Some(Err(error)) => return Incoming::Broken(words(&error)),
            }
        }
    }

    /// Says farewell in a way that leaves the session to be resumed.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::from(KEEP_SESSION), reason: Utf8Bytes::default() };
        let _ = timeout(CLOSE_TIME, self.0.close(Some(frame))).await;
    }
}

fn words(error: &Error) -> String {
    quoted(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    async fn refusal(scheme: &str, answer: &'static [u8]) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("{scheme}://{}", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        tokio::join!(Socket::connect(&url), serve).0.err().expect("it is refused")
    }

    #[tokio::test]
    async fn what_is_no_websocket_is_an_error_and_no_redirect_is_followed() {
        let redirect = b"HTTP/1.1 302 Found\r\nlocation: ws://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert!(refusal("ws", redirect).await.contains("302"));
        assert!(refusal("ws", b"hello").await.starts_with("no connection to the Gateway"));
        assert!(refusal("wss", b"no TLS is spoken here").await.starts_with("no connection to the Gateway"));
    }
}
