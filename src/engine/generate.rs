//! The engine: a loaded model on a thread of its own, and the answers that stream out of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::answer::{Dialect, Parser, Piece};
use super::info::{ModelInfo, Shape, describe};
use super::sampler::{Sampler, are_numbers, best_logprobs};
use super::stop::StopMatcher;
use super::{Error, Event, Finish, Prompt, Request, Timings, Usage};
use crate::model::{
    self, ChatTemplate, Checkpoint, Decoder, EncoderConfig, KvType, Logits, Recipe, Rendered, Tokenizer,
};
use crate::weights::Source;

/// How a model is loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Tokens of context; without it, as many as the model was trained for.
    pub context: Option<usize>,
    /// What keys and values are kept as.
    pub kv_type: KvType,
}

/// A loaded model. It lives on its own thread and answers one request at a time; the KV cache is
/// kept between requests, so that a prompt that begins like the last one is not computed again.
pub struct Engine {
    info: ModelInfo,
    requests: Sender<Job>,
    cancel: Arc<AtomicBool>,
}

struct Job {
    request: Request,
    events: Sender<Result<Event, Error>>,
}

/// Stops the engine's current answer, from any thread.
#[derive(Clone)]
pub struct Canceller(Arc<AtomicBool>);

impl Canceller {
    /// The answer ends with [`Finish::Cancelled`] before its next token.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Maps the weights and builds the tokenizer; fails if anything the model needs is missing.
    pub fn load(source: &Source, options: &LoadOptions) -> Result<Engine, Error> {
        let started = Instant::now();
        let checkpoint = Checkpoint::open(source)?;
        let decoder = load_decoder(&checkpoint, options.kv_type)?;
        let tokenizer = Tokenizer::open(&checkpoint)?;
        let template = ChatTemplate::open(&checkpoint)?;
        let info = describe(&checkpoint, Shape::from(&decoder.config), template.as_ref(), &Recipe::default());
        let allowed = info.context_length;
        if let Some(asked) = options.context.filter(|asked| *asked > allowed) {
            return Err(Error::ContextTooLong { model: info.name, asked, allowed });
        }
        let cancel = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            decoder,
            tokenizer: Arc::new(tokenizer),
            template,
            name: info.name.clone(),
            context: options.context.unwrap_or(allowed),
            load_ms: ms(started),
            seen: Vec::new(),
            cancel: Arc::clone(&cancel),
        };
        let (requests, jobs) = channel::<Job>();
        std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || {
                for Job { request, events } in jobs {
                    // A receiver that went away is noticed inside, as a cancellation.
                    if let Err(error) = worker.answer(&request, &events) {
                        let _ = events.send(Err(error));
                    }
                }
            })
            .map_err(|_| Error::Stopped)?;
        Ok(Engine { info, requests, cancel })
    }

    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.cancel))
    }

    /// Starts an answer. Dropping the returned stream stops it.
    pub fn generate(&self, request: Request) -> Generation {
        self.cancel.store(false, Ordering::Relaxed);
        let (events, receiver) = channel();
        // If the engine's thread is gone, so is `events`, and the stream says so.
        let _ = self.requests.send(Job { request, events });
        Generation { events: receiver, canceller: self.canceller(), ended: false }
    }
}

/// The decoder of `checkpoint`; an encoder is refused.
pub(super) fn load_decoder(checkpoint: &Checkpoint, kv_type: KvType) -> Result<Decoder, Error> {
    if EncoderConfig::of(checkpoint)?.is_some() {
        return Err(Error::Embedder { model: checkpoint.file() });
    }
    Ok(Decoder::load(checkpoint, kv_type)?)
}

/// The events of one answer, ending with `Done` or an error.
pub struct Generation {
    events: Receiver<Result<Event, Error>>,
    canceller: Canceller,
    ended: bool,
}

impl Iterator for Generation {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let event = self.events.recv().unwrap_or(Err(Error::Stopped));
        self.ended = matches!(event, Ok(Event::Done { .. }) | Err(_));
        Some(event)
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if !self.ended {
            self.canceller.cancel();
        }
    }
}

