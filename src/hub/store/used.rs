//! When a model was used last: an empty file for each, whose time of change says it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{LocalModel, Place, disk};

fn file(data_dir: &Path, name: &str) -> PathBuf {
    data_dir.join("used").join(disk::file_name(name))
}

/// Notes that `model` is used now. A folder that cannot be written is no reason to fail.
pub fn record(data_dir: &Path, model: &LocalModel) {
    if matches!(model.place, Place::Program | Place::Path) {
        return;
    }
    let path = file(data_dir, &model.name);
    let _ = path.parent().map(fs::create_dir_all);
    let _ = File::create(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// As noted; without a note when another tool read it, as far as the disk tells; else when it came.
pub fn last(data_dir: &Path, model: &LocalModel) -> Option<SystemTime> {
    if let Some(noted) = disk::modified(&file(data_dir, &model.name)) {
        return Some(noted);
    }
    let read = model.files.iter().filter_map(|file| fs::metadata(&file.on_disk).ok()?.accessed().ok()).max();
    // A disk that keeps no such times has those of making the file.
    read.max(model.modified)
}

pub fn forget(data_dir: &Path, name: &str) {
    let _ = fs::remove_file(file(data_dir, name));
}
