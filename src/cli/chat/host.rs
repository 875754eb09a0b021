//! Carries out what the chat wants done: models and answers, files, conversations. Whatever takes time does so on
//! another thread and comes back as an event.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;

use anyhow::{Result, anyhow};

use super::sessions::{Job, Sessions};
use super::{files, models};
use crate::cli::{generation, model, sampling, theme};
use crate::config::{self, Origin, Settings};
use crate::engine::{self, Canceller, Event as EngineEvent, Message, Prompt};
use crate::tui::pulse::ModelFacts;
use crate::tui::terminal::TerminalEvent;
use crate::tui::theme::Theme;
use crate::tui::{AnswerEvent, Effect, Event, LoadedModel, Setting};

/// Questions of earlier conversations that the composer remembers.
const HISTORY: usize = 1_000;

/// Tokens over which the cache's bytes of one are reckoned.
const KV_PAGE: u64 = 1024;

/// The settings that can be changed in place, in the order in which they are shown.
const IN_PLACE: &[&str] = &[
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "max_tokens",
    "think",
    "reasoning_effort",
];

/// What the loop of the chat waits for.
pub enum Happening {
    Terminal(TerminalEvent),
    Chat(Event),
    /// A model was loaded, or not.
    Model {
        ticket: u64,
        came: Box<Result<Came>>,
    },
    /// The engine has ended the answer of this number.
    Idle(u64),
}

/// A model that came, and what a token of its cache takes.
pub struct Came {
    loaded: model::Loaded,
    kv_bytes_per_token: u64,
    /// Nobody chose the guide, but there is nothing else.
    fallback: bool,
}

/// An answer that is asked for.
struct Asked {
    ticket: u64,
    messages: Vec<Message>,
    go_on: bool,
}

pub struct Host {
    settings: Settings,
    /// As they were before anything was changed in place.
    at_start: Settings,
    stop: Vec<String>,
    loaded: Option<model::Loaded>,
    canceller: Option<Canceller>,
    /// The answer that the engine works on, if only on its end after it was cancelled; what is asked meanwhile waits.
    busy: Option<u64>,
    /// The load that was asked for last: what comes of earlier ones is not wanted.
    loading: u64,
    next: Option<Asked>,
    sessions: Sessions,
    sender: Sender<Happening>,
}

impl Host {
    pub fn new(settings: Settings, stop: Vec<String>, sender: Sender<Happening>) -> Result<Host> {
        let tell = sender.clone();
        // The loop may have ended before the last conversation is on disk.
        let sessions = Sessions::start(super::store_path(&settings), move |event| {
            let _ = tell.send(Happening::Chat(event));
        })?;
        // They are wanted when somebody looks for one.
        sessions.ask(Job::Questions(HISTORY));
        let at_start = settings.clone();
        let (loaded, canceller, next) = (None, None, None);
        Ok(Host { settings, at_start, stop, loaded, canceller, busy: None, loading: 0, next, sessions, sender })
    }

    /// Ends; an error says what of the conversations is not on disk.
    pub fn finish(self) -> Result<()> {
        Ok(self.sessions.finish()?)
    }

    /// Does `work` on a thread, and tells what comes of it.
    fn spawn(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let sender = self.sender.clone();
        std::thread::spawn(move || drop(sender.send(Happening::Chat(work()))));
    }

