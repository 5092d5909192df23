//! Drawings: made off the threads that answer, few at a time, and each of them once.

use super::{
    recent::{Recent, Size},
    uploads::Uploads,
};
use crate::chart;
use sha2::{Digest, Sha256};
use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism};
use tokio::sync::Semaphore;

/// In bytes: a hundred drawings or more, for who asks for the same past by another way.
const ROOM: usize = 4 * 1024 * 1024;
/// At most so many are drawn at a time, and no more than half the processors beyond two. One takes some 20 ms, so that two keep up with the 80 messages a
/// second that both platforms take together, were each to bring another picture; the other processors belong to what is urgent.
const AT_ONCE: (usize, usize) = (2, 8);

/// A picture as it was drawn.
pub(super) struct Drawing {
    /// Names it: the digest of its SVG, in which everything stands that it depends on.
    pub(super) digest: String,
    /// It.
    pub(super) png: Arc<[u8]>,
    /// Where it was brought already.
    pub(super) uploads: Uploads,
}

/// Drawn, or impossible to draw.
type Drawn = Option<Arc<Drawing>>;

impl Size for Drawn {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, |drawing| drawing.png.len())
    }
}

/// The drawings that were asked for lately.
pub(super) struct Pictures {
    kept: Recent<String, Drawn>,
    places: Arc<Semaphore>,
}

impl Default for Pictures {
    fn default() -> Self {
        let half = available_parallelism().map_or(0, NonZeroUsize::get) / 2;
        Self { kept: Recent::new(ROOM), places: Arc::new(Semaphore::new(half.clamp(AT_ONCE.0, AT_ONCE.1))) }
    }
}

impl Pictures {
    /// The drawing of an SVG. Whoever asks for one that is being drawn waits for it. A failure is logged here and gives nothing.
    pub(super) async fn drawing(&self, svg: String) -> Drawn {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&svg));
        let place = self.kept.place_of(digest.clone());
        let draw = || async {
            let png = self.draw(svg).await?;
            Some(Arc::new(Drawing { digest, png, uploads: Uploads::default() }))
        };
        place.get_or_init(draw).await.clone()
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
        let (one, other) = tokio::join!(pictures.drawing(svg(1)), pictures.drawing(svg(1)));
        let one = one.unwrap();
        assert!(Arc::ptr_eq(&one, &other.unwrap()));
        let different = pictures.drawing(svg(2)).await.unwrap();
        assert!(different.png != one.png && different.digest != one.digest);
        assert!(pictures.drawing("no picture".to_owned()).await.is_none());
    }
}
