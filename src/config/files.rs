//! Reads the small text files that settings point at. A limit keeps a wrong path from filling the memory.

use std::{fs::File, io, io::Read, path::Path};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The system refuses to read it.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is longer than what it is for.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// The limit that it breaks.
        limit: u64,
    },
    /// It is not text.
    #[error("is not UTF-8")]
    NotText,
}

impl FileError {
    /// Tells whether there simply is no such file.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Unreadable(error) => error.kind() == io::ErrorKind::NotFound,
            Self::TooLong { .. } | Self::NotText => false,
        }
    }
}

/// Reads a whole file of at most `limit` bytes; a byte order mark in front is dropped.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| length > limit) {
        return Err(FileError::TooLong { limit });
    }
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotText)?;
    Ok(text.strip_prefix('\u{feff}').map(Into::into).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(content: &[u8]) -> Result<String, FileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, content).unwrap();
        read_text(&path, 8)
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_as_text_only() {
        assert_eq!(read(b"\xEF\xBB\xBF12345").unwrap(), "12345");
        assert_eq!(read(b"12345678").unwrap(), "12345678");
        assert!(matches!(read(b"123456789"), Err(FileError::TooLong { limit: 8 })));
        assert!(matches!(read(b"\xFF"), Err(FileError::NotText)));
    }

    #[test]
    fn a_file_that_is_not_there_is_told_from_one_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_text(&folder.path().join("none"), 8).unwrap_err().is_absence());
        assert!(!read_text(folder.path(), 8).unwrap_err().is_absence());
    }
}