    /// Carries out `effect`, if it is not one of the terminal's; returns what came of it at once.
    pub fn perform(&mut self, effect: Effect) -> Option<Event> {
        let home = self.settings.paths.home.clone();
        match effect {
            Effect::Load(name) => self.load(Some(name)),
            Effect::Generate { ticket, messages, go_on } => {
                self.next = Some(Asked { ticket, messages, go_on });
                self.begin_next();
            }
            Effect::Cancel => {
                self.next = None;
                self.canceller.iter().for_each(Canceller::cancel);
            }
            Effect::Save { key, changes } => self.sessions.ask(Job::Save { key, changes }),
            Effect::ListSessions => self.sessions.ask(Job::List),
            Effect::SearchSessions(words) => self.sessions.ask(Job::Search(words)),
            Effect::OpenSession(id) => self.sessions.ask(Job::Open(id)),
            Effect::DeleteSession(id) => self.sessions.ask(Job::Delete(id)),
            Effect::ListModels => {
                let settings = self.settings.clone();
                self.spawn(move || {
                    models::rows(&settings).map_or_else(|e| Event::Failed(format!("{e:#}")), Event::Models)
                });
            }
            Effect::ListThemes => return Some(Event::Themes(Theme::names(&theme::folder(&self.settings)))),
            Effect::LoadTheme(name) => {
                let depth = theme::depth(&self.settings);
                let loaded = Theme::load(&name, &theme::folder(&self.settings), depth);
                return Some(
                    loaded.map_or_else(|e| Event::Failed(e.to_string()), |theme| Event::Theme(Box::new(theme))),
                );
            }
            Effect::KeepTheme(name) => return Some(self.keep_theme(&name)),
            Effect::CompletePath(prefix) => self.spawn(move || files::complete(prefix, home.as_deref())),
            Effect::Attach(path) => self.spawn(move || match files::attach(&path, home.as_deref()) {
                Event::Failed(reason) => Event::NotAttached(reason),
                event => event,
            }),
            Effect::Write { path, text } => self.spawn(move || files::write(&path, &text, home.as_deref())),
            Effect::Set { key, value } => return Some(self.set(&key, &value)),
            Effect::SetAll(values) => return Some(self.set_all(&values)),
            // Those of the terminal.
            Effect::Copy { .. }
            | Effect::Edit(_)
            | Effect::Title(_)
            | Effect::Redraw
            | Effect::Suspend
            | Effect::Quit => {}
        }
        None
    }

    /// Loads the named model, or the usual one.
    pub fn load(&mut self, name: Option<String>) {
        self.loading += 1;
        let ticket = self.loading;
        let (settings, sender) = (self.settings.clone(), self.sender.clone());
        std::thread::spawn(move || {
            let fallback = name.is_none() && settings.text("model").is_none();
            let load = || {
                let local = model::find_chosen(name.as_deref(), &settings)?;
                let (shape, _) = engine::footprint(&local.source)?;
                let kv_type = model::kv_type(&settings);
                // Layers that look back only so far keep less of a long text: a page is what most turns add.
                let kv_bytes_per_token = shape.kv_bytes(KV_PAGE, kv_type).saturating_sub(shape.state_bytes) / KV_PAGE;
                let loaded = model::load_local(local, &settings)?;
                let fallback = fallback && loaded.is_guide();
                Ok(Came { loaded, kv_bytes_per_token, fallback })
            };
            let fault = |_| Err(anyhow!("loading it failed by a fault of oai's own"));
            let came = Box::new(catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(fault));
            drop(sender.send(Happening::Model { ticket, came }));
        });
    }

    /// A model came, or not; one that nobody waits for any more is dropped.
    pub fn loaded(&mut self, ticket: u64, came: Result<Came>) -> Vec<Event> {
        if ticket != self.loading {
            return Vec::new();
        }
        match came {
            Ok(Came { loaded, kv_bytes_per_token, fallback }) => {
                self.canceller.iter().for_each(Canceller::cancel);
                self.canceller = Some(loaded.engine.canceller());
                let model = described(&loaded, kv_bytes_per_token, &self.settings);
                self.loaded = Some(loaded);
                self.busy = None;
                // Some settings are the model's own.
                let settings = Event::Settings { settings: self.shown_settings(), changed: false };
                let note = fallback.then(|| Event::Done(model::FALLBACK.to_owned()));
                [settings, Event::Loaded(Box::new(model))].into_iter().chain(note).collect()
            }
            Err(error) => vec![Event::NotLoaded(format!("{error:#}"))],
        }
    }

    /// The engine is free, if that was what it did: what waited is asked.
    pub fn idle(&mut self, ticket: u64) {
        if self.busy == Some(ticket) {
            self.busy = None;
            self.begin_next();
        }
    }

