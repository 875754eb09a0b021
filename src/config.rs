//! File, environment and flags folded into one [`Settings`], each value knowing where it came from.
//! Nothing else in the program reads the environment.

mod keep;
mod sections;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use self::keep::keep;
use self::sections::{own_model, preset};
use crate::paths::Paths;

/// What is wrong with the configuration or the environment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no home folder: set HOME, or {variable} to the folder to use")]
    NoHome { variable: &'static str },
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("cannot write {}: {source}", file.display())]
    Write { file: PathBuf, source: std::io::Error },
    #[error("{}: {reason}", file.display())]
    Syntax { file: PathBuf, reason: String },
    #[error("{origin}: {key} is not a setting; `oai config` lists them")]
    UnknownKey { origin: String, key: String },
    #[error("{origin}: {key} = {value} is not {expected}")]
    BadValue { origin: String, key: String, value: String, expected: String },
    #[error("{}: models.{name}: {reason}", file.display())]
    Model { file: PathBuf, name: String, reason: String },
    #[error("{}: presets.{name}: {reason}", file.display())]
    Preset { file: PathBuf, name: String, reason: String },
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Preset(String),
    Flag(&'static str),
    /// Changed while talking.
    Conversation,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::Preset(name) => write!(f, "preset {name}"),
            Origin::Flag(name) => f.write_str(name),
            Origin::Conversation => f.write_str("this conversation"),
        }
    }
}

/// What a setting may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Word(&'static [&'static str]),
    Switch,
    Number { min: f64, max: f64 },
    Count { min: u64, max: u64 },
}

/// A setting: its key, its section of the file (`""` is the top), what it may be, its default.
struct Key {
    name: &'static str,
    section: &'static str,
    kind: Kind,
    default: Option<f64>,
}

const fn key(name: &'static str, section: &'static str, kind: Kind, default: Option<f64>) -> Key {
    Key { name, section, kind, default }
}

const ANY: Kind = Kind::Count { min: 0, max: u64::MAX };
const POSITIVE: Kind = Kind::Count { min: 1, max: u32::MAX as u64 };
const PENALTY: Kind = Kind::Number { min: -100.0, max: 100.0 };

/// The sampling defaults are those that llama.cpp and ollama users know.
const KEYS: &[Key] = &[
    key("model", "", Kind::Text, None),
    key("embed_model", "", Kind::Text, None),
    key("theme", "", Kind::Text, None),
    key("color", "", Kind::Word(&["none", "16", "256", "true"]), None),
    key("think", "", Kind::Word(&["show", "hide", "off"]), None),
    key("reasoning_effort", "", Kind::Word(&["low", "medium", "high"]), None),
    key("speculate", "", Kind::Word(&["auto", "off"]), None),
    key("draft", "", Kind::Text, None),
    key("offline", "", Kind::Switch, Some(0.0)),
    key("temperature", "sampling", Kind::Number { min: 0.0, max: 100.0 }, Some(0.8)),
    key("top_k", "sampling", ANY, Some(40.0)),
    key("top_p", "sampling", Kind::Number { min: 0.0, max: 1.0 }, Some(0.95)),
    key("min_p", "sampling", Kind::Number { min: 0.0, max: 1.0 }, Some(0.05)),
    key("repeat_penalty", "sampling", Kind::Number { min: 0.01, max: 100.0 }, Some(1.0)),
    key("presence_penalty", "sampling", PENALTY, Some(0.0)),
    key("frequency_penalty", "sampling", PENALTY, Some(0.0)),
    key("seed", "sampling", ANY, None),
    key("max_tokens", "sampling", ANY, None),
    key("context", "sampling", POSITIVE, None),
    key("threads", "sampling", POSITIVE, None),
    key("kv_type", "sampling", Kind::Word(&["f32", "f16", "q8_0"]), None),
    key("mouse", "chat", Kind::Switch, Some(1.0)),
    key("monitor", "chat", Kind::Switch, Some(1.0)),
    key("vi", "chat", Kind::Switch, Some(0.0)),
    key("retries", "hub", Kind::Count { min: 0, max: 1000 }, Some(5.0)),
    key("connections", "hub", Kind::Count { min: 1, max: 64 }, Some(8.0)),
    key("timeout", "hub", Kind::Count { min: 1, max: 86_400 }, Some(30.0)),
    key("certificates", "hub", Kind::Text, None),
];

