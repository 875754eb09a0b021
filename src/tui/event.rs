//! What happens to the chat, and what it wants done.

use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseEvent};

use super::pulse::ModelFacts;
use super::theme::{Theme, ThemeName};
use crate::engine::{Finish, Message, Timings, Usage};
use crate::monitor::Sample;
use crate::session::{Changes, Hit, Session, Summary};

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize(u16, u16),
    /// Time went by: [`super::State::wants_ticks`] says when it matters.
    Tick,
    /// A model answers from now on.
    Loaded(Box<LoadedModel>),
    NotLoaded(String),
    /// A part of the answer that `ticket` asked for.
    Answer {
        ticket: u64,
        event: AnswerEvent,
    },
    Sample(Box<Sample>),
    /// The session with this key got its number on disk.
    Saved {
        key: u64,
        id: i64,
    },
    /// Another process went on with this session, or deleted it: what was to be saved has no place any more.
    Overtaken {
        key: u64,
    },
    Sessions(Vec<Summary>),
    Hits {
        query: String,
        hits: Vec<Hit>,
    },
    Opened(Box<Session>),
    Models(Vec<ModelRow>),
    Themes(Vec<ThemeName>),
    Theme(Box<Theme>),
    /// The files that a word after `@` may mean.
    Files {
        prefix: String,
        files: Vec<FileChoice>,
    },
    /// A file to go with the next question.
    Attached {
        name: String,
        text: String,
    },
    /// It cannot be read.
    NotAttached(String),
    /// Questions of earlier conversations, oldest first.
    History(Vec<String>),
    /// What `$EDITOR` left.
    Edited(String),
    /// What is in effect now; `changed` says that the user asked for it just now.
    Settings {
        settings: Vec<Setting>,
        changed: bool,
    },
    /// Something was done, or could not be.
    Done(String),
    Failed(String),
}

/// A part of an answer, from the engine.
#[derive(Debug, Clone)]
pub enum AnswerEvent {
    /// The prompt has so many tokens; it is read now.
    Started {
        prompt_tokens: usize,
    },
    Text(String),
    Reasoning(String),
    Done {
        text: String,
        finish: Finish,
        usage: Usage,
        timings: Timings,
    },
    Failed(String),
}

/// The model that answers.
#[derive(Debug, Clone)]
pub struct LoadedModel {
    pub name: String,
    pub architecture: String,
    pub quantization: String,
    pub facts: ModelFacts,
}

/// A model to choose.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    pub name: String,
    pub size_bytes: u64,
    pub quantization: String,
    /// Whether it fits this machine, in words.
    pub fit: String,
}

/// A file or folder (with a `/` at its end) that can follow `@`.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChoice {
    pub path: String,
}

/// A setting that can be changed in place.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub key: &'static str,
    /// Empty where nothing is set.
    pub value: String,
    /// Where the value is from.
    pub origin: String,
    /// It was changed in this conversation.
    pub own: bool,
}

/// Something to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Load a model; [`Event::Loaded`] or [`Event::NotLoaded`] comes.
    Load(String),
    /// Answer the messages; [`Event::Answer`] comes. With `go_on` the last of them is continued.
    Generate {
        ticket: u64,
        messages: Vec<Message>,
        go_on: bool,
    },
    /// Stop the answer.
    Cancel,
    /// Write to disk; [`Event::Saved`] comes.
    Save {
        key: u64,
        changes: Box<Changes>,
    },
    ListSessions,
    SearchSessions(String),
    OpenSession(i64),
    DeleteSession(i64),
    ListModels,
    ListThemes,
    LoadTheme(String),
    /// Keep this theme for the next time.
    KeepTheme(String),
    CompletePath(String),
    /// Read a file to go with the question.
    Attach(PathBuf),
    /// Write a file; one that is there is refused.
    Write {
        path: PathBuf,
        text: String,
    },
    /// To the clipboard; `what` names it.
    Copy {
        text: String,
        what: String,
    },
    /// Open `$EDITOR` with this.
    Edit(String),
    Set {
        key: String,
        value: String,
    },
    /// Take these settings for the conversation's own, and no others.
    SetAll(serde_json::Map<String, serde_json::Value>),
    Title(String),
    Redraw,
    Suspend,
    Quit,
}