    fn begin_next(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let (Some(asked), Some(loaded)) = (self.next.take(), &self.loaded) else { return };
        self.busy = Some(asked.ticket);
        let prompt = Prompt::Messages(asked.messages);
        let mut request = generation::request(prompt, &self.settings, loaded.is_guide(), &self.stop);
        request.template.continue_last = asked.go_on;
        let answer = loaded.engine.generate(request);
        let (sender, ticket) = (self.sender.clone(), asked.ticket);
        std::thread::spawn(move || {
            for event in answer {
                let Some(event) = told(event) else { continue };
                if sender.send(Happening::Chat(Event::Answer { ticket, event })).is_err() {
                    return;
                }
            }
            let _ = sender.send(Happening::Idle(ticket));
        });
    }

    fn keep_theme(&mut self, name: &str) -> Event {
        // One that is none would be an error at the next start.
        if let Err(error) = Theme::load(name, &theme::folder(&self.settings), theme::depth(&self.settings)) {
            return Event::Failed(error.to_string());
        }
        let file = self.settings.paths.config_file.clone();
        match config::keep(&file, "theme", name) {
            Ok(()) => Event::Done(format!("{name} is your theme, in {}", file.display())),
            Err(error) => Event::Failed(format!("{name} is not kept: {error}")),
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Event {
        let Some(known) = IN_PLACE.iter().find(|known| **known == key) else {
            return Event::Failed(format!("{key} cannot be set here"));
        };
        let done = match value {
            "-" | "default" | "" => {
                self.settings.take_from(known, &self.at_start);
                Ok(())
            }
            value => self.settings.set(known, value, Origin::Conversation),
        };
        match done {
            Ok(()) => Event::Settings { settings: self.shown_settings(), changed: true },
            Err(error) => Event::Failed(error.to_string()),
        }
    }

    /// Takes what a conversation has of its own, and nothing that another one had.
    pub fn set_all(&mut self, values: &serde_json::Map<String, serde_json::Value>) -> Event {
        for key in IN_PLACE {
            self.settings.take_from(key, &self.at_start);
            let text = values.get(*key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            // What an older oai kept may be none any more.
            let _ = text.map(|text| self.settings.set(key, &text, Origin::Conversation));
        }
        Event::Settings { settings: self.shown_settings(), changed: false }
    }

    /// What can be changed in place, as it is.
    pub fn shown_settings(&self) -> Vec<Setting> {
        let is_guide = self.loaded.as_ref().is_some_and(model::Loaded::is_guide);
        let temperature = sampling::sampling(&self.settings, is_guide).temperature;
        let shown = |key: &&'static str| {
            let setting = self.settings.all().iter().find(|setting| setting.key == *key)?;
            let value = match *key {
                "temperature" => temperature.to_string(),
                _ => setting.value.as_ref().map(ToString::to_string).unwrap_or_default(),
            };
            let own = setting.origin == Origin::Conversation;
            Some(Setting { key, value, origin: setting.origin.to_string(), own })
        };
        IN_PLACE.iter().filter_map(shown).collect()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn told(event: Result<EngineEvent, engine::Error>) -> Option<AnswerEvent> {
    Some(match event {
        Ok(EngineEvent::Started { prompt_ids }) => AnswerEvent::Started { prompt_tokens: prompt_ids.len() },
        Ok(EngineEvent::Token { text, .. }) => AnswerEvent::Text(text),
        Ok(EngineEvent::Reasoning { text }) => AnswerEvent::Reasoning(text),
        // Nobody gave functions.
        Ok(EngineEvent::ToolCall(_)) => return None,
        Ok(EngineEvent::Done { text, finish, usage, timings }) => AnswerEvent::Done { text, finish, usage, timings },
        Err(error) => AnswerEvent::Failed(error.to_string()),
    })
}

fn described(loaded: &model::Loaded, kv_bytes_per_token: u64, settings: &Settings) -> LoadedModel {
    let info = loaded.engine.info();
    let context_total = settings.count("context").map_or(info.context_length, |n| n as usize);
    LoadedModel {
        name: loaded.name.clone(),
        architecture: info.architecture.clone(),
        quantization: info.quantization.clone(),
        facts: ModelFacts { size_bytes: info.size_bytes, kv_bytes_per_token, context_total },
    }
}
