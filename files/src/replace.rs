//! Replacing a file.

use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// Writes `bytes` in place of whatever `path` holds: into a temporary file beside it first, which takes its
/// name when it is complete.
///
/// # Errors
/// If the folder is not there or not writable, or the disk is full; the old file is left then.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".dunlin-");
        // The umask narrows this, as for any new file; the default would be readable to the user alone.
        #[cfg(unix)]
        builder.permissions(<std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
        // A folder cannot be replaced by a file: the last step fails, and nothing has changed.
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        let error = replace(&folder, b"new").unwrap_err().to_string();
        assert!(error.contains("folder"), "{error}");
        assert!(folder.is_dir());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file stays");
        assert!(replace(&dir.path().join("missing/b"), b"new").is_err());
    }
}