/// Other tools' variables that set one of ours: Hugging Face's, and those of requests and curl.
const FOREIGN: &[(&str, &str)] = &[
    ("offline", "HF_HUB_OFFLINE"),
    ("timeout", "HF_HUB_DOWNLOAD_TIMEOUT"),
    ("certificates", "CURL_CA_BUNDLE"),
    ("certificates", "REQUESTS_CA_BUNDLE"),
];

/// Variables that decide how things look or reach the network and are no settings of ours: `oai doctor` tells of them.
const SURROUNDINGS: &[&str] = &[
    "TERM",
    "COLORTERM",
    "LC_ALL",
    "LC_CTYPE",
    "LANG",
    "TMUX",
    "STY",
    "ZELLIJ",
    "SSH_CONNECTION",
    "SSH_TTY",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "USER",
    "LOGNAME",
    "VISUAL",
    "EDITOR",
    "TERM_PROGRAM",
    "VTE_VERSION",
    "KITTY_WINDOW_ID",
    "WT_SESSION",
    "USERNAME",
    "OPENAI_API_KEY",
];

/// A value of a setting.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    Text(String),
    Switch(bool),
    Count(u64),
    Number(f64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Switch(on) => write!(f, "{on}"),
            Value::Count(n) => write!(f, "{n}"),
            Value::Number(n) => write!(f, "{n}"),
        }
    }
}

/// One effective setting.
#[derive(Debug, Clone)]
pub struct Setting {
    pub key: &'static str,
    pub value: Option<Value>,
    pub origin: Origin,
}

/// A short name of the user's own, in the section `[models]`: where the model is, and what is known
/// of it. Text alone is its `repo`.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct OwnModel {
    /// `org/repo[:TAG]`, a short name of the table, an address, or a path: from the configuration
    /// file's folder, or from home after `~/`.
    pub repo: String,
    pub file: Option<String>,
    pub parameters: Option<String>,
    pub active: Option<String>,
    pub license: Option<String>,
    pub context: Option<u64>,
    pub kv_bytes_per_token: Option<u64>,
    pub kv_fixed_bytes: Option<u64>,
    pub good_for: Option<String>,
}

/// What `oai chat @NAME` and `oai ask @NAME` begin with, in a section `[presets.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Preset {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The system message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The file that holds the system message: from the configuration file's folder, or from home after `~/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_file: Option<PathBuf>,
    /// Files that are sent along: from the working folder, or from home after `~/`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// What goes before the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Settings of `[sampling]`, `think` and `reasoning_effort`.
    #[serde(flatten)]
    pub settings: BTreeMap<&'static str, Value>,
}

