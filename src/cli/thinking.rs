//! The flags that `ask` and `chat` share for models that think before they answer.

use std::io::IsTerminal;

use crate::config::Settings;
use crate::engine::TemplateOptions;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Thinking")]
pub struct ThinkingArgs {
    /// What becomes of a model's thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a
    /// terminal, hidden in a pipe]
    #[arg(long, value_name = "HOW", value_parser = ["show", "hide", "off"], hide_possible_values = true)]
    think: Option<String>,
    /// How long a model thinks that lets itself be told: low, medium or high
    #[arg(long, value_name = "EFFORT", value_parser = ["low", "medium", "high"], hide_possible_values = true)]
    reasoning_effort: Option<String>,
}

impl ThinkingArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), super::exit::Usage> {
        let flags =
            [("think", "--think", &self.think), ("reasoning_effort", "--reasoning-effort", &self.reasoning_effort)];
        settings.lay(&flags).map_err(|e| super::exit::Usage(e.to_string()))
    }
}

/// What the settings tell the chat template. Without a word from the user, the template decides whether to think.
pub fn options(settings: &Settings) -> TemplateOptions {
    TemplateOptions {
        thinking: settings.text("think").map(|how| how != "off"),
        reasoning_effort: settings.text("reasoning_effort").map(str::to_owned),
        ..TemplateOptions::default()
    }
}

/// Whether thoughts are printed before the answer.
pub fn shown(settings: &Settings) -> bool {
    match settings.text("think") {
        Some(how) => how == "show",
        None => std::io::stdout().is_terminal(),
    }
}
