//! What lies over the conversation: lists, questions, the help.

use super::{LineEdit, Picker};
use crate::session::NodeId;
use crate::tui::command::Command;
use crate::tui::composer::Composer;
use crate::tui::event::{ModelRow, Setting};
use crate::tui::theme::{Theme, ThemeName};

/// A row of the list of conversations: one of them, and the place in it that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    pub id: i64,
    pub node: Option<NodeId>,
}

/// A line that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    Name,
    Tags,
    Export,
    Attach,
    /// The file for this code block.
    SaveCode(String),
    /// The value of this setting.
    Set(&'static str),
    /// Deleting is confirmed with `yes`.
    DeleteSession(i64),
    Delete(NodeId),
}

pub enum Overlay {
    Help {
        /// The first line shown.
        top: usize,
    },
    Palette(Picker<Command>),
    Models(Picker<ModelRow>),
    Sessions(Picker<SessionRow>),
    /// With the theme that was there before the previews.
    Themes(Picker<ThemeName>, Box<Theme>),
    Settings(Picker<Setting>),
    Ask(Prompt, LineEdit),
    /// The system message.
    System(Box<Composer>),
}

impl Overlay {
    /// Whether what was asked for is still on its way.
    pub fn is_pending(&self) -> bool {
        match self {
            Overlay::Models(picker) => picker.pending,
            Overlay::Sessions(picker) => picker.pending,
            _ => false,
        }
    }

    pub fn title(&self) -> &'static str {
        match self {
            Overlay::Help { .. } => "Help",
            Overlay::Palette(_) => "Commands",
            Overlay::Models(_) => "Models",
            Overlay::Sessions(_) => "Conversations",
            Overlay::Themes(..) => "Themes",
            Overlay::Settings(_) => "Settings",
            Overlay::System(_) => "System message",
            Overlay::Ask(prompt, _) => match prompt {
                Prompt::Name => "Name of this conversation",
                Prompt::Tags => "Tags, separated by blanks",
                Prompt::Export => "Write to (.md, .json or .html)",
                Prompt::Attach => "File to attach",
                Prompt::SaveCode(_) => "Save the code block as",
                Prompt::Set(key) => key,
                Prompt::DeleteSession(_) => "Delete this conversation? y or n",
                Prompt::Delete(_) => "Delete this message and all after it? y or n",
            },
        }
    }

    /// What the keys do, for its foot.
    pub fn hint(&self) -> &'static str {
        match self {
            Overlay::Help { .. } => "Up Down scroll · Esc closes",
            Overlay::Palette(_) => "Enter runs · Esc closes",
            Overlay::Models(_) => "Enter loads · Esc closes",
            Overlay::Sessions(_) => "Enter opens · Delete deletes · Esc closes",
            Overlay::Themes(..) => "Enter keeps · Esc goes back",
            Overlay::Settings(_) => "Enter changes · Esc closes",
            Overlay::System(_) => "Enter sets · Alt-Enter new line · Esc closes",
            Overlay::Ask(Prompt::Delete(_) | Prompt::DeleteSession(_), _) => "y deletes · n keeps",
            Overlay::Ask(..) => "Enter · Esc closes",
        }
    }
}
