//! Where things lie, and whether there is room.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::Report;
use crate::config::Settings;
use crate::hub::Store;
use crate::{guide, monitor, units};

/// Less than the smallest models of use.
const LITTLE_ROOM: u64 = 1_000_000_000;

pub fn check(report: &mut Report, settings: &Settings) {
    let paths = &settings.paths;
    let cache = &paths.hf_cache;
    let (mut models, mut bytes) = (0, 0);
    match Store::new(paths).list() {
        Ok(all) => {
            for model in all.iter().filter(|model| model.name != guide::NAME) {
                models += 1;
                bytes += model.size_bytes;
            }
        }
        Err(error) => report.problem(error.to_string()),
    }
    let disk = monitor::disk(cache);
    let room = disk.map_or(String::new(), |disk| {
        format!(", {} of {} free on its disk", units::bytes(disk.free_bytes), units::bytes(disk.total_bytes))
    });
    let held = format!("{models} models, {}", units::bytes(bytes));
    let writable = writable(report, cache, "set HF_HOME to a folder that you own");
    report.part(
        "models",
        json!({ "folder": cache, "writable": writable, "models": models, "bytes": bytes, "disk": disk }),
        [("models", format!("{}: {held}{room}", cache.display()))],
    );
    if let Some(disk) = disk.filter(|disk| disk.free_bytes < LITTLE_ROOM) {
        let free = units::bytes(disk.free_bytes);
        report.problem(format!(
            "only {free} are free for models: `oai rm` frees some, or set HF_HOME to a folder on another disk"
        ));
    }

    let data = &paths.data_dir;
    let is_writable = self::writable(report, data, "set XDG_DATA_HOME to a folder that you own");
    report.part("data", json!({ "folder": data, "writable": is_writable }), [("data", data.display().to_string())]);
    let measured = paths.machine_file.parent().unwrap_or(data);
    let is_writable = self::writable(report, measured, "set XDG_CACHE_HOME to a folder that you own");
    report.part(
        "cache",
        json!({ "folder": measured, "writable": is_writable }),
        [("cache", measured.display().to_string())],
    );

    let (config, there) = (&paths.config_file, paths.config_file.is_file());
    let note = if there { "" } else { " (not there: nothing is set)" };
    report.part(
        "config",
        json!({ "file": config, "exists": there }),
        [("configuration", format!("{}{note}", config.display()))],
    );
}

/// Whether a file can be made in `folder`, or where that is not there yet in the nearest one above it.
fn writable(report: &mut Report, folder: &Path, remedy: &str) -> bool {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    let probe = there.join(format!(".oai-doctor-{}", std::process::id()));
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    match made {
        Ok(file) => {
            drop(file);
            // What was made a moment ago is ours to delete; if it stays it is empty.
            let _ = fs::remove_file(&probe);
            true
        }
        Err(error) => {
            report.problem(format!("cannot write to {}: {error}; {remedy}", there.display()));
            false
        }
    }
}
