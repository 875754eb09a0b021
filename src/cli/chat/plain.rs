//! A conversation, line by line.

use std::path::Path;

use anyhow::Result;

use super::command::{self, Command};
use super::input::{Input, Line};
use super::{Args, Start, now_ms, store_path};
use crate::cli::{generation, interrupt, model, output};
use crate::config::Settings;
use crate::engine::{self, Finish, Message, Prompt, Role};
use crate::session::{self, Attachment, Conversation, Error, NodeId, Session, Store};

struct Chat {
    settings: Settings,
    loaded: model::Loaded,
    talk: Session,
    /// What goes with the next question.
    attachments: Vec<Attachment>,
    /// Where a person's conversations are kept; a script's are its own business.
    store: Option<Store>,
    /// Why the conversation is not on disk, as it was told.
    unsaved: Option<String>,
    stop: Vec<String>,
    stats: bool,
}

pub fn run(args: &Args, settings: Settings, start: Start) -> Result<()> {
    interrupt::install()?;
    let Start { session: mut talk, model, attachments } = start;
    let loaded = model::load_chosen(model.as_deref(), &settings)?;
    talk.set_model(&loaded.name);
    let mut input = Input::new(&settings.paths.data_dir)?;
    let store = if input.is_terminal() { opened(&settings) } else { None };
    if input.is_terminal() {
        output::note(&format!("{} (/help lists the commands, Ctrl-D leaves)", loaded.name));
    }
    let attachments = attachments.into_iter().map(|(name, text)| Attachment { name, text }).collect();
    let stop = args.sampling.stop.clone();
    let mut chat = Chat { settings, loaded, talk, attachments, store, unsaved: None, stop, stats: args.stats };
    loop {
        match input.read()? {
            Line::End => return chat.end(),
            Line::Text(text) if text.trim().is_empty() => {}
            Line::Text(text) => match Command::parse(&text) {
                None => chat.turn(&text)?,
                Some(Ok(Command::Exit)) => return chat.end(),
                // A command that fails leaves the conversation as it was.
                Some(command) => {
                    if let Err(error) = command.and_then(|command| chat.obey(command)) {
                        output::note(&format!("{error:#}"));
                    }
                }
            },
        }
        chat.keep();
    }
}

/// The database; without it the talk goes on, and is not kept.
fn opened(settings: &Settings) -> Option<Store> {
    let store = Store::open(&store_path(settings));
    store.inspect_err(|error| output::note(&format!("oai: this conversation is not kept: {error}"))).ok()
}

impl Chat {
    fn turn(&mut self, text: &str) -> Result<()> {
        let question = self.talk.append(Message::new(Role::User, text), now_ms());
        let attachments = std::mem::take(&mut self.attachments);
        self.talk.edit_node(question, |node| node.attachments.clone_from(&attachments));
        let prompt = Prompt::Messages(self.talk.messages());
        let request = generation::request(prompt, &self.settings, self.loaded.is_guide(), &self.stop);
        match generation::run(&self.loaded.engine, request, Some(&self.settings)) {
            Ok(answer) => {
                let reasoning_content = Some(answer.reasoning.clone()).filter(|text| !text.is_empty());
                let message = Message { reasoning_content, ..Message::new(Role::Assistant, &answer.text) };
                let id = self.talk.append(message, now_ms());
                self.talk.edit_node(id, |node| {
                    node.model = Some(self.loaded.name.clone());
                    node.finish = Some(answer.finish);
                    node.usage = Some(answer.usage);
                    node.timings = Some(answer.timings);
                });
                if answer.finish == Finish::Cancelled {
                    output::note("(stopped)");
                }
                if self.stats {
                    output::note(&generation::stats(&answer));
                }
                Ok(())
            }
            Err(error) => {
                self.talk.delete(question);
                self.attachments = attachments;
                // What the engine refuses (a prompt too long, say) is told, and the talk goes on.
                match error.downcast_ref::<engine::Error>() {
                    // Without its weights a model answers nothing any more.
                    Some(engine::Error::Model(crate::model::Error::Weights(_))) => return Err(error),
                    Some(_) => output::note(&format!("oai: {error:#}")),
                    None => return Err(error),
                }
                Ok(())
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Help => output::note(command::HELP),
            Command::System(text) if text.is_empty() => match &self.talk.system {
                Some(text) => output::note(text),
                None => output::note("no system message; /system TEXT sets one"),
            },
            Command::System(text) => self.talk.set_system(Some(text.as_str()).filter(|text| !text.is_empty())),
            Command::Model(name) if name.is_empty() => output::note(&self.loaded.name),
            Command::Model(name) => {
                self.loaded = model::load(&name, &self.settings)?;
                self.talk.set_model(&self.loaded.name);
                output::note(&format!("now {}", self.loaded.name));
            }
            Command::Save(path) => {
                Conversation { model: self.loaded.name.clone(), messages: self.talk.messages() }.save(&path)?;
                output::note(&format!("saved to {}", path.display()));
            }
            Command::Load(path) => self.load(&path)?,
            Command::Clear => {
                let mut empty = Session::new(&self.loaded.name, now_ms());
                empty.set_system(self.talk.system.as_deref());
                self.talk = empty;
            }
            Command::Undo => match self.last_question() {
                Some((id, text)) => {
                    self.talk.delete(id);
                    output::note(&format!("took back: {text}"));
                }
                None => output::note("nothing to take back"),
            },
            Command::Exit => {}
        }
        Ok(())
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let mut talk = session::from_file(path, now_ms())?;
        output::note(&format!("{} messages from {}", talk.messages().len(), path.display()));
        talk.set_model(&self.loaded.name);
        self.talk = talk;
        Ok(())
    }

    fn last_question(&self) -> Option<(NodeId, String)> {
        let nodes = self.talk.path().into_iter().rev().filter_map(|id| self.talk.node(id));
        nodes.filter(|node| node.message.role == Role::User).map(|node| (node.id, node.message.content.clone())).next()
    }

    /// Writes what changed to disk. What fails is told and tried again after the next line.
    fn keep(&mut self) {
        if self.store.is_none() || (self.talk.id.is_none() && self.talk.is_empty()) {
            return;
        }
        let mut saved = self.save();
        if let Err(error @ (Error::Gone { .. } | Error::ChangedElsewhere { .. })) = &saved {
            output::note(&format!("{error}: yours is kept as a copy"));
            self.talk.detach();
            saved = self.save();
        }
        let unsaved = saved.err().map(|error| error.to_string());
        match &unsaved {
            Some(reason) if self.unsaved.is_none() => {
                output::note(&format!(
                    "oai: the conversation is not saved yet: {reason}; trying again after the next line"
                ));
            }
            None if self.unsaved.is_some() => output::note("the conversation is saved now"),
            _ => {}
        }
        self.unsaved = unsaved;
    }

    /// What is not on disk is tried once more.
    fn end(mut self) -> Result<()> {
        if self.unsaved.is_some() {
            self.keep();
        }
        self.unsaved.map_or(Ok(()), |reason| Err(Error::Unsaved { reason }.into()))
    }

    fn save(&mut self) -> Result<(), Error> {
        if let Some(store) = &mut self.store
            && let Some(changes) = self.talk.take_changes(now_ms())
        {
            let saved = store.save(&changes).inspect_err(|_| self.talk.put_back(&changes))?;
            self.talk.id = Some(saved);
        }
        Ok(())
    }
}
