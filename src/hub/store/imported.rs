//! Models of the user's own, adopted into `models/NAME` of oai's data folder: without copying where the disk can
//! share a file. `import.json` beside them says where they came from.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{Error, files, hash, layout, provenance};
use super::model::models_in;
use super::{LocalModel, ModelFile, Place, Store, disk, used};

const RECORD: &str = "import.json";

/// How a file was adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adopted {
    /// The disk holds one copy until either file is written to.
    Reflink,
    /// One file under two names.
    HardLink,
    Copy,
    SymbolicLink,
}

/// Where an imported model came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Imported {
    pub name: String,
    /// RFC 3339, UTC.
    pub time: String,
    pub files: Vec<ImportedFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportedFile {
    pub path: String,
    pub from: PathBuf,
    pub adopted: Adopted,
    pub size_bytes: u64,
    pub sha256: String,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct ImportOptions {
    /// Leave the files where they are, and point at them.
    pub link: bool,
    /// Replace what has the name.
    pub force: bool,
}

pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("models")
}

/// All imported models.
pub fn models(data_dir: &Path) -> Result<Vec<LocalModel>, Error> {
    let mut models = Vec::new();
    for folder in disk::children(&folder(data_dir))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if disk::is_real_folder(&folder) && !name.starts_with('.') {
            models.extend(model_at(&disk::text_of(&name), &folder)?);
        }
    }
    Ok(models)
}

pub fn find(data_dir: &Path, name: &str) -> Result<Option<LocalModel>, Error> {
    let folder = folder(data_dir).join(disk::file_name(name));
    if name.is_empty() || !disk::is_real_folder(&folder) { Ok(None) } else { model_at(name, &folder) }
}

fn model_at(name: &str, folder: &Path) -> Result<Option<LocalModel>, Error> {
    let place = Place::Imported { folder: folder.to_owned() };
    let Some(mut model) = models_in(name, folder, &files_below(folder)?, &place).into_iter().next() else {
        return Ok(None);
    };
    model.name = name.to_owned();
    // It came when it was imported, however old its files are.
    model.modified = disk::modified(&folder.join(RECORD)).or(model.modified);
    Ok(Some(model))
}

/// What was written of the model in `folder` when it was imported.
pub fn record(folder: &Path) -> Result<Imported, Error> {
    let path = folder.join(RECORD);
    let text = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    serde_json::from_str(&text).map_err(|e| Error::Record { path, reason: e.to_string() })
}

/// Whether a model may be called `name`, which is not `taken` by another.
pub fn check_name(name: &str, taken: bool) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::BadName { name: name.to_owned(), why: why.to_owned() });
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if name == crate::guide::NAME {
        return wrong("it is the model inside the program");
    }
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !name.chars().all(plain) || name.len() > 100 {
        return wrong(
            "a name begins with a letter or digit and has letters, digits, '-', '_', '.' and ':', 100 at most",
        );
    }
    if name.ends_with(".gguf") || name.starts_with(super::OLLAMA) || name.starts_with(super::LM_STUDIO) {
        return wrong("it reads as a file or as a model of another program");
    }
    if taken {
        return wrong("it is the short name of a model on the hub; choose another, or add --force");
    }
    Ok(())
}

/// What a file or folder is called if nothing else is said.
pub fn default_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    files::stem(&name).chars().map(plain).collect()
}

/// The files of the model at `path`: a GGUF file with its other parts, or the one model of a folder.
pub fn files_at(path: &Path) -> Result<Vec<ModelFile>, Error> {
    if !path.is_dir() {
        return parts_of(path);
    }
    let found = files_below(path)?;
    let mut models = models_in("", path, &found, &Place::Path);
    match models.len() {
        1 => Ok(models.remove(0).files),
        0 => {
            let why = "it holds no GGUF file and no safetensors model".to_owned();
            Err(Error::Unusable { name: path.display().to_string(), why })
        }
        n => {
            let choices: Vec<String> = models.iter().filter_map(|m| m.files.first()).map(|f| f.path.clone()).collect();
            Err(Error::Several { name: path.display().to_string(), n, choices: choices.join(", ") })
        }
    }
}

fn files_below(folder: &Path) -> Result<Vec<ModelFile>, Error> {
    let found = disk::walk(folder)?.into_iter().filter(|(path, _)| path.is_file() || !path.exists());
    Ok(found.map(|(on_disk, path)| ModelFile { path, on_disk }).collect())
}

fn parts_of(path: &Path) -> Result<Vec<ModelFile>, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = files::stem(&name);
    let one = ModelFile { path: name.clone(), on_disk: path.to_owned() };
    if stem == name.strip_suffix(".gguf").unwrap_or(&name) {
        return Ok(vec![one]);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = disk::children(folder)?.into_iter().filter_map(|on_disk| {
        let path = on_disk.file_name()?.to_str()?.to_owned();
        (path.ends_with(".gguf") && files::stem(&path) == stem).then_some(ModelFile { path, on_disk })
    });
    Ok(beside.collect())
}

