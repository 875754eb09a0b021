//! The flags that `ask` and `chat` share for tokens that are guessed ahead.

use crate::config::Settings;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Speed")]
pub struct SpeculationArgs {
    /// Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy
    /// text is the same [default: auto]
    #[arg(long, value_name = "HOW", value_parser = ["auto", "off"], hide_possible_values = true)]
    speculate: Option<String>,
    /// A smaller model with the same vocabulary that guesses
    #[arg(long, value_name = "MODEL")]
    draft: Option<String>,
}

impl SpeculationArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), super::exit::Usage> {
        let flags = [("speculate", "--speculate", &self.speculate), ("draft", "--draft", &self.draft)];
        settings.lay(&flags).map_err(|e| super::exit::Usage(e.to_string()))
    }
}

/// Whether tokens are guessed at all.
pub fn is_on(settings: &Settings) -> bool {
    settings.text("speculate") != Some("off")
}
