//! What is here of a file that is still coming.
//!
//! The journal begins with the text `oai-part`, the file's size (u64) and the CRC-32 of both; then come
//! records of 16 bytes: index of a piece, bytes of it that are written, their CRC-32, and the
//! CRC-32 of the three; all little-endian. Later records of a piece replace earlier ones. A record
//! follows its bytes in time, but after a power cut either may be lost: the file's own hash, which
//! reads everything anyway, tells bytes that do not have their CRC, and they come again.

use std::fs::{self, File, OpenOptions};
#[cfg(windows)]
use std::io::ErrorKind;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::hub::Error;

/// Ending of the bytes.
pub const PARTIAL: &str = "oai-partial";
/// Ending of the record of them.
pub const JOURNAL: &str = "oai-journal";
/// Ending of other tools' partial files, which are a plain beginning of the file.
const FOREIGN: &str = "incomplete";

const MAGIC: &[u8; 8] = b"oai-part";
const HEADER: usize = 20;
const RECORD: usize = 16;
/// What is recorded, and lost by a kill, at once, in bytes.
pub const PIECE: u64 = 1 << 20;

/// A piece of the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Piece {
    /// Bytes of it that are here, from its start.
    pub have: u32,
    /// Their CRC-32.
    pub crc: u32,
    /// Some came in an earlier run: trusted only once they were read again.
    pub earlier: bool,
}

/// What reading a piece came to.
pub enum Found {
    Whole,
    /// Its bytes are not those that were recorded.
    Damaged,
    /// Nobody wants it any more.
    Unwanted,
}

/// The state that the network and the hash share.
#[derive(Debug)]
pub struct State {
    pub pieces: Vec<Piece>,
    /// Bytes that are here.
    pub have: u64,
    /// Nobody wants the hash any more.
    pub stop: bool,
}

/// A file that is still coming.
#[derive(Debug)]
pub struct Partial {
    pub size: u64,
    path: PathBuf,
    journal_path: PathBuf,
    data: File,
    journal: File,
    state: Mutex<State>,
    /// A piece became complete, or nobody wants more.
    changed: Condvar,
}

impl Partial {
    /// What an earlier run left of `blob`, or nothing yet.
    pub fn open(blob: &Path, size: u64) -> Result<Partial, Error> {
        let (path, journal_path) = (with_ending(blob, PARTIAL), with_ending(blob, JOURNAL));
        let adopted = adopt(blob, &path, size);
        let data = open(&path)?;
        let journal = open(&journal_path)?;
        let (mut pieces, valid) = read_journal(&journal_path, size);
        let failed = |source| Error::Write { path: journal_path.clone(), source };
        // What was torn off by a power cut must not lie between records.
        journal.set_len(valid).map_err(failed)?;
        let mut partial = Partial {
            size,
            data,
            journal,
            changed: Condvar::new(),
            state: Mutex::new(State { pieces: Vec::new(), have: 0, stop: false }),
            path,
            journal_path: journal_path.clone(),
        };
        if valid == 0 {
            partial.append(&header(size))?;
            pieces = vec![Piece::default(); pieces_of(size)];
            if adopted {
                pieces = partial.take_over()?;
            }
        }
        partial.data.set_len(size).map_err(|source| partial.unwritable(source))?;
        let have = pieces.iter().map(|piece| u64::from(piece.have)).sum();
        partial.state = Mutex::new(State { pieces, have, stop: false });
        Ok(partial)
    }