struct Worker {
    decoder: Decoder,
    tokenizer: Arc<Tokenizer>,
    template: Option<ChatTemplate>,
    /// What errors call the model.
    name: String,
    context: usize,
    load_ms: f64,
    /// The tokens whose keys and values are in the decoder's cache.
    seen: Vec<u32>,
    cancel: Arc<AtomicBool>,
}

impl Worker {
    fn answer(&mut self, request: &Request, events: &Sender<Result<Event, Error>>) -> Result<(), Error> {
        let started = Instant::now();
        let (prompt, mut parser) = self.prompt(request)?;
        if prompt.is_empty() {
            let said = match &request.prompt {
                Prompt::Raw(text) => !text.is_empty(),
                Prompt::Messages(messages) => messages.iter().any(|message| !message.content.is_empty()),
            };
            return Err(if said { Error::NothingLeft { model: self.name.clone() } } else { Error::EmptyPrompt });
        }
        // One place must be left for an answer.
        if prompt.len() >= self.context {
            return Err(Error::PromptTooLong {
                prompt_tokens: prompt.len(),
                context: self.context,
                allowed: self.decoder.config.context_length,
            });
        }
        let send = |event: Event| events.send(Ok(event)).is_ok();
        send(Event::Started { prompt_ids: prompt.clone() });

        let mut usage = Usage { prompt_tokens: prompt.len(), ..Usage::default() };
        let mut timings = Timings { load_ms: self.load_ms, ..Timings::default() };
        let mut logits = match self.prefill(&prompt, &mut usage)? {
            Some(logits) => logits,
            None => {
                send(Event::Done { text: String::new(), finish: Finish::Cancelled, usage, timings });
                return Ok(());
            }
        };
        timings.prefill_ms = ms(started);
        timings.prefill_tokens_per_s = rate(prompt.len() - usage.cached_tokens, timings.prefill_ms);

        let mut sampler = Sampler::new(request.sampling.clone());
        let mut stops = StopMatcher::new(&request.stop);
        let tokenizer = Arc::clone(&self.tokenizer);
        let mut detokenizer = tokenizer.stream(prompt.last().copied());
        let mut generated: Vec<u32> = Vec::new();
        let room = self.context - prompt.len();
        let limit = request.max_tokens.unwrap_or(room).min(room);
        let decode_started = Instant::now();
        let mut at_stop_string = false;
        let finish = loop {
            if generated.len() >= limit {
                break Finish::Length;
            }
            if self.cancel.load(Ordering::Relaxed) {
                break Finish::Cancelled;
            }
            if !are_numbers(&logits) {
                return Err(Error::NoNumbers { model: self.name.clone() });
            }
            let id = sampler.sample(&logits, &prompt, &generated);
            if generated.is_empty() {
                timings.time_to_first_token_ms = ms(started);
            }
            let piece = tokenizer.piece(id).unwrap_or_default();
            if tokenizer.is_end(id) && !parser.goes_on_after(piece) {
                break Finish::Stop;
            }
            let logprobs = request.logprobs.map(|n| best_logprobs(&logits, n, id)).unwrap_or_default();
            generated.push(id);
            let mut parts = parser.push(&detokenizer.push(id));
            if tokenizer.is_control(id) {
                parts.extend(parser.push_control(piece));
            }
            let (text, stopped) = told(parts, &mut stops, &send);
            if !send(Event::Token { id, text, logprobs }) {
                break Finish::Cancelled;
            }
            if stopped {
                at_stop_string = true;
                break Finish::Stop;
            }
            if generated.len() >= limit {
                break Finish::Length;
            }
            match self.forward(&[id])? {
                Some(next) => logits = next,
                None => break Finish::Cancelled,
            }
        };
        // A stop string cuts the text; anything else lets out what waited for more.
        let mut text = String::new();
        if !at_stop_string {
            let mut parts = parser.push(&detokenizer.finish());
            parts.extend(parser.finish());
            let (rest, stopped) = told(parts, &mut stops, &send);
            text = rest;
            if !stopped {
                text.push_str(&stops.finish());
            }
        }
        let finish = if finish == Finish::Stop && parser.has_calls() { Finish::ToolCalls } else { finish };
        timings.decode_ms = ms(decode_started);
        usage.completion_tokens = generated.len();
        // The first token comes from the prefill's logits.
        timings.decode_tokens_per_s = rate(generated.len().saturating_sub(1), timings.decode_ms);
        send(Event::Done { text, finish, usage, timings });
        Ok(())
    }

