//! Lines typed by a person, or piped in.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::cli::{exit, output};

const HISTORY_FILE: &str = "chat_history";
const QUOTES: &str = "\"\"\"";

/// What was typed.
pub enum Line {
    Text(String),
    End,
}

/// One line of a text.
enum Piece {
    Line(String),
    /// Ctrl-C at the prompt.
    Abandoned,
    End,
}

/// Where lines come from.
pub enum Input {
    Terminal { editor: Box<DefaultEditor>, history: PathBuf },
    Pipe,
}

impl Input {
    /// A line editor on a terminal; history lies in `data_dir`, and its loss is no error.
    pub fn new(data_dir: &Path) -> Result<Input> {
        if !output::stdin_is_terminal() {
            return Ok(Input::Pipe);
        }
        let config = rustyline::Config::builder().auto_add_history(false).max_history_size(10_000)?.build();
        let mut editor = Box::new(DefaultEditor::with_config(config)?);
        let history = data_dir.join(HISTORY_FILE);
        let _ = editor.load_history(&history);
        Ok(Input::Terminal { editor, history })
    }

    pub fn is_terminal(&self) -> bool {
        matches!(self, Input::Terminal { .. })
    }

    /// The next text: lines that end in a backslash go on, and `"""` holds several. Ctrl-C drops what
    /// was typed of it.
    pub fn read(&mut self) -> Result<Line> {
        'text: loop {
            let mut text = match self.line("> ")? {
                Piece::Line(line) => line,
                Piece::Abandoned => continue,
                Piece::End => return Ok(Line::End),
            };
            let opened = text.trim_start().strip_prefix(QUOTES).map(str::to_owned);
            if let Some(mut inside) = opened {
                while !inside.trim_end().ends_with(QUOTES) {
                    match self.line(". ")? {
                        Piece::Line(line) => inside = format!("{inside}\n{line}"),
                        Piece::Abandoned => continue 'text,
                        Piece::End => return Ok(Line::End),
                    }
                }
                let inside = inside.trim_end();
                text = inside[..inside.len() - QUOTES.len()].trim_matches('\n').to_owned();
            } else {
                while let Some(open) = text.strip_suffix('\\') {
                    match self.line(". ")? {
                        Piece::Line(line) => text = format!("{open}\n{line}"),
                        Piece::Abandoned => continue 'text,
                        Piece::End => return Ok(Line::End),
                    }
                }
            }
            self.remember(&text);
            return Ok(Line::Text(text));
        }
    }

    fn line(&mut self, prompt: &str) -> Result<Piece> {
        match self {
            Input::Terminal { editor, .. } => match editor.readline(prompt) {
                Ok(line) => Ok(Piece::Line(line)),
                Err(ReadlineError::Interrupted) => Ok(Piece::Abandoned),
                Err(ReadlineError::Eof) => Ok(Piece::End),
                Err(error) => Err(error.into()),
            },
            Input::Pipe => {
                let mut bytes = Vec::new();
                if std::io::stdin().lock().read_until(b'\n', &mut bytes)? == 0 {
                    return Ok(Piece::End);
                }
                let text = String::from_utf8(bytes)
                    .map_err(|_| exit::Input("standard input is not UTF-8 text; convert it first".to_owned()))?;
                Ok(Piece::Line(text.trim_end_matches(['\n', '\r']).to_owned()))
            }
        }
    }

    fn remember(&mut self, text: &str) {
        if let Input::Terminal { editor, history } = self
            && !text.trim().is_empty()
        {
            // A conversation goes on without its history.
            let _ = editor.add_history_entry(text);
            let _ = history.parent().map(std::fs::create_dir_all);
            let _ = editor.save_history(history);
        }
    }
}
