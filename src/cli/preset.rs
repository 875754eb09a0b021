//! `@NAME`: the presets of the configuration, for `ask` and `chat`.

use std::path::PathBuf;

use anyhow::Result;

use super::exit::Usage;
use super::text;
use crate::config::Settings;

/// What a preset brings beside its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    pub system: Option<String>,
    /// From the working folder.
    pub files: Vec<PathBuf>,
    /// For `ask`: what goes before the question.
    pub prompt: Option<String>,
    /// Is the setting `model` too.
    pub model: Option<String>,
}

/// The preset that an argument names: `@` and a name, and nothing else. `@alice wrote: ...` is text.
pub fn named(argument: &str) -> Option<&str> {
    let name = argument.strip_prefix('@')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_name.then_some(name)
}

/// Lays the preset called `name` over the settings, under the flags, and reads its system message.
///
/// # Errors
/// [`Usage`] if there is none of that name, with those that there are; [`super::exit::Input`] if the file of its system
/// message cannot be read.
pub fn choose(name: &str, settings: &mut Settings) -> Result<Chosen> {
    let Some(preset) = settings.apply_preset(name) else {
        return Err(Usage(unknown(name, settings)).into());
    };
    let system = match preset.system_file {
        Some(path) => Some(text::without_last_break(&text::of_file(&path)?).to_owned()),
        None => preset.system,
    };
    Ok(Chosen { system, files: preset.files, prompt: preset.prompt, model: preset.model })
}

/// Names less alike than this are not offered.
const ALIKE: f64 = 0.5;

fn unknown(name: &str, settings: &Settings) -> String {
    let known: Vec<String> = settings.presets.iter().map(|(known, _)| format!("@{known}")).collect();
    if known.is_empty() {
        let file = settings.paths.config_file.display();
        return format!("there is no preset {name}: a section [presets.{name}] in {file} would be one");
    }
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let scored = settings.presets.iter().map(|(known, _)| (alike(known), known));
    let nearest = scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    let meant = nearest.map_or(String::new(), |(_, known)| format!("; did you mean @{known}?"));
    format!("there is no preset {name}{meant} (presets: {})", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_argument_that_is_a_name_alone_names_a_preset() {
        assert_eq!(named("@code-review_2"), Some("code-review_2"));
        for text in ["@", "@alice wrote: hi", "@alice,", "alice@example.org", "reviewer", "@réviseur", " @a", ""] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    fn settings(folder: &std::path::Path, text: &str) -> Settings {
        let file = folder.join("config.toml");
        std::fs::write(&file, text).unwrap();
        let (file, home) = (file.display().to_string(), folder.display().to_string());
        Settings::load_from(&|name| match name {
            "OAI_CONFIG" => Some(file.clone()),
            "HOME" => Some(home.clone()),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn a_system_message_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[presets.reviewer]\nmodel = \"m\"\nsystem_file = \"reviewer.md\"\nfiles = [\"S.md\"]\ntop_k = 3\n";
        let mut settings = settings(folder.path(), text);
        let error = choose("reviewer", &mut settings).unwrap_err().to_string();
        assert!(error.contains("cannot read") && error.contains("reviewer.md"), "{error}");
        std::fs::write(folder.path().join("reviewer.md"), "You review.\n\nBriefly.\n").unwrap();
        let chosen = choose("reviewer", &mut settings).unwrap();
        assert_eq!(chosen.system.as_deref(), Some("You review.\n\nBriefly."));
        assert_eq!((chosen.files, chosen.model.as_deref()), (vec![PathBuf::from("S.md")], Some("m")));
        assert_eq!((settings.count("top_k"), settings.text("model")), (Some(3), Some("m")));
    }

    #[test]
    fn an_unknown_preset_is_told_with_those_that_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut some = settings(folder.path(), "[presets.commit]\n[presets.reviewer]\n");
        let told = |name: &str, settings: &mut Settings| choose(name, settings).unwrap_err().to_string();
        let error = told("comit", &mut some);
        assert_eq!(error, "there is no preset comit; did you mean @commit? (presets: @commit, @reviewer)");
        assert!(!told("zzz", &mut some).contains("did you mean"));
        let mut none = settings(folder.path(), "");
        assert!(told("commit", &mut none).contains("[presets.commit] in "));
    }
}
