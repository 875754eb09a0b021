//! What can be done, as one table: the palette, the help and the `/` commands are made of it.

/// Something that a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    Help,
    Palette,
    Model,
    System,
    Set,
    Theme,
    Sessions,
    New,
    Name,
    Tag,
    Find,
    Edit,
    Retry,
    Continue,
    Undo,
    Stop,
    PreviousBranch,
    NextBranch,
    Delete,
    Copy,
    CopyCode,
    SaveCode,
    Export,
    Attach,
    Fold,
    Monitor,
    Editor,
    Redraw,
    Suspend,
    Quit,
}

/// How a command is found and what it does.
pub struct Entry {
    pub command: Command,
    /// Without the `/`.
    pub name: &'static str,
    /// What may follow the name.
    pub argument: &'static str,
    /// The key while one writes, and the one on a chosen message.
    pub key: &'static str,
    pub message_key: &'static str,
    pub help: &'static str,
}

const fn entry(
    command: Command,
    name: &'static str,
    argument: &'static str,
    [key, message_key]: [&'static str; 2],
    help: &'static str,
) -> Entry {
    Entry { command, name, argument, key, message_key, help }
}

pub const TABLE: &[Entry] = &[
    entry(Command::Help, "help", "", ["F1", "?"], "every key and command"),
    entry(Command::Palette, "palette", "", ["Ctrl-O", ""], "find a command by a few letters"),
    entry(Command::Model, "model", "[NAME]", ["F2", ""], "choose another model; the conversation stays"),
    entry(Command::Sessions, "sessions", "[WORDS]", ["F3", ""], "past conversations, searched by what was said"),
    entry(Command::Theme, "theme", "[NAME]", ["F4", ""], "choose the colours, with a preview"),
    entry(Command::Set, "set", "[KEY VALUE]", ["F5", ""], "sampling and thinking, in place"),
    entry(Command::Monitor, "monitor", "", ["F6", ""], "show or hide the monitor"),
    entry(Command::System, "system", "[TEXT]", ["F7", ""], "the system message; /system - removes it"),
    entry(Command::Find, "find", "[TEXT]", ["Ctrl-F", "/"], "find in this conversation"),
    entry(Command::New, "new", "", ["", ""], "begin a new conversation"),
    entry(Command::Name, "name", "[TEXT]", ["", ""], "name this conversation"),
    entry(Command::Tag, "tag", "[TAGS]", ["", ""], "tag this conversation"),
    entry(Command::Edit, "edit", "", ["", "e"], "edit a question and send it again, as a branch"),
    entry(Command::Retry, "retry", "", ["", "r"], "answer again, as a branch"),
    entry(Command::Continue, "continue", "", ["", "c"], "go on with an answer that was cut"),
    entry(Command::Undo, "undo", "", ["", ""], "take back the last question and its answer"),
    entry(Command::Stop, "stop", "", ["Esc", ""], "stop the answer and keep what came of it"),
    entry(Command::PreviousBranch, "previous", "", ["", "Left"], "the branch before"),
    entry(Command::NextBranch, "next", "", ["", "Right"], "the branch after"),
    entry(Command::Delete, "delete", "", ["", "d"], "delete a message and what follows it"),
    entry(Command::Copy, "copy", "", ["", "y"], "copy a message to the clipboard"),
    entry(Command::CopyCode, "code", "[N]", ["", "1 to 9"], "copy the nth code block (the last without N)"),
    entry(Command::SaveCode, "save", "[N] FILE", ["", "s"], "save the nth code block to a file"),
    entry(Command::Export, "export", "[FILE]", ["", ""], "write the conversation as .md, .json or .html"),
    entry(Command::Attach, "attach", "[FILE]", ["@", ""], "send a file with the question"),
    entry(Command::Fold, "fold", "", ["", "Space"], "open or fold what a model thought"),
    entry(Command::Editor, "editor", "", ["Ctrl-X", ""], "write the question in $EDITOR"),
    entry(Command::Redraw, "redraw", "", ["Ctrl-L", ""], "draw the whole screen again"),
    entry(Command::Suspend, "suspend", "", ["Ctrl-Z", ""], "back to the shell; fg returns"),
    entry(Command::Quit, "quit", "", ["Ctrl-D", ""], "leave; the conversation is kept"),
];

/// Other names by which people know them.
const ALSO: &[(&str, Command)] = &[
    ("exit", Command::Quit),
    ("bye", Command::Quit),
    ("clear", Command::New),
    ("regenerate", Command::Retry),
    ("history", Command::Sessions),
    ("search", Command::Find),
];

/// Keys that need no command.
pub const MORE_KEYS: &[(&str, &str)] = &[
    ("Ctrl-C", "copy what is selected, else stop the answer, else clear the line, else leave when pressed twice"),
    ("PageUp PageDown", "scroll; Shift-Up, Shift-Down and the wheel by lines"),
    ("Ctrl-Home Ctrl-End", "the beginning, the end"),
    ("Ctrl-Up Ctrl-Down", "choose a message (so does Esc on an empty line); Esc goes back to writing"),
    ("Shift and the mouse", "select text, as the terminal does it"),
    ("Tab", "complete a /command or an @file"),
];

pub fn entry_of(command: Command) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.command == command)
}

/// A line that begins with `/`: the command and its argument, or the name that none has. `None` is text: a path, say.
pub fn parse(line: &str) -> Option<Result<(Command, &str), String>> {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let name = name.strip_prefix('/')?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let own = TABLE.iter().find(|entry| entry.name == name).map(|entry| entry.command);
    let command = own.or_else(|| ALSO.iter().find(|(known, _)| *known == name).map(|(_, command)| *command));
    Some(command.map(|command| (command, argument.trim())).ok_or_else(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_text() {
        assert_eq!(parse("/save 2 a b.rs"), Some(Ok((Command::SaveCode, "2 a b.rs"))));
        assert_eq!(parse("/bye"), Some(Ok((Command::Quit, ""))));
        assert_eq!(parse("/nonsense x"), Some(Err("nonsense".to_owned())));
        assert_eq!(parse("/etc/hosts is what"), None);
        assert_eq!(parse("what is /help"), None);
        assert_eq!(parse("/"), None);
    }

    #[test]
    fn every_command_is_listed_once() {
        let mut names: Vec<&str> = TABLE.iter().map(|e| e.name).chain(ALSO.iter().map(|(name, _)| *name)).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(TABLE.iter().all(|entry| entry_of(entry.command).is_some_and(|e| e.name == entry.name)));
    }
}
