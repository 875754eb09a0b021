//! `oai chat`: a conversation, line by line.

mod command;
mod input;

use std::path::PathBuf;

use anyhow::Result;

use self::command::Command;
use self::input::{Input, Line};
use super::{generation, interrupt, model, output, sampling, speculation, thinking};
use crate::config::Settings;
use crate::engine::{self, Finish, Message, Prompt, Request, Role};
use crate::session::Conversation;

/// Talk with a model
#[derive(Debug, clap::Args)]
#[command(
    after_help = "In the conversation:\n  /help            all commands\n  text \\           a line that ends in \\ goes on\n  \"\"\"              begins and ends a text of several lines\n  Ctrl-C           stops an answer; Ctrl-D leaves\n\nExamples:\n  oai chat qwen3:0.6b\n  oai chat -s \"Answer in French\" mistral-7b\n  oai chat --load talk.json"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a path, or guide
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    /// The system message
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,
    /// Begin with a conversation that /save wrote
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Line by line, for simple terminals (there is no other way yet)
    #[arg(long)]
    plain: bool,
    /// Print speeds and times after each answer
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    pub sampling: sampling::SamplingArgs,
    #[command(flatten)]
    pub thinking: thinking::ThinkingArgs,
    #[command(flatten)]
    pub speculation: speculation::SpeculationArgs,
}

struct Chat {
    settings: Settings,
    loaded: model::Loaded,
    talk: Conversation,
    stop: Vec<String>,
    stats: bool,
}

pub fn run(args: &Args, settings: Settings) -> Result<()> {
    interrupt::install()?;
    let mut talk = match &args.load {
        Some(path) => Conversation::load(path)?,
        None => Conversation::default(),
    };
    let saved = Some(talk.model.clone()).filter(|name| !name.is_empty());
    let name = args.model.as_deref().or(saved.as_deref());
    let loaded = model::load_chosen(name, &settings)?;
    talk.model.clone_from(&loaded.name);
    if let Some(text) = &args.system {
        talk.set_system(text);
    }
    let mut input = Input::new(&settings.paths.data_dir)?;
    if input.is_terminal() {
        output::note(&format!("{} (/help lists the commands, Ctrl-D leaves)", loaded.name));
    }
    let mut chat = Chat { settings, loaded, talk, stop: args.sampling.stop.clone(), stats: args.stats };
    loop {
        match input.read()? {
            Line::End => return Ok(()),
            Line::Text(text) if text.trim().is_empty() => {}
            Line::Text(text) => match Command::parse(&text) {
                None => chat.turn(&text)?,
                Some(Ok(Command::Exit)) => return Ok(()),
                // A command that fails leaves the conversation as it was.
                Some(command) => {
                    if let Err(error) = command.and_then(|command| chat.obey(command)) {
                        output::note(&format!("{error:#}"));
                    }
                }
            },
        }
    }
}

impl Chat {
    fn turn(&mut self, text: &str) -> Result<()> {
        self.talk.push(Role::User, text);
        let request = Request {
            prompt: Prompt::Messages(self.talk.messages.clone()),
            template: thinking::options(&self.settings),
            sampling: sampling::sampling(&self.settings, self.loaded.is_guide()),
            stop: self.stop.clone(),
            max_tokens: self.settings.count("max_tokens").map(|n| n as usize),
            logprobs: None,
        };
        match generation::run(&self.loaded.engine, request, Some(&self.settings)) {
            Ok(answer) => {
                let reasoning_content = Some(answer.reasoning.clone()).filter(|text| !text.is_empty());
                let message = Message { reasoning_content, ..Message::new(Role::Assistant, &answer.text) };
                self.talk.messages.push(message);
                if answer.finish == Finish::Cancelled {
                    output::note("(stopped)");
                }
                if self.stats {
                    output::note(&generation::stats(&answer));
                }
                Ok(())
            }
            Err(error) => {
                self.talk.undo();
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
            Command::System(text) if text.is_empty() => match self.talk.system() {
                Some(text) => output::note(text),
                None => output::note("no system message; /system TEXT sets one"),
            },
            Command::System(text) => self.talk.set_system(&text),
            Command::Model(name) if name.is_empty() => output::note(&self.loaded.name),
            Command::Model(name) => {
                self.loaded = model::load(&name, &self.settings)?;
                self.talk.model.clone_from(&self.loaded.name);
                output::note(&format!("now {}", self.loaded.name));
            }
            Command::Save(path) => {
                self.talk.save(&path)?;
                output::note(&format!("saved to {}", path.display()));
            }
            Command::Load(path) => {
                let talk = Conversation::load(&path)?;
                output::note(&format!("{} messages from {}", talk.messages.len(), path.display()));
                self.talk = Conversation { model: self.loaded.name.clone(), ..talk };
            }
            Command::Clear => self.talk.clear(),
            Command::Undo => match self.talk.undo() {
                Some(text) => output::note(&format!("took back: {text}")),
                None => output::note("nothing to take back"),
            },
            Command::Exit => {}
        }
        Ok(())
    }
}
