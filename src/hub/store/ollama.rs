//! ollama's store, as it lies: `manifests/HOST/NAMESPACE/NAME/TAG` names the layers of a model, and
//! `blobs/sha256-HEX` are their contents; the layer of the weights is a GGUF file
//! (<https://github.com/ollama/ollama/blob/main/docs/import.mdx>, `server/manifest.go`). oai applies neither its
//! templates nor its parameters: the GGUF file has what it was trained with.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::name::did_you_mean;
use super::super::{Error, api};
use super::others::Other;
use super::{LocalModel, ModelFile, Place, disk};
use crate::weights::Source;

const WEIGHTS: &str = "application/vnd.ollama.image.model";
const ADAPTER: &str = "application/vnd.ollama.image.adapter";
/// Of a manifest; real ones have a few hundred.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

/// What can be used, and what is there beside. A store that cannot be read is as good as none.
pub fn models(folders: &[PathBuf]) -> (Vec<LocalModel>, Vec<Other>) {
    let (mut models, mut others): (Vec<LocalModel>, Vec<Other>) = (Vec::new(), Vec::new());
    for folder in folders {
        for (path, place) in disk::walk(&folder.join("manifests")).unwrap_or_default() {
            let Some(name) = name(&place) else { continue };
            let label = format!("{}{name}", super::OLLAMA);
            if models.iter().any(|model| model.name == label) {
                continue;
            }
            match weights(folder, &path) {
                Ok(blob) => models.push(LocalModel {
                    name: label,
                    source: Source::Path(blob.clone()),
                    size_bytes: disk::size(&blob),
                    modified: disk::modified(&path),
                    place: Place::Ollama { name },
                    files: vec![ModelFile { path: file_name(&blob), on_disk: blob }],
                }),
                Err(why) => others.push(Other { name: label, kind: "ollama", size_bytes: 0, path, why }),
            }
        }
    }
    (models, others)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// As ollama shows it: without its own host, its own namespace.
fn name(place: &str) -> Option<String> {
    let [host, namespace, name, tag] = place.split('/').collect::<Vec<_>>()[..] else { return None };
    Some(match (host, namespace) {
        ("registry.ollama.ai", "library") => format!("{name}:{tag}"),
        ("registry.ollama.ai", _) => format!("{namespace}/{name}:{tag}"),
        _ => format!("{host}/{namespace}/{name}:{tag}"),
    })
}

/// The file of the weights that a manifest names, or why there is none.
fn weights(folder: &Path, manifest: &Path) -> Result<PathBuf, String> {
    if !fs::metadata(manifest).is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES) {
        return Err("its manifest is no small file".to_owned());
    }
    let text = fs::read_to_string(manifest).map_err(|e| format!("cannot read its manifest: {e}"))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|_| "its manifest is damaged".to_owned())?;
    let of = |kind: &str| manifest.layers.iter().filter(|layer| layer.media_type == kind).collect::<Vec<_>>();
    if !of(ADAPTER).is_empty() {
        return Err("it is an adapter upon another model, which oai does not apply".to_owned());
    }
    let [layer] = of(WEIGHTS)[..] else { return Err("it is not one GGUF file".to_owned()) };
    // The digest becomes the name of a file.
    let hash = layer.digest.strip_prefix("sha256:").filter(|hash| hash.len() == 64 && api::is_hash(hash));
    let blob = folder.join("blobs").join(format!("sha256-{}", hash.ok_or("its manifest names no SHA-256")?));
    if blob.is_file() { Ok(blob) } else { Err("its weights are not there".to_owned()) }
}

/// The model that ollama calls `text`, `:latest` where it says no more.
pub fn named(folders: &[PathBuf], text: &str) -> Option<LocalModel> {
    let latest = format!("{text}:latest");
    models(folders).0.into_iter().find(|model| match &model.place {
        Place::Ollama { name } => name.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(&latest),
        _ => false,
    })
}

/// The same; fails where there is none.
pub fn find(folders: &[PathBuf], text: &str) -> Result<LocalModel, Error> {
    named(folders, text).ok_or_else(|| {
        let (models, others) = models(folders);
        let label = format!("{}{text}", super::OLLAMA);
        let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).take(5).collect();
        match others.into_iter().find(|other| other.name == label || other.name == format!("{label}:latest")) {
            Some(Other { name, why, .. }) => Error::Unusable { name, why },
            None => Error::NotThere { name: label, place: "ollama's store", hint: did_you_mean(&names) },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_ollama_shows() {
        let shown = |place: &str| name(place).unwrap_or_default();
        assert_eq!(shown("registry.ollama.ai/library/llama3.2/1b"), "llama3.2:1b");
        assert_eq!(shown("registry.ollama.ai/me/mine/latest"), "me/mine:latest");
        assert_eq!(shown("hf.co/org/repo/Q4_K_M"), "hf.co/org/repo:Q4_K_M");
        assert_eq!((name("library/x"), name("a/b/c/d/e")), (None, None));
    }
}