    /// The prompt's tokens, and what reads the answer to it.
    fn prompt(&self, request: &Request) -> Result<(Vec<u32>, Parser), Error> {
        let options = &request.template;
        let source = self.template.as_ref().map_or("", |template| template.source_for(options));
        for (given, what) in [(!options.tools.is_empty(), "tools"), (!options.documents.is_empty(), "documents")] {
            if given && !source.contains(what) {
                return Err(Error::NoPlace { model: self.name.clone(), what });
            }
        }
        let plain = |ids: Vec<u32>| (ids, Parser::new(Dialect::default(), &[], "", 0));
        let (messages, template) = match (&request.prompt, &self.template) {
            (Prompt::Raw(text), _) => return Ok(plain(self.tokenizer.encode(text, true, true)?)),
            (Prompt::Messages(messages), Some(template)) => (messages, template),
            // A base model has no turns: it continues the text.
            (Prompt::Messages(messages), None) => {
                let texts: Vec<&str> = messages.iter().map(|m| m.content.as_str()).collect();
                return Ok(plain(self.tokenizer.encode(&texts.join("\n\n"), false, true)?));
            }
        };
        let Rendered { text, untrusted } = template.render(messages, options, &self.tokenizer)?;
        let ids = self.tokenizer.encode_rendered(&text, &untrusted)?;
        let knows = |piece: &str| self.tokenizer.id(piece).is_some();
        let dialect = Dialect::of(source, !options.tools.is_empty(), knows);
        let parser = Parser::new(dialect, &options.tools, &text, ids.len());
        Ok((ids, parser))
    }

    /// Computes what of `prompt` is not cached yet; `None` when cancelled.
    fn prefill(&mut self, prompt: &[u32], usage: &mut Usage) -> Result<Option<Vec<f32>>, Error> {
        let common = self.seen.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        // The last token is always computed: its logits are what we came for.
        let common = self.decoder.truncate(common.min(prompt.len() - 1));
        usage.cached_tokens = common;
        self.seen.truncate(common);
        let mut rest = &prompt[common..];
        loop {
            let (chunk, later) = rest.split_at(self.decoder.chunk_len(rest.len()));
            let logits = self.forward(chunk)?;
            if logits.is_none() || later.is_empty() {
                return Ok(logits);
            }
            rest = later;
        }
    }

    /// Runs `tokens` and returns the last one's logits; `None` when cancelled.
    fn forward(&mut self, tokens: &[u32]) -> Result<Option<Vec<f32>>, Error> {
        match self.decoder.forward(tokens, Logits::Last, &self.cancel) {
            Ok(logits) => {
                self.seen.extend_from_slice(tokens);
                Ok(Some(logits.get(0)?.to_vec1()?))
            }
            Err(model::Error::Cancelled) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Sends the thoughts and calls among `parts`; returns the answer's text, and whether a stop string was reached.
fn told(parts: Vec<Piece>, stops: &mut StopMatcher, send: &impl Fn(Event) -> bool) -> (String, bool) {
    let mut answer = String::new();
    for part in parts {
        match part {
            Piece::Answer(text) => {
                let (text, stopped) = stops.push(&text);
                answer.push_str(&text);
                if stopped {
                    return (answer, true);
                }
            }
            // Whoever went away is noticed at the next token.
            Piece::Reasoning(text) => drop(send(Event::Reasoning { text })),
            Piece::Call(call) => drop(send(Event::ToolCall(call))),
        }
    }
    (answer, false)
}

/// Milliseconds, to the microsecond.
fn ms(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1000.0
}

/// Tokens a second, to two places.
fn rate(tokens: usize, ms: f64) -> f64 {
    if ms > 0.0 { (tokens as f64 * 100_000.0 / ms).round() / 100.0 } else { 0.0 }
}
