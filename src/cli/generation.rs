//! An answer on its way to standard output.

use std::io::{IsTerminal, StdoutLock, Write};

use anyhow::Result;
use serde::Serialize;

use super::{interrupt, output, sampling, thinking};
use crate::config::Settings;
use crate::engine::{Engine, Event, Finish, Prompt, Request, Timings, TokenLogprob, ToolCall, Usage};

/// A finished answer.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    /// What the model thought before it.
    pub reasoning: String,
    pub tool_calls: Vec<ToolCall>,
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

/// What `prompt` is asked with: all that the settings say, and the texts that end an answer.
pub fn request(prompt: Prompt, settings: &Settings, is_guide: bool, stop: &[String]) -> Request {
    Request {
        prompt,
        template: thinking::options(settings),
        sampling: sampling::sampling(settings, is_guide),
        stop: stop.to_vec(),
        max_tokens: settings.count("max_tokens").map(|n| n as usize),
        logprobs: None,
    }
}

/// Runs a request to its end; with `shown`, its text goes to standard output as it comes, and what the model thinks
/// before it as those settings say. A Ctrl-C in between ends it as [`Finish::Cancelled`].
pub fn run(engine: &Engine, request: Request, shown: Option<&Settings>) -> Result<Answer> {
    let mut page = Page::new(shown);
    let (mut text, mut reasoning) = (String::new(), String::new());
    let (mut prompt_ids, mut tokens, mut tool_calls) = (Vec::new(), Vec::new(), Vec::new());
    let generation = engine.generate(request);
    let _guard = interrupt::Guard::new(engine.canceller());
    for event in generation {
        match event? {
            Event::Started { prompt_ids: ids } => prompt_ids = ids,
            Event::Token { id, text: piece, logprobs } => {
                tokens.push(GeneratedToken { id, logprobs });
                page.answer(&piece)?;
                text.push_str(&piece);
            }
            Event::Reasoning { text: piece } => {
                page.thought(&piece)?;
                reasoning.push_str(&piece);
            }
            Event::ToolCall(call) => {
                page.line(&output::json(&call)?)?;
                tool_calls.push(call);
            }
            Event::Done { text: piece, finish, usage, timings } => {
                page.answer(&piece)?;
                page.end()?;
                text.push_str(&piece);
                return Ok(Answer { text, reasoning, tool_calls, finish, usage, timings, prompt_ids, tokens });
            }
        }
    }
    Err(crate::engine::Error::Stopped.into())
}

/// Standard output, as an answer fills it.
struct Page {
    out: StdoutLock<'static>,
    answers: bool,
    thoughts: bool,
    dim: bool,
    /// The last that was written is a thought.
    thinking: bool,
    /// The last line is not ended.
    open: bool,
}

impl Page {
    fn new(shown: Option<&Settings>) -> Page {
        let out = std::io::stdout().lock();
        let dim = out.is_terminal() && shown.is_some_and(|settings| !settings.no_color);
        let thoughts = shown.is_some_and(thinking::shown);
        Page { out, answers: shown.is_some(), thoughts, dim, thinking: false, open: false }
    }

    fn thought(&mut self, text: &str) -> Result<()> {
        if !self.thoughts || text.is_empty() {
            return Ok(());
        }
        if !self.thinking {
            self.end_line()?;
            self.thinking = true;
            self.colour("\x1b[2m")?;
        }
        self.write(text)
    }

    fn answer(&mut self, text: &str) -> Result<()> {
        if !self.answers || text.is_empty() {
            return Ok(());
        }
        self.end_thought()?;
        self.write(text)
    }

    /// A line of its own.
    fn line(&mut self, text: &str) -> Result<()> {
        if !self.answers {
            return Ok(());
        }
        self.end_thought()?;
        self.end_line()?;
        self.write(text)?;
        self.end_line()
    }

    fn end(&mut self) -> Result<()> {
        if std::mem::take(&mut self.thinking) {
            self.colour("\x1b[0m")?;
        }
        self.end_line()
    }

    /// An empty line between a thought and what follows.
    fn end_thought(&mut self) -> Result<()> {
        if self.thinking {
            self.end()?;
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) {
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.out.write_all(output::neutralize(text).as_bytes())?;
        self.open = !text.ends_with('\n');
        Ok(self.out.flush()?)
    }

    fn colour(&mut self, code: &str) -> Result<()> {
        if self.dim {
            write!(self.out, "{code}")?;
        }
        Ok(())
    }
}

impl Drop for Page {
    /// An error in the middle of a thought must not leave the terminal dim; one of this writing has nobody to tell.
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The line that `--stats` prints.
pub fn stats(answer: &Answer) -> String {
    let Answer { usage, timings, .. } = answer;
    let guessed = timings.speculation.map_or(String::new(), |speculation| {
        format!(" ({} of {} drafted tokens accepted)", speculation.accepted, speculation.drafted)
    });
    format!(
        "prefill {} tokens ({} reused) at {:.1} tokens/s, decode {} tokens at {:.1} tokens/s{guessed}, first token after {:.0} ms, load {:.0} ms",
        usage.prompt_tokens - usage.cached_tokens,
        usage.cached_tokens,
        timings.prefill_tokens_per_s,
        usage.completion_tokens,
        timings.decode_tokens_per_s,
        timings.time_to_first_token_ms,
        timings.load_ms,
    )
}
