//! The database file: how it is opened, what tables it has, what its failures mean.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::Error;

/// `oais`: marks the file as ours (<https://www.sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION: i64 = 0x6f61_6973;

/// How long one process waits for another's transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// From each version of the schema to the next; `user_version` counts those that were applied.
///
/// A node is one row of JSON, as in the export, because it is only ever read whole. `words` holds no text, only which
/// word is in which node, under the node's key.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT,
        tags TEXT NOT NULL,
        title TEXT NOT NULL,
        turns INTEGER NOT NULL,
        model TEXT NOT NULL,
        system TEXT,
        sampling TEXT,
        leaf INTEGER,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        born INTEGER NOT NULL UNIQUE,
        writer INTEGER NOT NULL,
        revision INTEGER NOT NULL
    );
    CREATE INDEX sessions_by_time ON sessions (updated_ms);
    CREATE TABLE nodes (
        key INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        id INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (session, id)
    );
    CREATE VIRTUAL TABLE words USING fts5 (text, content='', contentless_delete=1, tokenize='ascii', prefix='2 3');
    CREATE TRIGGER forget_words AFTER DELETE ON nodes BEGIN DELETE FROM words WHERE rowid = old.key; END;
"];

/// Opens the database, making it if need be, for this user's eyes alone.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    make_file(path).map_err(|cause| Error::Write { file: path.display().to_string(), cause })?;
    // Not as an address: a path may begin with `file:`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| failed(path, &e))?;
    connection.busy_timeout(PATIENCE).map_err(|e| failed(path, &e))?;
    check_ours(&connection, path)?;
    use_wal(&connection).map_err(|e| failed(path, &e))?;
    let settings = "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
    connection.execute_batch(settings).map_err(|e| failed(path, &e))?;
    let mut connection = connection;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// The files that SQLite puts beside a database take their mode from it.
fn make_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(|_| ()),
    }
}

fn number(connection: &Connection, question: &str) -> Result<i64, rusqlite::Error> {
    connection.query_row(question, (), |row| row.get(0))
}

/// Fails before anything is changed in a file that is not ours, or of a newer oai.
fn check_ours(connection: &Connection, path: &Path) -> Result<(), Error> {
    // One moment's answers: another process may be making the database.
    let transaction = connection.unchecked_transaction().map_err(|e| failed(path, &e))?;
    let ask = |question: &str| number(&transaction, question).map_err(|e| failed(path, &e));
    let application = ask("PRAGMA application_id")?;
    if application != APPLICATION && (application != 0 || ask("SELECT count(*) FROM sqlite_schema")? > 0) {
        let reason = "it belongs to another program".to_owned();
        return Err(Error::NotOurs { file: path.display().to_string(), reason });
    }
    let (found, known) = (ask("PRAGMA user_version")?, MIGRATIONS.len() as i64);
    if found > known {
        return Err(Error::Newer { file: path.display().to_string(), found, known });
    }
    Ok(())
}

/// With a write-ahead log readers and one writer do not wait for each other, and a crash loses no more than the last
/// transaction.
fn use_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    let begun = Instant::now();
    loop {
        // SQLite does not wait by itself when several processes switch at once. Where no log is possible it answers
        // with the mode that stays, which is safe too.
        match connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(())) {
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let version = number(connection, "PRAGMA user_version").map_err(|e| failed(path, &e))?;
    if version == MIGRATIONS.len() as i64 {
        return Ok(());
    }
    let steps = |connection: &mut Connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been first.
        let version = number(&transaction, "PRAGMA user_version")?;
        let missing = MIGRATIONS.get(usize::try_from(version).unwrap_or(0)..).unwrap_or_default();
        missing.iter().try_for_each(|step| transaction.execute_batch(step))?;
        let (known, application) = (MIGRATIONS.len(), APPLICATION);
        if !missing.is_empty() {
            let marks = format!("PRAGMA user_version = {known}; PRAGMA application_id = {application};");
            transaction.execute_batch(&marks)?;
        }
        transaction.commit()
    };
    steps(connection).map_err(|e| failed(path, &e))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// An error of SQLite's as one of ours, which names the file.
pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    use rusqlite::Error as Sqlite;
    let (file, reason) = (path.display().to_string(), error.to_string());
    match error {
        e if is_busy(e) => Error::Busy { file },
        e if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Error::NotOurs { file, reason },
        e if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Error::Damaged { file, reason },
        // What we wrote ourselves cannot be read.
        Sqlite::FromSqlConversionFailure(..)
        | Sqlite::InvalidColumnType(..)
        | Sqlite::IntegralValueOutOfRange(..)
        | Sqlite::Utf8Error(..) => Error::Damaged { file, reason },
        _ => Error::Database { file, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Store;

    fn refusal(path: &Path) -> String {
        Store::open(path).err().unwrap().to_string()
    }

    #[test]
    fn files_of_others_and_of_newer_versions_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        fs::write(&path, "this is no database, though it is longer than a header of one hundred bytes".repeat(3))
            .unwrap();
        let before = fs::read(&path).unwrap();
        assert!(refusal(&path).contains("x.sqlite is not a database of conversations"));
        assert_eq!(fs::read(&path).unwrap(), before);

        let other = folder.path().join("other.sqlite");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let before = fs::read(&other).unwrap();
        assert!(refusal(&other).contains("another program"));
        assert_eq!(fs::read(&other).unwrap(), before);

        let newer = folder.path().join("newer.sqlite");
        drop(open(&newer).unwrap());
        Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        assert!(refusal(&newer).contains("schema 99"));

        assert!(refusal(folder.path()).contains(&folder.path().display().to_string()));
    }

    #[test]
    fn an_empty_file_becomes_a_database_and_an_address_is_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file:x?mode=memory");
        drop(open(&path).unwrap());
        assert!(fs::metadata(&path).unwrap().len() > 0);
        let empty = folder.path().join("empty");
        fs::write(&empty, "").unwrap();
        let connection = open(&empty).unwrap();
        assert_eq!(number(&connection, "PRAGMA user_version").unwrap(), MIGRATIONS.len() as i64);
        let mode: String = connection.query_row("PRAGMA journal_mode", (), |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_database_or_what_lies_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oai/x.sqlite");
        let _connection = open(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let modes: Vec<u32> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| mode(&entry.unwrap().path())).collect();
        assert!(modes.len() > 1 && modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
    }

    #[test]
    fn several_processes_may_make_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path).map(|_| ()))).collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}