    /// The pieces of a file that another tool began, with a record of each.
    fn take_over(&self) -> Result<Vec<Piece>, Error> {
        let length = self.data.metadata().map_err(|e| self.unwritable(e))?.len().min(self.size);
        let mut pieces = vec![Piece::default(); pieces_of(self.size)];
        let mut buffer = vec![0; PIECE as usize];
        for (index, piece) in pieces.iter_mut().enumerate() {
            let start = index as u64 * PIECE;
            let bytes = &mut buffer[..length.saturating_sub(start).min(PIECE) as usize];
            if bytes.is_empty() {
                break;
            }
            read_at(&self.data, bytes, start).map_err(|e| self.unwritable(e))?;
            *piece = Piece { have: bytes.len() as u32, crc: crc32fast::hash(bytes), earlier: true };
            self.record(index, *piece)?;
        }
        Ok(pieces)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are here.
    pub fn have(&self) -> u64 {
        self.state().have
    }

    /// Bytes of piece `index`.
    pub fn length(&self, index: usize) -> u32 {
        (self.size - index as u64 * PIECE).min(PIECE) as u32
    }

    /// Takes what came at `position`, as far as it is not here already. Says how many bytes of it
    /// are new.
    pub fn write(&self, mut position: u64, mut bytes: &[u8]) -> Result<u64, Error> {
        let mut new = 0;
        while !bytes.is_empty() {
            let index = (position / PIECE) as usize;
            let offset = (position % PIECE) as u32;
            let (part, rest) = bytes.split_at(bytes.len().min((self.length(index) - offset) as usize));
            let piece = self.state().pieces[index];
            if let Some(fresh) = part.get((piece.have.saturating_sub(offset)) as usize..)
                && offset <= piece.have
                && !fresh.is_empty()
            {
                write_at(&self.data, fresh, index as u64 * PIECE + u64::from(piece.have))
                    .map_err(|e| self.unwritable(e))?;
                let mut crc = crc32fast::Hasher::new_with_initial(piece.crc);
                crc.update(fresh);
                let piece = Piece { have: piece.have + fresh.len() as u32, crc: crc.finalize(), ..piece };
                new += fresh.len() as u64;
                let whole = piece.have == self.length(index);
                if whole {
                    self.record(index, piece)?;
                }
                let mut state = self.state();
                state.pieces[index] = piece;
                state.have += fresh.len() as u64;
                if whole {
                    self.changed.notify_one();
                }
            }
            position += part.len() as u64;
            bytes = rest;
        }
        Ok(new)
    }

    /// Records what is here of a piece that is not whole, so that a kill does not lose it.
    pub fn record_started(&self, index: usize) -> Result<(), Error> {
        let piece = self.state().pieces[index];
        if piece.have == 0 || piece.have == self.length(index) { Ok(()) } else { self.record(index, piece) }
    }

    /// Waits until piece `index` is whole and reads it. One that is damaged is forgotten.
    pub fn read_whole(&self, index: usize, buffer: &mut Vec<u8>) -> Result<Found, Error> {
        let length = self.length(index);
        let mut state = self.state();
        while !state.stop && state.pieces[index].have < length {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stop {
            return Ok(Found::Unwanted);
        }
        let piece = state.pieces[index];
        drop(state);
        buffer.resize(length as usize, 0);
        let failed = |source| Error::Read { path: self.path.clone(), source };
        read_at(&self.data, buffer, index as u64 * PIECE).map_err(failed)?;
        if !piece.earlier || crc32fast::hash(buffer) == piece.crc {
            return Ok(Found::Whole);
        }
        let mut state = self.state();
        state.pieces[index] = Piece::default();
        state.have -= u64::from(length);
        Ok(Found::Damaged)
    }

    /// Lets whoever waits for pieces go.
    pub fn stop(&self) {
        self.state().stop = true;
        self.changed.notify_all();
    }

    /// Gives the file its name, once its bytes are on the disk.
    pub fn finish(&self, blob: &Path) -> Result<(), Error> {
        self.data.sync_all().map_err(|e| self.unwritable(e))?;
        fs::rename(&self.path, blob).map_err(|source| Error::Write { path: blob.to_owned(), source })?;
        // The name is in the folder only when the folder is on the disk too.
        if let Some(folder) = blob.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        forget(blob);
        Ok(())
    }

    fn record(&self, index: usize, piece: Piece) -> Result<(), Error> {
        let mut record = [0; RECORD];
        for (field, value) in record.chunks_exact_mut(4).zip([index as u32, piece.have, piece.crc]) {
            field.copy_from_slice(&value.to_le_bytes());
        }
        let check = crc32fast::hash(&record[..12]);
        record[12..].copy_from_slice(&check.to_le_bytes());
        self.append(&record)
    }

    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.journal_path.clone(), source };
        (&self.journal).write_all(bytes).map_err(failed)
    }

