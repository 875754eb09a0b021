//! Where files live: XDG folders for oai's own, the Hugging Face cache for models.

use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, Xdg};

use crate::config::Error;

/// Folders of this user.
#[derive(Debug, Clone)]
pub struct Paths {
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME/oai/config.toml`.
    pub config_file: PathBuf,
    /// `$XDG_DATA_HOME/oai`: conversations, imported models, provenance, when models were used.
    pub data_dir: PathBuf,
    /// `$XDG_RUNTIME_DIR/oai`, or `running` in the data folder: where each oai that runs tells of itself.
    pub runtime_dir: PathBuf,
    /// `$XDG_CACHE_HOME/oai/machine.json`: what was measured of this machine.
    pub machine_file: PathBuf,
    /// Hugging Face's `hub` folder, which other tools share.
    pub hf_cache: PathBuf,
    /// The token that `hf auth login` stores.
    pub hf_token_file: PathBuf,
    /// Where ollama may keep its models: the user's folder, then those of its service.
    pub ollama: Vec<PathBuf>,
    /// LM Studio's own folders, and the file that names another.
    pub lm_studio: Vec<PathBuf>,
    pub lm_studio_pointer: Option<PathBuf>,
}

/// Where packages put the models of ollama's service
/// (<https://github.com/ollama/ollama/blob/main/docs/faq.mdx>).
const OLLAMA_SERVICE: &[&str] =
    &["/usr/share/ollama/.ollama/models", "/var/lib/ollama/.ollama/models", "/var/lib/ollama"];

impl Paths {
    /// From the environment; `get` reads a variable.
    pub fn from_env(get: &dyn Fn(&str) -> Option<String>) -> Result<Paths, Error> {
        let xdg = Xdg::new().ok();
        let folder = |variable: &'static str, fallback: Option<PathBuf>| -> Result<PathBuf, Error> {
            let given = get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            given.or(fallback).ok_or(Error::NoHome { variable })
        };
        let config = folder("XDG_CONFIG_HOME", xdg.as_ref().map(Xdg::config_dir))?;
        let data = folder("XDG_DATA_HOME", xdg.as_ref().map(Xdg::data_dir))?;
        // <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>
        let cache = folder("XDG_CACHE_HOME", xdg.as_ref().map(Xdg::cache_dir));
        // Whoever has no cache folder but names what lies in it needs none.
        let machine_file = cache.as_ref().unwrap_or(&data).join("oai/machine.json");
        let hf_home = match get("HF_HOME") {
            Some(path) => PathBuf::from(path),
            None => cache?.join("huggingface"),
        };
        let runtime = get("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = get("HOME").map(PathBuf::from).or_else(|| etcetera::home_dir().ok());
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let ollama = get("OLLAMA_MODELS").map(PathBuf::from).or_else(|| below_home(".ollama/models"));
        let hf_cache = get("HF_HUB_CACHE").or(get("HUGGINGFACE_HUB_CACHE")).map(PathBuf::from);
        Ok(Paths {
            home: get("HOME").map(PathBuf::from).or_else(|| etcetera::home_dir().ok()),
            config_file: get("OAI_CONFIG").map_or(config.join("oai/config.toml"), PathBuf::from),
            data_dir: data.join("oai"),
            runtime_dir: runtime.map_or_else(|| data.join("oai/running"), |folder| folder.join("oai")),
            machine_file,
            hf_cache: hf_cache.unwrap_or_else(|| hf_home.join("hub")),
            hf_token_file: get("HF_TOKEN_PATH").map_or(hf_home.join("token"), PathBuf::from),
            ollama: ollama.into_iter().chain(OLLAMA_SERVICE.iter().map(PathBuf::from)).collect(),
            lm_studio: [".lmstudio", ".cache/lm-studio"].into_iter().filter_map(below_home).collect(),
            lm_studio_pointer: below_home(".lmstudio-home-pointer"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_runs_is_told_in_the_runtime_folder_or_beside_the_data() {
        let runtime_dir = |given: &'static str| {
            let get = move |name: &str| match name {
                "HOME" => Some("/home/a".to_owned()),
                "XDG_DATA_HOME" => Some("/data".to_owned()),
                "XDG_RUNTIME_DIR" => Some(given.to_owned()),
                _ => None,
            };
            Paths::from_env(&get).unwrap().runtime_dir
        };
        assert_eq!(runtime_dir("/run/user/1000"), Path::new("/run/user/1000/oai"));
        assert_eq!(runtime_dir(""), Path::new("/data/oai/running"));
        assert_eq!(runtime_dir("run"), Path::new("/data/oai/running"));
    }
}
