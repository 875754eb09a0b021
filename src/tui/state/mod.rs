//! All that the chat knows. Nothing here reads a clock, a file or the environment.

mod line;
mod overlay;
mod picker;
mod search;
mod transcript;

pub use line::LineEdit;
pub use overlay::{Overlay, Prompt, SessionRow};
pub use picker::{Item, Picker};
pub use search::Search;
pub use transcript::{MARGIN, Place, Transcript};

use super::composer::Composer;
use super::event::{LoadedModel, Setting};
use super::pulse::Pulse;
use super::theme::Theme;
use crate::engine::{Finish, Usage};
use crate::monitor::Status;
use crate::neutralize::neutralize;
use crate::session::{NodeId, Session};

/// Below this nothing can be shown sensibly.
pub const SMALLEST: (u16, u16) = (24, 6);
/// How long a notice stays.
const NOTICE_MS: i64 = 6_000;

/// A model's name as it is shown: of a path the file's name alone.
pub fn shown_name(name: &str) -> String {
    let is_path = name.starts_with(['/', '.', '~']);
    let file = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    neutralize(if is_path { file.strip_suffix(".gguf").unwrap_or(file) } else { name }).replace(['\n', '\t'], " ")
}

/// Where keys go that no overlay takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Composer,
    /// A message is chosen, by its place in the conversation.
    Message(usize),
}

/// What the model is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// No model yet, or another one is on its way.
    Loading,
    /// Loading failed, and none was there before.
    NoModel,
    Ready,
    /// The question waits for the model, or is read.
    Reading {
        prompt_tokens: usize,
    },
    Thinking,
    Writing,
}

/// How an answer stood that goes on.
#[derive(Debug, Clone, Copy)]
pub struct Resumed {
    pub finish: Option<Finish>,
    pub usage: Option<Usage>,
    /// Of its text.
    pub bytes: usize,
}

/// An answer on its way.
#[derive(Debug, Clone, Copy)]
pub struct Answering {
    pub ticket: u64,
    pub node: NodeId,
    /// The leaf to go back to if nothing comes of it.
    pub before: Option<NodeId>,
    pub resumed: Option<Resumed>,
    pub started_ms: i64,
    pub saved_ms: i64,
}

/// A line at the foot that goes away.
#[derive(Debug, Clone)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
    pub until_ms: i64,
}

/// What the chat begins with.
pub struct Setup {
    pub session: Session,
    pub theme: Theme,
    /// Columns and rows.
    pub size: (u16, u16),
    pub vi: bool,
    pub monitor: bool,
    pub settings: Vec<Setting>,
    /// The model that is being loaded.
    pub loading: String,
    /// Files and piped text that go with the first question.
    pub attachments: Vec<(String, String)>,
    pub now_ms: i64,
}

/// The chat.
pub struct State {
    pub session: Session,
    /// Tells the session from others of this process until it has a number.
    pub session_key: u64,
    pub transcript: Transcript,
    pub composer: Composer,
    pub focus: Focus,
    pub overlay: Option<Overlay>,
    pub search: Option<Search>,
    pub model: Option<LoadedModel>,
    pub loading: Option<String>,
    pub answering: Option<Answering>,
    pub activity: Activity,
    /// A question was sent before the model was there.
    pub waiting: bool,
    pub last_ticket: u64,
    /// Files that are being read for the next question, and whether it is to be sent when they are here.
    pub attaching: usize,
    pub send_when_attached: bool,
    /// The conversation that was on screen before: what could not be saved of it may still come back.
    pub left: Option<(u64, Session)>,
    /// The place to show once this conversation is open.
    pub wanted: Option<(i64, NodeId)>,
    /// Of the session; kept because it is shown all the time.
    pub title: String,
    pub vi: bool,
    /// The node whose text is in the composer to be sent again.
    pub editing: Option<NodeId>,
    pub pulse: Pulse,
    pub show_monitor: bool,
    pub settings: Vec<Setting>,
    pub theme: Theme,
    pub size: (u16, u16),
    pub notice: Option<Notice>,
    /// Ctrl-C was pressed on an empty line: another leaves.
    pub leaving: bool,
    /// The choices for the word before the cursor, and which one is chosen.
    pub completions: Option<Picker<String>>,
    pub now_ms: i64,
    /// Where the composer was drawn, for the mouse: column, row, columns, rows.
    pub composer_area: (u16, u16, u16, u16),
    /// The top row of the conversation's pane.
    pub pane_top: u16,
}

impl State {
    pub fn new(setup: Setup) -> State {
        let mut composer = Composer::new(setup.vi);
        for (name, text) in setup.attachments {
            composer.attach(&name, text);
        }
        let mut state = State {
            session_key: 1,
            transcript: Transcript::default(),
            composer,
            focus: Focus::Composer,
            overlay: None,
            search: None,
            model: None,
            loading: Some(setup.loading),
            answering: None,
            activity: Activity::Loading,
            waiting: false,
            attaching: 0,
            send_when_attached: false,
            left: None,
            wanted: None,
            title: String::new(),
            vi: setup.vi,
            last_ticket: 0,
            editing: None,
            pulse: Pulse::new(),
            show_monitor: setup.monitor,
            settings: setup.settings,
            theme: setup.theme,
            size: setup.size,
            notice: None,
            leaving: false,
            completions: None,
            now_ms: setup.now_ms,
            composer_area: (0, 0, 0, 0),
            pane_top: 0,
            session: setup.session,
        };
        state.transcript.replace(&state.session);
        state.title = state.session.title();
        state
    }

    /// Whether [`super::Event::Tick`] changes anything: a notice ends, or the time of a running answer is shown.
    pub fn wants_ticks(&self) -> bool {
        self.notice.is_some() || self.leaving || self.answering.is_some() || self.loading.is_some()
    }

    pub fn is_busy(&self) -> bool {
        self.answering.is_some()
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), is_error: false, until_ms: self.now_ms + NOTICE_MS });
    }

    pub fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), is_error: true, until_ms: self.now_ms + 2 * NOTICE_MS });
    }

    /// The conversation changed in other ways than by its last answer's growing.
    pub fn sync(&mut self) {
        self.transcript.sync(&self.session);
        self.title = self.session.title();
        if let Focus::Message(index) = self.focus {
            let turns = self.transcript.turns.len();
            self.focus = if turns == 0 { Focus::Composer } else { Focus::Message(index.min(turns - 1)) };
        }
        if let Some(search) = self.search.as_mut().filter(|search| !search.query.is_empty()) {
            search.run(&mut self.transcript, &self.theme);
        }
    }

    /// What `oai top` says of this chat.
    pub fn status(&self) -> Status {
        let state = match self.activity {
            Activity::Loading => "loading",
            Activity::NoModel => "no model",
            Activity::Ready => "ready",
            Activity::Reading { .. } => "reading",
            Activity::Thinking => "thinking",
            Activity::Writing => "writing",
        };
        let mut status = Status {
            command: "chat".to_owned(),
            model: self.model.as_ref().map(|model| model.name.clone()),
            session: Some(self.title.clone()).filter(|_| !self.session.is_empty()),
            ..Status::default()
        };
        self.pulse.describe(&mut status);
        state.clone_into(&mut status.state);
        status
    }

    /// The value of a setting, as it is shown.
    pub fn setting(&self, key: &str) -> &str {
        self.settings.iter().find(|setting| setting.key == key).map_or("", |setting| &setting.value)
    }
}
