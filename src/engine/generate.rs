//! The engine: a loaded model on a thread of its own, and the answers that stream out of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use candle_core::Tensor;

use super::answer::{Dialect, Parser, Piece};
use super::draft_model::DraftModel;
use super::info::{ModelInfo, Shape, describe};
use super::sampler::{Draft, Sampler, are_numbers, best_logprobs};
use super::speculate::{Drafter, MOST};
use super::stop::StopMatcher;
use super::{Error, Event, Finish, Prompt, Request, Speculation, Timings, Usage};
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
    /// Guess tokens ahead: copied from the text so far, or by `draft`.
    pub speculate: bool,
    /// A smaller model of the same vocabulary that guesses.
    pub draft: Option<Source>,
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
        let draft = match options.draft.as_ref().filter(|_| options.speculate) {
            Some(draft) => Some(DraftModel::load(
                draft,
                options.kv_type,
                &checkpoint,
                &info.name,
                &decoder,
                &tokenizer,
                Arc::clone(&cancel),
            )?),
            None => None,
        };
        let mut worker = Worker {
            speculate: options.speculate,
            draft,
            decoder,
            tokenizer: Arc::new(tokenizer),
            template,
            name: info.name.clone(),
            context: options.context.unwrap_or(allowed),
            load_ms: ms(started),
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
    speculate: bool,
    draft: Option<DraftModel>,
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
        // The prompt, and the answer after it as it grows.
        let mut text = prompt;
        let start = text.len();
        let common = self.decoder.tokens().iter().zip(&text).take_while(|(a, b)| a == b).count();
        // The last token is always computed: its logits are what we came for.
        usage.cached_tokens = self.decoder.truncate(common.min(start - 1));
        let Some(logits) = compute(&mut self.decoder, &text[usage.cached_tokens..], 1, &self.cancel)? else {
            send(Event::Done { text: String::new(), finish: Finish::Cancelled, usage, timings });
            return Ok(());
        };
        let mut ahead = Ahead { logits, row: 0, drafts: VecDeque::new() };
        timings.prefill_ms = ms(started);
        timings.prefill_tokens_per_s = rate(start - usage.cached_tokens, timings.prefill_ms);

        let mut sampler = Sampler::new(request.sampling.clone());
        let mut stops = StopMatcher::new(&request.stop);
        let tokenizer = Arc::clone(&self.tokenizer);
        let mut detokenizer = tokenizer.stream(text.last().copied());
        let end = request.max_tokens.map_or(self.context, |most| self.context.min(start.saturating_add(most)));
        let mut drafter = match &mut self.draft {
            Some(model) => Some(Drafter::model(model, &request.sampling)),
            None => self.speculate.then(Drafter::lookup),
        };
        let mut speculation = Speculation::default();
        let decode_started = Instant::now();
        let mut at_stop_string = false;
        let finish = loop {
            if text.len() >= end {
                break Finish::Length;
            }
            if self.cancel.load(Ordering::Relaxed) {
                break Finish::Cancelled;
            }
            let logits = ahead.logits()?;
            if !are_numbers(&logits) {
                return Err(Error::NoNumbers { model: self.name.clone() });
            }
            let (prompt, generated) = text.split_at(start);
            if generated.is_empty() {
                timings.time_to_first_token_ms = ms(started);
            }
            let draft = ahead.drafts.pop_front();
            let id = match &draft {
                Some(draft) => sampler.verify(draft, &logits, prompt, generated),
                None => sampler.sample(&logits, prompt, generated),
            };
            let foreseen = draft.as_ref().is_some_and(|draft| draft.id == id);
            if let (Some(drafter), true) = (&mut drafter, draft.is_some()) {
                drafter.settled(foreseen);
                speculation.accepted += usize::from(foreseen);
            }
            let piece = tokenizer.piece(id).unwrap_or_default();
            if tokenizer.is_end(id) && !parser.goes_on_after(piece) {
                break Finish::Stop;
            }
            let logprobs = request.logprobs.map(|n| best_logprobs(&logits, n, id)).unwrap_or_default();
            text.push(id);
            let mut parts = parser.push(&detokenizer.push(id));
            if tokenizer.is_control(id) {
                parts.extend(parser.push_control(piece));
            }
            let (answer, stopped) = told(parts, &mut stops, &send);
            if !send(Event::Token { id, text: answer, logprobs }) {
                break Finish::Cancelled;
            }
            if stopped {
                at_stop_string = true;
                break Finish::Stop;
            }
            if text.len() >= end {
                break Finish::Length;
            }
            if foreseen {
                ahead.row += 1;
                continue;
            }
            // What was guessed after a wrong guess is forgotten, and the next guess made.
            let cached = self.decoder.truncate(text.len() - 1);
            let mut tokens = text[cached..].to_vec();
            let known = tokens.len();
            let mut drafts = VecDeque::new();
            if let Some(drafter) = drafter.as_mut().filter(|_| self.decoder.can_go_back(known + MOST)) {
                // A guess of the last token would have no token after it to give.
                drafts.extend(drafter.guess(&text, start, end - text.len() - 1)?);
                tokens.extend(drafts.iter().map(|draft| draft.id));
                speculation.drafted += drafts.len();
            }
            match compute(&mut self.decoder, &tokens, drafts.len() + 1, &self.cancel)? {
                Some(logits) => ahead = Ahead { logits, row: 0, drafts },
                None => break Finish::Cancelled,
            }
        };
        // What was guessed after the end was never said.
        self.decoder.truncate(text.len());
        let completion_tokens = text.len() - start;
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
        timings.speculation = Some(speculation).filter(|s| s.drafted > 0);
        usage.completion_tokens = completion_tokens;
        // The first token comes from the prefill's logits.
        timings.decode_tokens_per_s = rate(completion_tokens.saturating_sub(1), timings.decode_ms);
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
}

/// The logits of the next token, and of those after it as far as they were guessed.
struct Ahead {
    /// `[1 + guessed tokens, vocab]`.
    logits: Tensor,
    /// Which row is that of the next token.
    row: usize,
    /// The guesses from the next token on.
    drafts: VecDeque<Draft>,
}

impl Ahead {
    fn logits(&self) -> Result<Vec<f32>, Error> {
        Ok(self.logits.get(self.row)?.to_vec1()?)
    }
}

/// Continues with `tokens`, in as many passes as they need, and returns the logits after the last `rows` of them
/// `[rows, vocab]`; `None` when cancelled.
pub(super) fn compute(
    decoder: &mut Decoder,
    tokens: &[u32],
    rows: usize,
    cancel: &AtomicBool,
) -> Result<Option<Tensor>, Error> {
    let mut rest = tokens;
    loop {
        // The last pass holds all rows.
        let len = decoder.chunk_len(rest.len());
        let len = if len < rest.len() && rest.len() > rows { len.min(rest.len() - rows) } else { rest.len() };
        let (chunk, later) = rest.split_at(len);
        let which = if later.is_empty() && rows > 1 { Logits::All } else { Logits::Last };
        match decoder.forward(chunk, which, cancel) {
            Ok(logits) if later.is_empty() => return Ok(Some(logits.narrow(0, logits.dim(0)? - rows, rows)?)),
            Ok(_) => rest = later,
            Err(model::Error::Cancelled) => return Ok(None),
            Err(error) => return Err(error.into()),
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
