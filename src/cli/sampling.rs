//! The flags that `ask` and `chat` share: how tokens are chosen and how many.

use crate::config::Settings;
use crate::engine::Sampling;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// Randomness: 0 is greedy, always the likeliest token
    #[arg(short = 't', long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<String>,
    /// Draw from the K likeliest tokens only; 0 is all
    #[arg(long, value_name = "K")]
    top_k: Option<String>,
    /// Draw from the smallest set of tokens whose probability reaches P; 1 is all
    #[arg(long, value_name = "P")]
    top_p: Option<String>,
    /// Drop tokens less likely than P times the likeliest; 0 drops none
    #[arg(long, value_name = "P")]
    min_p: Option<String>,
    /// Make recent tokens less likely; 1 is off
    #[arg(long, value_name = "X")]
    repeat_penalty: Option<String>,
    /// Subtract X from the logit of every token generated before; 0 is off
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    presence_penalty: Option<String>,
    /// Subtract X from a token's logit for each time it was generated; 0 is off
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    frequency_penalty: Option<String>,
    /// Random seed: the same seed gives the same text
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// End the answer before this text (repeatable)
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// At most N tokens of answer
    #[arg(short = 'n', long, value_name = "N")]
    max_tokens: Option<String>,
    /// Tokens that prompt and answer may have together [default: what the model was trained for]
    #[arg(long, value_name = "N")]
    context: Option<String>,
    /// Processor threads [default: all that this process may use]
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]
    #[arg(long, value_name = "TYPE")]
    kv_type: Option<String>,
}

impl SamplingArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), super::exit::Usage> {
        let flags = [
            ("temperature", "--temperature", &self.temperature),
            ("top_k", "--top-k", &self.top_k),
            ("top_p", "--top-p", &self.top_p),
            ("min_p", "--min-p", &self.min_p),
            ("repeat_penalty", "--repeat-penalty", &self.repeat_penalty),
            ("presence_penalty", "--presence-penalty", &self.presence_penalty),
            ("frequency_penalty", "--frequency-penalty", &self.frequency_penalty),
            ("seed", "--seed", &self.seed),
            ("max_tokens", "--max-tokens", &self.max_tokens),
            ("context", "--context", &self.context),
            ("threads", "--threads", &self.threads),
            ("kv_type", "--kv-type", &self.kv_type),
        ];
        settings.lay(&flags).map_err(|e| super::exit::Usage(e.to_string()))
    }
}

/// What the settings say of sampling. The guide was trained to be read greedily.
pub fn sampling(settings: &Settings, is_guide: bool) -> Sampling {
    let number = |key: &str, otherwise: f64| settings.number(key).unwrap_or(otherwise) as f32;
    let greedy = is_guide && !settings.is_set("temperature");
    Sampling {
        temperature: if greedy { 0.0 } else { number("temperature", 0.0) },
        top_k: settings.count("top_k").unwrap_or(0) as usize,
        top_p: number("top_p", 1.0),
        min_p: number("min_p", 0.0),
        repeat_penalty: number("repeat_penalty", 1.0),
        presence_penalty: number("presence_penalty", 0.0),
        frequency_penalty: number("frequency_penalty", 0.0),
        seed: settings.count("seed"),
    }
}
