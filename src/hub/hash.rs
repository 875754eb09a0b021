//! The hash of a file that is here.

use std::io::Read;
use std::path::Path;

use super::Error;
use super::transfer::Hasher;

/// Asks [`of_file`] for SHA-256.
pub const SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The hash of the kind that `like` is of: 64 digits are SHA-256, 40 git's SHA-1. `tell` hears how many bytes are
/// done.
pub fn of_file(path: &Path, like: &str, tell: &mut dyn FnMut(u64)) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = crate::weights::open_quietly(path).map_err(failed)?;
    let mut hasher = Hasher::like(like, file.metadata().map_err(failed)?.len());
    let (mut buffer, mut done) = (vec![0; 1 << 20], 0);
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..n]);
        done += n as u64;
        tell(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_tools() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let of = |like: &str| of_file(file.path(), like, &mut |_| {}).unwrap();
        // `sha256sum` and `git hash-object`.
        assert_eq!(of(SHA256), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(of(&"0".repeat(40)), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
