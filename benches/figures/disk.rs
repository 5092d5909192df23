//! What the disk takes by itself meanwhile: nothing that is to last can be faster, and a machine that shares its disk with others has moments of its own.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(20);

/// Writes a page to a file of its own again and again, each time down to the disk.
pub(crate) struct DiskWatch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl DiskWatch {
    pub(crate) fn begin(folder: &Path) -> Self {
        let file = File::create(folder.join("watched")).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                let mut took = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    file.write_all_at(&[0; 4096], 0).unwrap();
                    file.sync_data().unwrap();
                    took.push(began.elapsed());
                    std::thread::sleep(PAUSE);
                }
                took
            }
        });
        Self { is_over, thread }
    }

    /// What 99 of 100 did not exceed, and the longest.
    pub(crate) fn end(self) -> [Duration; 2] {
        self.is_over.store(true, Ordering::Relaxed);
        let mut took = self.thread.join().unwrap();
        took.sort_unstable();
        [took[(took.len() * 99).div_ceil(100).clamp(1, took.len()) - 1], took[took.len() - 1]]
    }
}
