//! A setting that is written into the user's own file.

use std::io::Write;
use std::path::Path;

use super::Error;

/// Writes `name = "text"` at the top of a configuration file, which need not be there; the rest stays as it is, with
/// its comments.
pub fn keep(file: &Path, name: &str, text: &str) -> Result<(), Error> {
    let read = |source| Error::Read { file: file.to_owned(), source };
    let before = match std::fs::read_to_string(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        found => found.map_err(read)?,
    };
    let syntax = |e: toml_edit::TomlError| Error::Syntax {
        file: file.to_owned(),
        reason: e.to_string().trim().replace('\n', " "),
    };
    let mut document: toml_edit::DocumentMut = before.parse().map_err(syntax)?;
    document[name] = toml_edit::value(text);
    let write = |source| Error::Write { file: file.to_owned(), source };
    // A configuration that is a link into somebody's dotfiles stays one.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).map_err(write)?;
    }
    let mut temporary = target.clone().into_os_string();
    temporary.push(".partial");
    replace(&target, Path::new(&temporary), &document.to_string()).map_err(write)
}

/// Writes `temporary` whole, with the mode of `target`, and puts it in its place.
fn replace(target: &Path, temporary: &Path, text: &str) -> std::io::Result<()> {
    let before = std::fs::metadata(target).ok();
    let mut file = std::fs::File::create(temporary)?;
    let written = || {
        // Before the text: tokens lie in some.
        if let Some(before) = before {
            file.set_permissions(before.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(temporary, target)
    };
    written().inspect_err(|_| {
        let _ = std::fs::remove_file(temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_kept_beside_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oai/config.toml");
        keep(&file, "theme", "fjord").unwrap();
        std::fs::write(&file, "# mine\ntheme = \"fjord\"\n\n[sampling]\ntop_k = 7 # few\n").unwrap();
        keep(&file, "theme", "kelp").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "# mine\ntheme = \"kelp\"\n\n[sampling]\ntop_k = 7 # few\n");
        std::fs::write(&file, "theme = ").unwrap();
        assert!(matches!(keep(&file, "theme", "kelp"), Err(Error::Syntax { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "theme = ");
    }

    #[cfg(unix)]
    #[test]
    fn a_private_configuration_stays_private_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.toml"), folder.path().join("config.toml"));
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        keep(&link, "theme", "fjord").unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