/// Adopts `wanted` as `name`; `tell` hears what is done to which file, and how far that is.
pub fn import(
    store: &Store,
    wanted: &[ModelFile],
    name: &str,
    options: ImportOptions,
    tell: &mut dyn FnMut(&str, &str, u64, u64),
) -> Result<LocalModel, Error> {
    let all = folder(&store.data_dir);
    let target = all.join(disk::file_name(name));
    if target.exists() && !options.force {
        return Err(Error::NameTaken { name: name.to_owned() });
    }
    // Two imports at once do not meet; what a killed one left is swept by the next.
    let lock_path = all.join(".lock");
    let failed = |path: &Path, source| Error::WriteData { path: path.to_owned(), source };
    fs::create_dir_all(&all).map_err(|e| failed(&all, e))?;
    let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
    let lock = lock.map_err(|e| failed(&lock_path, e))?;
    lock.lock().map_err(|e| failed(&lock_path, e))?;
    for left in disk::children(&all)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "importing")) {
        let _ = fs::remove_dir_all(left);
    }
    let fresh = all.join(format!(".{}.importing", disk::file_name(name)));
    let made = bring(wanted, name, &fresh, options.link, tell).and_then(|()| {
        if target.exists() {
            // Out of the way in one step, so that the name is never a mixture.
            let old = all.join(format!(".{}.old.importing", disk::file_name(name)));
            fs::rename(&target, &old).map_err(|e| failed(&target, e))?;
            fs::rename(&fresh, &target).map_err(|e| failed(&target, e))?;
            let _ = fs::remove_dir_all(old);
            return Ok(());
        }
        fs::rename(&fresh, &target).map_err(|e| failed(&target, e))
    });
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&fresh);
        return Err(error);
    }
    used::forget(&store.data_dir, name);
    find(&store.data_dir, name)?.ok_or_else(|| Error::NoModel { repo: name.to_owned() })
}

/// Brings the files into `folder`, with their record.
fn bring(
    wanted: &[ModelFile],
    name: &str,
    folder: &Path,
    link: bool,
    tell: &mut dyn FnMut(&str, &str, u64, u64),
) -> Result<(), Error> {
    let mut record = Imported { name: name.to_owned(), time: provenance::now(), files: Vec::new() };
    let mut to_copy = disk::size_once(wanted.iter().map(|file| file.on_disk.as_path()));
    for file in wanted {
        // The loader tells files apart by what they begin with, the list by their names.
        let single = wanted.len() == 1 && !file.path.contains('/');
        let path =
            if single && !file.path.ends_with(".gguf") { format!("{}.gguf", file.path) } else { file.path.clone() };
        let read = |source| Error::Read { path: file.on_disk.clone(), source };
        let from = fs::canonicalize(&file.on_disk).map_err(read)?;
        let to = folder.join(&path);
        let parent = to.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|source| Error::WriteData { path: parent.to_owned(), source })?;
        let adopted = adopt(&from, &to, link, to_copy, &mut |done, size| tell("copying", &path, done, size))?;
        to_copy = to_copy.saturating_sub(disk::size(&from));
        let size_bytes = disk::size(&to);
        let sha256 = hash::of_file(&to, hash::SHA256, &mut |done| tell("checking", &path, done, size_bytes))?;
        record.files.push(ImportedFile { path, from, adopted, size_bytes, sha256 });
    }
    let text = serde_json::to_string_pretty(&record).unwrap_or_default() + "\n";
    layout::write_whole(&folder.join(RECORD), text.as_bytes())
}

fn adopt(from: &Path, to: &Path, link: bool, to_copy: u64, tell: &mut dyn FnMut(u64, u64)) -> Result<Adopted, Error> {
    let failed = |source| Error::WriteData { path: to.to_owned(), source };
    if link {
        #[cfg(unix)]
        std::os::unix::fs::symlink(from, to).map_err(failed)?;
        #[cfg(windows)]
        std::os::windows::fs::symlink_file(from, to).map_err(failed)?;
        return Ok(Adopted::SymbolicLink);
    }
    if reflink_copy::reflink(from, to).is_ok() {
        return Ok(Adopted::Reflink);
    }
    let _ = fs::remove_file(to);
    if fs::hard_link(from, to).is_ok() {
        return Ok(Adopted::HardLink);
    }
    let folder = to.parent().unwrap_or(to);
    if let Ok(free) = fs4::available_space(folder)
        && free < to_copy
    {
        return Err(Error::NoRoomToCopy { path: folder.to_owned(), needed: to_copy, free });
    }
    let read_failed = |source| Error::Read { path: from.to_owned(), source };
    let mut source = File::open(from).map_err(read_failed)?;
    let mut target = File::create(to).map_err(failed)?;
    let (size, mut done) = (disk::size(from), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = source.read(&mut buffer).map_err(read_failed)?;
        if n == 0 {
            break;
        }
        target.write_all(&buffer[..n]).map_err(failed)?;
        done += n as u64;
        tell(done, size);
    }
    target.sync_all().map_err(failed)?;
    Ok(Adopted::Copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_mean_nothing_else() {
        for good in ["mine", "my:7b", "a.b-c_d", "0"] {
            assert!(check_name(good, false).is_ok(), "{good}");
        }
        for bad in ["", "guide", "a/b", "../a", ".a", "-a", "a b", "a\n", "x.gguf", "ollama:x", "lmstudio:x", "é"] {
            assert!(check_name(bad, false).is_err(), "{bad:?}");
        }
        assert!(check_name("mistral-7b", true).is_err());
        assert!(check_name(&"a".repeat(101), false).is_err());
    }

    #[test]
    fn a_name_is_made_from_the_files() {
        assert_eq!(default_name(Path::new("/x/My Model-Q4_K_M.gguf")), "my-model-q4_k_m");
        assert_eq!(default_name(Path::new("a/big-00001-of-00003.gguf")), "big");
        assert_eq!(default_name(Path::new("Folder")), "folder");
    }
}
