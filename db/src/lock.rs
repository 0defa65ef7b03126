//! Locks on files, for what must not happen twice on one SQLite file. The operating system lets go of them when their
//! process ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often a waiting process looks whether the lock is free.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is held by another process", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be opened.
    #[error("{} cannot be locked", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl FileLock {
    /// Takes the lock `<file>.<purpose>.lock` at once or not at all.
    pub fn take(file: &Path, purpose: &str) -> Result<Self, LockError> {
        let path = lock_path(file, purpose);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = opened.map_err(|source| LockError::Io { path: path.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _file: lock }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { path }),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }

    /// Takes the lock, waiting up to `limit` for another process to let go of it.
    pub async fn wait(file: &Path, purpose: &str, limit: Duration) -> Result<Self, LockError> {
        let started = tokio::time::Instant::now();
        loop {
            match Self::take(file, purpose) {
                Err(LockError::Held { .. }) if started.elapsed() < limit => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                outcome => return outcome,
            }
        }
    }
}

fn lock_path(file: &Path, purpose: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{purpose}.lock"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.db");
        let held = FileLock::take(&file, "serve").unwrap();
        assert!(matches!(FileLock::take(&file, "serve"), Err(LockError::Held { .. })));
        drop(held);
        assert!(FileLock::take(&file, "serve").is_ok());
    }
}
