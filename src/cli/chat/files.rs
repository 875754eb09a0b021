//! Files that a person names while writing.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::session::write_file;
use crate::tui::{Event, FileChoice};
use crate::units;

/// At most so many names are offered.
const MOST: usize = 200;
/// A larger file is no attachment: no model here reads so much.
const LARGEST_BYTES: u64 = 16 << 20;

/// The files whose path begins with what follows `@`; hidden ones only where the dot is typed.
pub fn complete(prefix: String, home: Option<&Path>) -> Event {
    let typed = prefix.trim_start_matches('@');
    let (folder, name) = match typed.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), typed),
    };
    let wanted = name.to_lowercase();
    let place = if folder.is_empty() { PathBuf::from(".") } else { at_home(Path::new(&folder), home) };
    let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
    let fits = |file: &String| {
        let hidden = file.starts_with('.') && !name.starts_with('.');
        file.to_lowercase().starts_with(&wanted) && !hidden && !file.contains(breaks_lines)
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(fits).collect();
    names.sort_unstable();
    names.truncate(MOST);
    // Only now: a folder may hold very many, and be far away.
    let choice = |file: String| {
        let slash = if place.join(&file).is_dir() { "/" } else { "" };
        FileChoice { path: format!("{folder}{file}{slash}") }
    };
    Event::Files { files: names.into_iter().map(choice).collect(), prefix }
}

/// What cannot be typed within a line.
fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Reads a file to go with a question.
pub fn attach(path: &Path, home: Option<&Path>) -> Event {
    let name = path.display().to_string();
    read(&at_home(path, home), &name).map_or_else(Event::Failed, |text| Event::Attached { name, text })
}

/// The text of a file that is one: devices and pipes may never end.
fn read(on_disk: &Path, name: &str) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("cannot read {name}: {e}");
    let found = std::fs::metadata(on_disk).map_err(failed)?;
    if found.is_dir() {
        return Err(format!("{name} is a folder: attach a file"));
    }
    if !found.is_file() {
        return Err(format!("{name} is a device, a pipe or a socket: attach a file"));
    }
    if found.len() > LARGEST_BYTES {
        return Err(format!("{name} is {}, more than any model reads", units::bytes(found.len())));
    }
    let mut bytes = Vec::new();
    // Some that the system makes up are longer than they say.
    std::fs::File::open(on_disk)
        .and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(format!("{name} is over {}, more than any model reads", units::bytes(LARGEST_BYTES)));
    }
    crate::cli::text::utf8(bytes, name).map_err(|error| error.to_string())
}

/// Writes a new file; one that is there stays as it is.
pub fn write(path: &Path, text: &str, home: Option<&Path>) -> Event {
    match write_file(&at_home(path, home), text, false) {
        Ok(()) => Event::Done(format!("wrote {} ({})", path.display(), units::bytes(text.len() as u64))),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Event::Failed(format!("{} is there already: choose another name", path.display()))
        }
        Err(error) => Event::Failed(format!("cannot write {}: {error}", path.display())),
    }
}

/// `~/` is home.
fn at_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refusal(path: &Path) -> String {
        match attach(path, None) {
            Event::Failed(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_completed_in_order_with_blanks_and_without_case() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["My file.txt", "my.rs", ".my", "mine\n", "other"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("my folder")).unwrap();
        let found = |typed: &str| match complete(format!("~/{typed}"), Some(folder.path())) {
            Event::Files { files, prefix } if prefix == format!("~/{typed}") => {
                files.into_iter().map(|file| file.path).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(found("M"), ["~/My file.txt", "~/my folder/", "~/my.rs"]);
        assert_eq!(found(".m"), ["~/.my"]);
        assert!(found("my folder/").is_empty() && found("nothing/x").is_empty());
        for number in 0..=MOST {
            fs::write(folder.path().join(format!("x{number:04}")), "").unwrap();
        }
        assert_eq!((found("x").len(), found("x").last().unwrap().as_str()), (MOST, "~/x0199"));
    }

    #[test]
    fn only_files_of_text_that_end_are_attached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "text").unwrap();
        assert!(matches!(attach(&path, None), Event::Attached { text, .. } if text == "text"));
        fs::write(&path, b"ab\xff").unwrap();
        assert!(refusal(&path).contains("a.txt is not UTF-8 text (byte 2 "));
        fs::File::create(&path).unwrap().set_len(LARGEST_BYTES + 1).unwrap();
        assert!(refusal(&path).contains("more than any model reads"));
        assert!(refusal(folder.path()).contains("is a folder"));
        assert!(refusal(&folder.path().join("gone")).starts_with("cannot read"));
        #[cfg(unix)]
        assert!(refusal(Path::new("/dev/zero")).contains("/dev/zero is a device"));
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(write(Path::new("~/a.md"), "one", Some(folder.path())), Event::Done(_)));
        let again = write(Path::new("~/a.md"), "two", Some(folder.path()));
        assert!(matches!(again, Event::Failed(reason) if reason == "~/a.md is there already: choose another name"));
        assert_eq!(fs::read_to_string(folder.path().join("a.md")).unwrap(), "one");
    }
}
