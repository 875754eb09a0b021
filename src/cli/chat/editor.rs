//! A text in the user's own editor.

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::config::Settings;

/// Opens `text` in `$VISUAL`, `$EDITOR` or vi, and returns what was saved.
pub fn edit(text: &str, settings: &Settings) -> Result<String> {
    let editor = settings.surrounding(&["VISUAL", "EDITOR"]).map_or("vi", |(_, editor)| editor);
    let mut words = editor.split_whitespace();
    let Some(program) = words.next() else { bail!("EDITOR is empty") };
    let folder = &settings.paths.data_dir;
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("question-{}.md", std::process::id()));
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).and_then(|mut file| file.write_all(text.as_bytes())).context("cannot write for the editor")?;
    let ended = Command::new(program).args(words).arg(&path).status();
    let edited = std::fs::read_to_string(&path);
    let unreadable = edited.is_err() && ended.as_ref().is_ok_and(|status| status.success());
    if !unreadable {
        // What cannot be removed is the editor's.
        let _ = std::fs::remove_file(&path);
    }
    match ended {
        Err(error) => bail!("cannot run {editor}: {error} (VISUAL or EDITOR names another editor)"),
        Ok(status) if !status.success() => bail!("{editor} ended with {status}; the text is as it was"),
        Ok(_) => edited.with_context(|| format!("cannot read what {editor} left in {}", path.display())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_read_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        let left = folder.path().join("left by the editor");
        let settings = |editor: &str| {
            Settings::load_from(&|name| match name {
                "HOME" => Some(home.clone()),
                "EDITOR" => Some(editor.to_owned()),
                _ => None,
            })
            .unwrap()
        };
        // The data folder is this user's own, and others write there.
        let kept = |settings: &Settings| -> Vec<_> {
            let name = format!("question-{}.md", std::process::id());
            std::fs::read_dir(&settings.paths.data_dir)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.file_name().is_some_and(|of| *of == *name))
                .collect()
        };
        std::os::unix::fs::symlink(&left, folder.path().join("left")).unwrap();
        let copies = settings(&format!("cp {home}/left"));
        std::fs::write(&left, "new").unwrap();
        assert_eq!(edit("old", &copies).unwrap(), "new");
        assert!(kept(&copies).is_empty());
        std::fs::write(&left, b"\xff").unwrap();
        let error = format!("{:#}", edit("old", &copies).unwrap_err());
        let [kept] = &kept(&copies)[..] else { panic!("one file is kept") };
        assert!(error.contains(&kept.display().to_string()), "{error}");
        assert_eq!(std::fs::read(kept).unwrap(), b"\xff");
        std::fs::remove_file(kept).unwrap();
        assert!(edit("old", &settings("false")).unwrap_err().to_string().contains("as it was"));
    }
}
