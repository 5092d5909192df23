//! The way from one process to PostgreSQL, as one that can be cut: what goes through it is carried to the server's socket, or nowhere.

use std::{path::PathBuf, time::Duration};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
    sync::watch,
};

/// Cut and mended at will; what goes through a cut one hangs, as on a network that loses everything.
pub(crate) struct Cable {
    /// The database's URL by way of this cable.
    pub(crate) url: String,
    whole: watch::Sender<bool>,
}

impl Cable {
    /// To the database of this URL, which names the folder of the server's socket.
    pub(crate) async fn to(url: &str) -> Self {
        let (before, folder) = url.split_once("?host=").unwrap();
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let name = before.rsplit('/').next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://postgres@{}/{name}?sslmode=disable", listener.local_addr().unwrap());
        let whole = watch::Sender::new(true);
        let state = whole.subscribe();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (socket, mut state) = (socket.clone(), state.clone());
                tokio::spawn(async move {
                    // What is said over a cut cable is lost with its connection: nobody hears of it before the cable is whole again.
                    if *state.borrow_and_update()
                        && let Ok(mut far) = UnixStream::connect(&socket).await
                    {
                        tokio::select! {
                            _ = copy_bidirectional(&mut near, &mut far) => return,
                            _ = state.wait_for(|whole| !whole) => {}
                        }
                    }
                    let _ = state.wait_for(|whole| *whole).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                });
            }
        });
        Self { url, whole }
    }

    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}
