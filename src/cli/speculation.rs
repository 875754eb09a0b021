//! The flags that `ask` and `chat` share for tokens that are guessed ahead.

use crate::config::{Error, Origin, Settings};

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
        for (key, flag, value) in [("speculate", "--speculate", &self.speculate), ("draft", "--draft", &self.draft)] {
            if let Some(text) = value {
                settings.set(key, text, Origin::Flag(flag)).map_err(|e: Error| super::exit::Usage(e.to_string()))?;
            }
        }
        Ok(())
    }
}

/// Whether tokens are guessed at all.
pub fn is_on(settings: &Settings) -> bool {
    settings.text("speculate") != Some("off")
}
