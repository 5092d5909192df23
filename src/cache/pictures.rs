//! Pictures that answers carry: drawn off the threads that answer, one at a time, and each of them once.

use super::recent::Recent;
use crate::chart;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::{OnceCell, Semaphore};

/// How many are kept, the newest asked for: some 3 MB.
const KEPT: usize = 64;
/// At most this many are drawn at a time: the processor belongs to what is urgent.
const AT_ONCE: usize = 1;

/// What names a picture: the digest of its SVG, in which everything stands that it depends on.
type Key = [u8; 32];
/// Drawn, being drawn, or impossible to draw.
type Drawn = Arc<OnceCell<Option<Arc<[u8]>>>>;

/// The pictures that were asked for lately.
pub(super) struct Pictures {
    kept: Recent<Key, Drawn, KEPT>,
    places: Arc<Semaphore>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { kept: Recent::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Pictures {
    /// The picture as PNG. Whoever asks for one that is being drawn waits for it. A failure is logged here and gives nothing.
    pub(super) async fn png(&self, svg: String) -> Option<Arc<[u8]>> {
        let drawn = self.kept.place_of(Sha256::digest(&svg).into());
        drawn.get_or_init(|| self.draw(svg)).await.clone()
    }

    async fn draw(&self, svg: String) -> Option<Arc<[u8]>> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        // The place is taken until it is drawn, also where nobody waits for it any more.
        let drawn = tokio::task::spawn_blocking(move || {
            let _place = place;
            chart::png(&svg)
        })
        .await;
        let problem = match drawn {
            Ok(Ok(png)) => return Some(png.into()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(problem, "a picture could not be drawn; the words go without it");
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(colour: usize) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"630\"><rect width=\"9\" height=\"9\" fill=\"#{colour:06x}\"/></svg>"
        )
    }

    #[tokio::test]
    async fn a_picture_is_drawn_once_also_for_two_who_ask_together() {
        let pictures = Pictures::default();
        let (one, other) = tokio::join!(pictures.png(svg(1)), pictures.png(svg(1)));
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
        let different = pictures.png(svg(2)).await.unwrap();
        assert_ne!(different, pictures.png(svg(1)).await.unwrap());
        assert_eq!(pictures.png("no picture".to_owned()).await, None);
    }
}