    fn unwritable(&self, source: std::io::Error) -> Error {
        Error::Write { path: self.path.clone(), source }
    }
}

/// Bytes of `blob` that an earlier run recorded, without opening them.
pub fn recorded(blob: &Path, size: u64) -> u64 {
    let (pieces, valid) = read_journal(&with_ending(blob, JOURNAL), size);
    if valid > 0 {
        return pieces.iter().map(|piece| u64::from(piece.have)).sum();
    }
    fs::metadata(with_ending(blob, FOREIGN)).map_or(0, |m| if m.len() <= size { m.len() } else { 0 })
}

/// Throws away what an earlier run left of `blob`.
pub fn forget(blob: &Path) {
    for ending in [JOURNAL, PARTIAL, FOREIGN] {
        let _ = fs::remove_file(with_ending(blob, ending));
    }
}

/// `HASH.ending`; hashes have no dot.
fn with_ending(blob: &Path, ending: &str) -> PathBuf {
    blob.with_extension(ending)
}

/// How many pieces a file of `size` bytes has.
pub fn pieces_of(size: u64) -> usize {
    size.div_ceil(PIECE) as usize
}

fn header(size: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&size.to_le_bytes());
    let check = crc32fast::hash(&header[..16]);
    header[16..].copy_from_slice(&check.to_le_bytes());
    header
}

/// The pieces that a journal tells of, and how many of its bytes make sense.
fn read_journal(path: &Path, size: u64) -> (Vec<Piece>, u64) {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    if read.is_err() || !bytes.starts_with(&header(size)) {
        return (Vec::new(), 0);
    }
    let mut pieces = vec![Piece::default(); pieces_of(size)];
    let mut valid = HEADER;
    for record in bytes[HEADER..].chunks_exact(RECORD) {
        let field = |i: usize| u32::from_le_bytes([record[i], record[i + 1], record[i + 2], record[i + 3]]);
        let (index, have, crc, check) = (field(0), field(4), field(8), field(12));
        let length = size.saturating_sub(u64::from(index) * PIECE).min(PIECE);
        if check != crc32fast::hash(&record[..12]) || u64::from(have) > length {
            break;
        }
        pieces[index as usize] = Piece { have, crc, earlier: true };
        valid += RECORD;
    }
    (pieces, valid as u64)
}

/// Takes over what another tool began.
fn adopt(blob: &Path, partial: &Path, size: u64) -> bool {
    let foreign = with_ending(blob, FOREIGN);
    let usable = fs::symlink_metadata(&foreign).is_ok_and(|m| m.is_file() && m.len() <= size);
    usable && !partial.exists() && fs::rename(&foreign, partial).is_ok()
}

