//! GGUF models in several files, `NAME-00001-of-00003.gguf` and so on, as `llama-gguf-split` makes them.
//!
//! The keys: `split.no` (from 0), `split.count`, `split.tensors.count`; the first file has the
//! model's own metadata. Source: <https://github.com/ggml-org/llama.cpp/blob/master/tools/gguf-split/gguf-split.cpp>.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Error, Gguf};

impl Gguf {
    /// Opens the file at `path`, and if it is a part of a model all the others beside it.
    pub fn open(path: &Path) -> Result<Gguf, Error> {
        let named = Gguf::open_one(path)?;
        let count = named.metadata.u64("split.count").unwrap_or(0);
        if count <= 1 {
            return Ok(named);
        }
        let wrong = |file: &str, what: String| Error::Damaged { file: file.to_owned(), what };
        let number = named.metadata.u64("split.no").unwrap_or(u64::MAX);
        let stem = stem(path, number, count).ok_or_else(|| {
            let what = format!("it says that it is part {} of {count} but is not named so", number.saturating_add(1));
            wrong(&named.file, what)
        })?;
        let mut whole: Option<Gguf> = None;
        for part in 0..count {
            let path = PathBuf::from(format!("{stem}{}", suffix(part, count)));
            if !path.exists() {
                return Err(Error::MissingPart { path, file: named.file, count });
            }
            let opened = Gguf::open_one(&path)?;
            let says = (opened.metadata.u64("split.no"), opened.metadata.u64("split.count"));
            if says != (Some(part), Some(count)) {
                let number = |n: Option<u64>| n.map_or("none".to_owned(), |n| n.to_string());
                let what = format!("it has split.no {} and split.count {}", number(says.0), number(says.1));
                return Err(wrong(&opened.file, format!("{what}, but is named part {} of {count}", part + 1)));
            }
            match &mut whole {
                None => whole = Some(opened),
                Some(whole) => {
                    whole.tensors.extend(opened.tensors);
                    whole.size_bytes += opened.size_bytes;
                }
            }
        }
        let whole = whole.unwrap_or(named);
        let names: HashSet<&str> = whole.tensors.iter().map(|t| t.name.as_str()).collect();
        let promised = whole.metadata.u64("split.tensors.count");
        if promised.is_some_and(|n| n != names.len() as u64) || names.len() != whole.tensors.len() {
            let what = format!(
                "its {count} parts hold {} tensors of {} names, not split.tensors.count {}",
                whole.tensors.len(),
                names.len(),
                promised.unwrap_or(0)
            );
            return Err(wrong(&whole.file, what));
        }
        Ok(whole)
    }
}

/// What the names of parts end with: `-00001-of-00003.gguf` for part 0 of 3.
pub fn suffix(part: u64, count: u64) -> String {
    format!("-{:05}-of-{count:05}.gguf", part + 1)
}

/// The name of a model without what tells its parts apart, `-00001-of-00003`.
pub fn without_number(name: &str) -> &str {
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    let parts = name.rsplit_once("-of-").and_then(|(rest, count)| Some((rest.rsplit_once('-')?, count)));
    match parts {
        Some(((stem, number), count)) if is_number(number) && is_number(count) => stem,
        _ => name,
    }
}

/// What the names of all parts begin with.
fn stem(path: &Path, part: u64, count: u64) -> Option<String> {
    if part >= count {
        return None;
    }
    path.to_str()?.strip_suffix(&suffix(part, count)).map(str::to_owned)
}
