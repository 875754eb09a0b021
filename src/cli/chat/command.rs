//! The commands of a conversation.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// A line that begins with `/`.
#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    System(String),
    Model(String),
    Save(PathBuf),
    Load(PathBuf),
    Clear,
    Undo,
    Exit,
}

pub const HELP: &str = "\
/system [TEXT]  show or set the system message
/model [NAME]   show or switch the model; the conversation stays
/save FILE      write the conversation to a file
/load FILE      continue a saved conversation
/clear          forget the conversation
/undo           take back the last question and its answer
/exit           leave (also Ctrl-D)
/help           this list
A line that ends in \\ goes on; \"\"\" begins and ends a text of several lines.
Ctrl-C stops an answer and keeps what came of it.";

const NAMES: [&str; 8] = ["/help", "/system", "/model", "/save", "/load", "/clear", "/undo", "/exit"];

impl Command {
    /// `None` when the line is no command: a path like `/etc/hosts` is text.
    pub fn parse(line: &str) -> Option<Result<Command>> {
        let line = line.trim();
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let is_name = name.strip_prefix('/').is_some_and(|n| !n.is_empty() && n.chars().all(char::is_alphabetic));
        is_name.then(|| Command::named(name, rest.trim()))
    }

    fn named(name: &str, rest: &str) -> Result<Command> {
        let path = || match rest {
            "" => bail!("{name} needs a file: {name} talk.json"),
            file => Ok(PathBuf::from(file)),
        };
        Ok(match name {
            "/help" => Command::Help,
            "/system" => Command::System(rest.to_owned()),
            "/model" => Command::Model(rest.to_owned()),
            "/save" => Command::Save(path()?),
            "/load" => Command::Load(path()?),
            "/clear" => Command::Clear,
            "/undo" => Command::Undo,
            "/exit" | "/quit" | "/bye" => Command::Exit,
            other => bail!("{other} is not a command; there are {}", NAMES.join(" ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_text() {
        let parse = |line: &str| Command::parse(line).map(Result::unwrap);
        assert_eq!(parse("/undo"), Some(Command::Undo));
        assert_eq!(parse(" /system be brief "), Some(Command::System("be brief".to_owned())));
        assert_eq!(parse("/save a b.json"), Some(Command::Save("a b.json".into())));
        assert_eq!(parse("/etc/hosts is what"), None);
        assert_eq!(parse("what is /undo"), None);
        assert!(Command::parse("/save").unwrap().is_err());
        assert!(Command::parse("/nonsense").unwrap().unwrap_err().to_string().contains("/undo"));
    }
}
