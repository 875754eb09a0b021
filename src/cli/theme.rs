//! The colours of this user, for this terminal.

use std::path::PathBuf;

use anyhow::Result;

use crate::config::Settings;
use crate::tui::theme::{Depth, Theme};

/// How many colours are shown: what the settings say, or what the terminal can.
pub fn depth(settings: &Settings) -> Depth {
    let text = |name: &str| settings.surrounding(&[name]).map(|(_, value)| value);
    match settings.text("color") {
        Some(name) => Depth::of_name(name).unwrap_or(Depth::Ansi16),
        None => Depth::detect(text("TERM"), text("COLORTERM"), settings.no_color),
    }
}

/// The theme of the settings.
pub fn load(settings: &Settings) -> Result<Theme> {
    let name = settings.text("theme").unwrap_or(Theme::default_name());
    Ok(Theme::load(name, &folder(settings), depth(settings))?)
}

/// Where the user's own themes are.
pub fn folder(settings: &Settings) -> PathBuf {
    settings.paths.config_file.with_file_name("themes")
}
