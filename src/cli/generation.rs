//! An answer on its way to standard output.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::{interrupt, output};
use crate::engine::{Engine, Event, Finish, Request, Timings, TokenLogprob, Usage};

/// A finished answer.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub finish: Finish,
    pub usage: Usage,
    pub timings: Timings,
    pub prompt_ids: Vec<u32>,
    pub tokens: Vec<GeneratedToken>,
}

/// A generated token and the best candidates for its place.
#[derive(Debug, Serialize)]
pub struct GeneratedToken {
    pub id: u32,
    pub logprobs: Vec<TokenLogprob>,
}

/// Runs a request to its end; with `stream`, its text goes to standard output as it comes.
/// A Ctrl-C in between ends it as [`Finish::Cancelled`].
pub fn run(engine: &Engine, request: Request, stream: bool) -> Result<Answer> {
    let mut out = std::io::stdout().lock();
    let mut text = String::new();
    let mut prompt_ids = Vec::new();
    let mut tokens = Vec::new();
    let mut show = |piece: &str| -> Result<()> {
        text.push_str(piece);
        if stream && !piece.is_empty() {
            out.write_all(output::neutralize(piece).as_bytes())?;
            out.flush()?;
        }
        Ok(())
    };
    let generation = engine.generate(request);
    let _guard = interrupt::Guard::new(engine.canceller());
    for event in generation {
        match event? {
            Event::Started { prompt_ids: ids } => prompt_ids = ids,
            Event::Token { id, text: piece, logprobs } => {
                tokens.push(GeneratedToken { id, logprobs });
                show(&piece)?;
            }
            Event::Done { text: piece, finish, usage, timings } => {
                show(&piece)?;
                if stream && !text.is_empty() && !text.ends_with('\n') {
                    writeln!(out)?;
                }
                return Ok(Answer { text, finish, usage, timings, prompt_ids, tokens });
            }
        }
    }
    Err(crate::engine::Error::Stopped.into())
}

/// The line that `--stats` prints.
pub fn stats(answer: &Answer) -> String {
    let Answer { usage, timings, .. } = answer;
    format!(
        "prefill {} tokens ({} reused) at {:.1} tokens/s, decode {} tokens at {:.1} tokens/s, first token after {:.0} ms, load {:.0} ms",
        usage.prompt_tokens - usage.cached_tokens,
        usage.cached_tokens,
        timings.prefill_tokens_per_s,
        usage.completion_tokens,
        timings.decode_tokens_per_s,
        timings.time_to_first_token_ms,
        timings.load_ms,
    )
}