/// Everything that the surroundings decide.
#[derive(Debug, Clone)]
pub struct Settings {
    pub paths: Paths,
    /// Where the hub is; `HF_ENDPOINT`.
    pub hub_endpoint: String,
    pub hub_token: Option<String>,
    /// What gave the token.
    pub hub_token_origin: Option<Origin>,
    /// `NO_PROXY` is `*`: reqwest, which reads the proxies' variables, takes that for names alone.
    pub no_proxy: bool,
    /// `NO_COLOR` is set: no colour anywhere.
    pub no_color: bool,
    /// The section `[models]`, name by name.
    pub models: Vec<(String, OwnModel)>,
    /// The sections `[presets.NAME]`, name by name.
    pub presets: Vec<(String, Preset)>,
    surroundings: Vec<(&'static str, String)>,
    settings: Vec<Setting>,
}

impl Settings {
    /// Reads the configuration file and the environment.
    pub fn load() -> Result<Settings, Error> {
        // An empty variable counts as unset, as most tools have it.
        Settings::load_from(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same with an environment of the caller's.
    pub fn load_from(get: &dyn Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        let paths = Paths::from_env(get)?;
        let file = &paths.hf_token_file;
        let from_file = || Some((std::fs::read_to_string(file).ok()?, Origin::File(file.clone())));
        let implicit = get("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_none();
        let variable = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .into_iter()
            .find_map(|name| Some((get(name)?, Origin::Environment(name.to_owned()))));
        let token = variable.or_else(|| from_file().filter(|_| implicit));
        let token =
            token.map(|(token, origin)| (token.trim().to_owned(), origin)).filter(|(token, _)| !token.is_empty());
        let (hub_token, hub_token_origin) = token.unzip();
        let mut settings = Settings {
            hub_endpoint: get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            hub_token,
            hub_token_origin,
            no_proxy: ["NO_PROXY", "no_proxy"].into_iter().any(|name| get(name).as_deref() == Some("*")),
            no_color: get("NO_COLOR").is_some(),
            models: Vec::new(),
            presets: Vec::new(),
            surroundings: SURROUNDINGS.iter().filter_map(|name| Some((*name, get(name)?))).collect(),
            settings: Vec::new(),
            paths,
        };
        for key in KEYS {
            let value = key.default.map(|n| match key.kind {
                Kind::Count { .. } => Value::Count(n as u64),
                Kind::Switch => Value::Switch(n != 0.0),
                _ => Value::Number(n),
            });
            settings.settings.push(Setting { key: key.name, value, origin: Origin::Default });
        }
        settings.read_file(get("OAI_CONFIG").is_some(), get("HOME").as_deref())?;
        for (key, name) in FOREIGN {
            if let Some(text) = get(name) {
                settings.set(key, &text, Origin::Environment((*name).to_owned()))?;
            }
        }
        for key in KEYS {
            let name = format!("OAI_{}", key.name.to_uppercase());
            if let Some(text) = get(&name) {
                settings.set(key.name, &text, Origin::Environment(name))?;
            }
        }
        Ok(settings)
    }

    /// `named` says that the user named this file: then it must be there.
    fn read_file(&mut self, named: bool, home: Option<&str>) -> Result<(), Error> {
        let file = self.paths.config_file.clone();
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !named => return Ok(()),
            Err(source) => return Err(Error::Read { file, source }),
        };
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| Error::Syntax {
            file: file.clone(),
            reason: e.to_string().trim().replace('\n', " "),
        })?;
        let unknown = |key: &str| Error::UnknownKey { origin: file.display().to_string(), key: key.to_owned() };
        for (name, value) in &table {
            match value {
                toml::Value::Table(section) if name == "models" => {
                    for (name, value) in section {
                        self.models.push((name.clone(), own_model(&file, name, value, home)?));
                    }
                }
                toml::Value::Table(section) if name == "presets" => {
                    for (name, value) in section {
                        self.presets.push((name.clone(), preset(&file, name, value, home)?));
                    }
                }
                toml::Value::Table(section) => {
                    for (inner, value) in section {
                        let key = KEYS.iter().find(|k| k.section == name && k.name == inner);
                        let key = key.ok_or_else(|| unknown(&format!("{name}.{inner}")))?;
                        self.set(key.name, &plain(value), Origin::File(file.clone()))?;
                    }
                }
                value => {
                    let key = KEYS.iter().find(|k| k.section.is_empty() && k.name == name);
                    let key = key.ok_or_else(|| unknown(name))?;
                    self.set(key.name, &plain(value), Origin::File(file.clone()))?;
                }
            }
        }
        Ok(())
    }

    /// Lays flags that were given, each the name of its setting, its own and its text, over the settings.
    pub fn lay(&mut self, flags: &[(&str, &'static str, &Option<String>)]) -> Result<(), Error> {
        for (name, flag, text) in flags {
            if let Some(text) = text {
                self.set(name, text, Origin::Flag(flag))?;
            }
        }
        Ok(())
    }

    /// Sets `name` from its text, if the text is what the setting may be.
    pub fn set(&mut self, name: &str, text: &str, origin: Origin) -> Result<(), Error> {
        let Some(index) = KEYS.iter().position(|k| k.name == name) else {
            return Err(Error::UnknownKey { origin: origin.to_string(), key: name.to_owned() });
        };
        let key = &KEYS[index];
        let value = value_of(key, text).map_err(|expected| Error::BadValue {
            origin: origin.to_string(),
            key: key.name.to_owned(),
            value: text.to_owned(),
            expected,
        })?;
        self.settings[index] = Setting { key: key.name, value: Some(value), origin };
        Ok(())
    }

    /// The preset called `name`.
    pub fn preset(&self, name: &str) -> Option<&Preset> {
        self.presets.iter().find(|(known, _)| known == name).map(|(_, preset)| preset)
    }

    /// Lays what the preset called `name` sets over file and environment, though not over flags; none if there is no
    /// such preset. Its model becomes the setting `model`.
    pub fn apply_preset(&mut self, name: &str) -> Option<Preset> {
        let preset = self.preset(name)?.clone();
        let model = preset.model.clone().map(|model| ("model", Value::Text(model)));
        for (key, value) in model.into_iter().chain(preset.settings.clone()) {
            let settings = self.settings.iter_mut();
            for setting in settings.filter(|s| s.key == key && !matches!(s.origin, Origin::Flag(_))) {
                *setting =
                    Setting { key: setting.key, value: Some(value.clone()), origin: Origin::Preset(name.to_owned()) };
            }
        }
        Some(preset)
    }

    /// `name` as `other` has it.
    pub fn take_from(&mut self, name: &str, other: &Settings) {
        let of = |settings: &[Setting]| settings.iter().position(|setting| setting.key == name);
        if let (Some(own), Some(others)) = (of(&self.settings), of(&other.settings)) {
            self.settings[own] = other.settings[others].clone();
        }
    }

    /// The first of `names` that is set in the surroundings, with its value.
    pub fn surrounding(&self, names: &[&str]) -> Option<(&'static str, &str)> {
        let found = names.iter().find_map(|name| self.surroundings.iter().find(|(known, _)| known == name));
        found.map(|(name, value)| (*name, value.as_str()))
    }

    /// All settings in their order.
    pub fn all(&self) -> &[Setting] {
        &self.settings
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.settings.iter().find(|s| s.key == name)?.value.as_ref()
    }

    /// Whether `name` was set by anything but its default.
    pub fn is_set(&self, name: &str) -> bool {
        self.settings.iter().any(|s| s.key == name && s.origin != Origin::Default)
    }

    /// Whether `name` was set on the command line.
    pub fn is_flag(&self, name: &str) -> bool {
        self.settings.iter().any(|s| s.key == name && matches!(s.origin, Origin::Flag(_)))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.find(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.find(name) == Some(&Value::Switch(true))
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        match self.find(name)? {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    pub fn count(&self, name: &str) -> Option<u64> {
        match self.find(name)? {
            Value::Count(n) => Some(*n),
            _ => None,
        }
    }
}

/// The value that `text` is for `key`; otherwise what it should be.
fn value_of(key: &Key, text: &str) -> Result<Value, String> {
    let (value, expected) = match key.kind {
        Kind::Text => (Some(Value::Text(text.to_owned())), String::new()),
        Kind::Switch => (switch(text).map(Value::Switch), "true or false".to_owned()),
        Kind::Word(words) => {
            (words.contains(&text).then(|| Value::Text(text.to_owned())), format!("one of {}", words.join(", ")))
        }
        Kind::Number { min, max } => (
            text.parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Number),
            format!("a number from {min} to {max}"),
        ),
        Kind::Count { min, max } => (
            text.parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Count),
            format!("a whole number from {min} to {max}"),
        ),
    };
    value.ok_or(expected)
}

/// What Hugging Face's tools take for yes and no.
fn switch(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let path = path.display().to_string();
        Settings::load_from(&|name| match name {
            "OAI_CONFIG" => Some(path.clone()),
            _ => environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
        })
    }

    #[test]
    fn environment_overrides_file_and_flags_override_both() {
        let file = "model = \"a\"\n[sampling]\ntemperature = 0.5\ntop_k = 7\n";
        let mut settings = load(file, &[("OAI_TEMPERATURE", "0.1")]).unwrap();
        assert_eq!(settings.text("model"), Some("a"));
        assert_eq!((settings.number("temperature"), settings.count("top_k")), (Some(0.1), Some(7)));
        settings.set("temperature", "0", Origin::Flag("--temperature")).unwrap();
        assert_eq!(settings.number("temperature"), Some(0.0));
        assert!(settings.is_flag("temperature") && !settings.is_set("top_p"));
    }

    #[test]
    fn how_many_colours_there_are_may_be_said_with_and_without_quotes() {
        for (text, color) in [("256", "256"), ("true", "true"), ("\"none\"", "none"), ("\"16\"", "16")] {
            assert_eq!(load(&format!("color = {text}\n"), &[]).unwrap().text("color"), Some(color));
        }
        assert!(load("color = 8\n", &[]).unwrap_err().to_string().contains("one of none, 16, 256, true"));
    }

    #[test]
    fn mistakes_name_the_place_and_the_key() {
        let error = load("[sampling]\ntemprature = 1\n", &[]).unwrap_err().to_string();
        assert!(error.contains("config.toml") && error.contains("sampling.temprature"), "{error}");
        let error = load("", &[("OAI_TOP_P", "3")]).unwrap_err().to_string();
        assert_eq!(error, "OAI_TOP_P: top_p = 3 is not a number from 0 to 1");
        assert!(matches!(load("model = ", &[]), Err(Error::Syntax { .. })));
    }

    const REVIEWER: &str = "model = \"a\"\n[sampling]\ntop_k = 7\n[presets.commit]\nprompt = \"Write:\"\n\
                            [presets.reviewer]\nmodel = \"qwen3:8b\"\nsystem_file = \"reviewer.md\"\n\
                            files = [\"STYLE.md\", \"~/notes.md\"]\ntemperature = 0.2\ntop_k = 1\nmax_tokens = 5\n\
                            think = \"off\"\n";

    #[test]
    fn a_preset_overrides_file_and_environment_and_flags_override_it() {
        let mut settings = load(REVIEWER, &[("OAI_TEMPERATURE", "0.9"), ("HOME", "/home/me")]).unwrap();
        settings.set("max_tokens", "9", Origin::Flag("--max-tokens")).unwrap();
        let before = settings.clone();
        assert_eq!(settings.apply_preset("reviwer"), None);
        assert_eq!(settings.text("model"), Some("a"), "an unknown preset changes nothing");
        let preset = settings.apply_preset("reviewer").unwrap();
        assert_eq!(before.preset("reviewer"), Some(&preset));
        assert_eq!((settings.text("model"), settings.text("think")), (Some("qwen3:8b"), Some("off")));
        assert_eq!((settings.number("temperature"), settings.count("top_k")), (Some(0.2), Some(1)));
        assert_eq!(settings.count("max_tokens"), Some(9));
        let origin = |key: &str| settings.all().iter().find(|s| s.key == key).unwrap().origin.to_string();
        assert_eq!(
            (origin("temperature").as_str(), origin("max_tokens").as_str()),
            ("preset reviewer", "--max-tokens")
        );
        assert!(settings.is_set("temperature") && !settings.is_flag("temperature") && !settings.is_set("top_p"));
        settings.set("temperature", "0", Origin::Flag("--temperature")).unwrap();
        assert_eq!(settings.number("temperature"), Some(0.0));
    }

    #[test]
    fn a_presets_paths_start_where_they_should() {
        let settings = load(REVIEWER, &[("HOME", "/home/me")]).unwrap();
        let names: Vec<&str> = settings.presets.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["commit", "reviewer"]);
        let preset = settings.preset("reviewer").unwrap();
        assert_eq!(preset.files, [Path::new("STYLE.md"), Path::new("/home/me/notes.md")]);
        let folder = settings.paths.config_file.parent().unwrap();
        assert_eq!(preset.system_file.as_deref(), Some(folder.join("reviewer.md").as_path()));
        assert_eq!(settings.preset("commit").unwrap().prompt.as_deref(), Some("Write:"));
    }

    #[test]
    fn mistakes_in_a_preset_name_it() {
        for (text, words) in [
            ("[presets.a]\ntemprature = 1\n", "config.toml: presets.a.temprature is not a setting"),
            ("[presets.a]\nretries = 1\n", "config.toml: presets.a.retries is not a setting"),
            ("[presets.a]\ntop_p = 3\n", "config.toml: presets.a.top_p = 3 is not a number from 0 to 1"),
            ("[presets.a]\nthink = \"maybe\"\n", "config.toml: presets.a.think = maybe is not one of show, hide, off"),
            ("[presets.a]\nmodel = 3\n", "config.toml: presets.a: model = 3 is no text"),
            ("[presets.a]\nfiles = [\"x\", 3]\n", "config.toml: presets.a: files = [\"x\", 3] is no list of texts"),
            ("[presets.a]\nfiles = [\"~/x\"]\n", "config.toml: presets.a: ~/x: no home folder"),
            ("[presets.a]\nsystem = \"x\"\nsystem_file = \"y\"\n", "config.toml: presets.a: system and system_file"),
            ("[presets.a]\nthreads = 2\n", "config.toml: presets.a: threads are of the whole process"),
            ("[presets.\"a b\"]\nsystem = \"x\"\n", "config.toml: presets.a b: a preset's name has only"),
            ("[presets]\na = \"qwen3\"\n", "config.toml: presets.a: \"qwen3\" is no table"),
            ("presets = 3\n", "config.toml: presets is not a setting"),
        ] {
            let surroundings = [("XDG_CONFIG_HOME", "/c"), ("XDG_DATA_HOME", "/d"), ("XDG_CACHE_HOME", "/e")];
            let error = load(text, &surroundings).unwrap_err().to_string();
            assert!(error.contains(words), "{text}{error}");
        }
    }
}
