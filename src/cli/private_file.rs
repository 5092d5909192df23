//! Files that only their owner reads, whole or not at all (`rules.md` 6.6).

use super::Failure;
use crate::{config::Config, store::Store};
use secrecy::ExposeSecret;
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// What SQLite and the lock of `serve` add to the name of the database.
const OF_DATABASE: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Refuses a file of the database itself: whoever has that open would go on in the one that was there, and what they wrote would be gone with it.
pub(super) fn must_not_be_database(path: &Path, config: &Config) -> Result<(), Failure> {
    let (Some(database), Ok(target)) = (Store::file_of(config.database_url.expose_secret()), path.canonicalize()) else { return Ok(()) };
    let is_that = |ending: &&str| {
        let mut name = database.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name).canonicalize().is_ok_and(|file| file == target)
    };
    if OF_DATABASE.iter().any(is_that) {
        return Err(Failure::Other(format!("{}: this is the database itself, or a part of it; name another file", path.display())));
    }
    Ok(())
}

/// Writes beside the file first, then puts that in its place: a file that is there is whole.
pub(super) async fn put_in_place<T>(path: &Path, write: impl AsyncFnOnce(&Path, &File) -> Result<T, Failure>) -> Result<T, Failure> {
    let failed = |error: io::Error| Failure::Other(format!("{}: it cannot be written: {error}", path.display()));
    let mut part = path.as_os_str().to_owned();
    // In a container every process may have the same number.
    part.push(format!(".{:08x}.part", fastrand::u32(..)));
    let part = PathBuf::from(part);
    let file = create_private(&part).map_err(failed)?;
    let written = write(&part, &file).await;
    let placed = match &written {
        Ok(_) => file.sync_all().and_then(|()| fs::rename(&part, path)),
        Err(_) => Ok(()),
    };
    if written.is_err() || placed.is_err() {
        // Whatever went wrong is said below.
        let _ = fs::remove_file(&part);
    }
    placed.map_err(failed)?;
    written
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