/// A file of ours to read and append to; a link planted in its place is not followed.
fn open(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    if fs::symlink_metadata(path).is_ok_and(|m| !m.is_file()) {
        fs::remove_file(path).map_err(failed)?;
    }
    let append = path.extension().is_some_and(|ending| ending == JOURNAL);
    let mut options = OpenOptions::new();
    options.read(true).create(true);
    if append {
        options.append(true)
    } else {
        options.write(true).truncate(false)
    };
    options.open(path).map_err(failed)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], position: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, position)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], position: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, position)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut position: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, position)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => {
                bytes = &mut bytes[n..];
                position += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut position: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, position)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            n => {
                bytes = &bytes[n..];
                position += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `size` bytes that differ from place to place.
    fn content(size: u64) -> Vec<u8> {
        (0..size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// Reads all pieces; those that are damaged come back as their indices.
    fn damaged(partial: &Partial) -> Vec<usize> {
        let mut buffer = Vec::new();
        let is_damaged = |index: &usize| match partial.read_whole(*index, &mut buffer).unwrap() {
            Found::Damaged => true,
            Found::Whole => false,
            Found::Unwanted => panic!("nobody stopped"),
        };
        (0..pieces_of(partial.size)).filter(is_damaged).collect()
    }

    #[test]
    fn what_was_written_is_there_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("ab");
        let bytes = content(2 * PIECE + 100);
        let size = bytes.len() as u64;
        let partial = Partial::open(&blob, size).unwrap();
        // Out of order, across pieces, and twice.
        assert_eq!(partial.write(PIECE, &bytes[PIECE as usize..]).unwrap(), PIECE + 100);
        assert_eq!(partial.write(0, &bytes[..1000]).unwrap(), 1000);
        assert_eq!(partial.write(500, &bytes[500..2000]).unwrap(), 1000);
        assert_eq!(partial.write(5000, &bytes[5000..6000]).unwrap(), 0, "a hole is not a beginning");
        partial.record_started(0).unwrap();
        drop(partial);
        assert_eq!(recorded(&blob, size), size - PIECE + 2000);
        let partial = Partial::open(&blob, size).unwrap();
        assert_eq!(partial.have(), size - PIECE + 2000);
        assert_eq!(partial.write(0, &bytes).unwrap(), PIECE - 2000);
        assert_eq!(damaged(&partial), Vec::<usize>::new());
        partial.finish(&blob).unwrap();
        assert_eq!(fs::read(&blob).unwrap(), bytes);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn pieces_that_a_power_cut_lost_are_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("ab");
        let bytes = content(4 * PIECE);
        Partial::open(&blob, 4 * PIECE).unwrap().write(0, &bytes).unwrap();
        let path = blob.with_extension(PARTIAL);
        // The data of one piece never reached the disk, and the last record is torn.
        write_at(&File::options().write(true).open(&path).unwrap(), &[0; 4096], PIECE + 77).unwrap();
        let journal = blob.with_extension(JOURNAL);
        let length = fs::metadata(&journal).unwrap().len();
        File::options().write(true).open(&journal).unwrap().set_len(length - 3).unwrap();
        let partial = Partial::open(&blob, 4 * PIECE).unwrap();
        assert_eq!(partial.have(), 3 * PIECE);
        partial.write(3 * PIECE, &bytes[3 * PIECE as usize..]).unwrap();
        assert_eq!(damaged(&partial), [1]);
        assert_eq!(partial.have(), 3 * PIECE);
        partial.write(PIECE, &bytes[PIECE as usize..2 * PIECE as usize]).unwrap();
        assert_eq!(damaged(&partial), Vec::<usize>::new());
    }

    #[test]
    fn what_other_tools_began_goes_on_and_other_sizes_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("ab");
        let bytes = content(PIECE + 10);
        fs::write(blob.with_extension(FOREIGN), &bytes[..PIECE as usize + 3]).unwrap();
        assert_eq!(recorded(&blob, PIECE + 10), PIECE + 3);
        let partial = Partial::open(&blob, PIECE + 10).unwrap();
        assert_eq!(partial.have(), PIECE + 3);
        assert_eq!(partial.write(PIECE, &bytes[PIECE as usize..]).unwrap(), 7);
        assert_eq!(damaged(&partial), Vec::<usize>::new());
        drop(partial);
        assert_eq!(Partial::open(&blob, PIECE + 9).unwrap().have(), 0);
        assert_eq!(recorded(&blob, PIECE + 9), 0);
        fs::write(blob.with_extension(JOURNAL), "not a journal").unwrap();
        assert_eq!(Partial::open(&blob, PIECE).unwrap().have(), 0);
    }
}
