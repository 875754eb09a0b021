//! Code blocks: their colours, found line by line as the text comes, and their rows.

use std::sync::OnceLock;

use ratatui::style::Style;
use syntect::highlighting::{HighlightIterator, HighlightState, Highlighter};
use syntect::parsing::{ParseState, ScopeStack, SyntaxReference, SyntaxSet};

use super::block::Code;
use super::wrap::{Break, Piece, Row, Styled, TAB, wrap};
use crate::tui::theme::{Role, Theme};

/// A longer line (bytes) has one colour: patterns take too long on it.
const MAX_COLOURED_LINE_BYTES: usize = 2000;
/// After so much of a block (bytes) the rest has one colour: all of a block is coloured at once when an old conversation
/// is opened, at some 150 kB a second.
const MAX_COLOURED_BLOCK_BYTES: usize = 32 << 10;
/// From this width on, code is set in by [`INDENT`].
const INDENTED_FROM_WIDTH: u16 = 12;
const INDENT: &str = "  ";
/// Stands in the indent of a row that continues a line.
const CONTINUES: &str = "↳ ";

/// The stretches of one line: bytes and style.
type Stretches = Vec<(usize, Style)>;

/// The colours of a code block's finished lines, and where the highlighter stands after them.
#[derive(Debug, Default)]
pub struct Highlighted {
    language: String,
    generation: u64,
    /// The finished lines.
    text: String,
    lines: Vec<Stretches>,
    /// None: plain text.
    state: Option<(ParseState, HighlightState)>,
}

impl Highlighted {
    /// Takes in the finished lines of `code`. Says how many of them it had coloured before.
    pub fn follow(&mut self, code: &Code, theme: &Theme) -> usize {
        let fits = self.language == code.language
            && self.generation == theme.generation()
            && code.text.starts_with(self.text.as_str());
        if !fits {
            *self = Highlighted::default();
        }
        let before = self.lines.len();
        if before == 0 {
            self.language = code.language.clone();
            self.generation = theme.generation();
            self.state = syntax(&code.language).map(|syntax| {
                let start = HighlightState::new(&Highlighter::new(theme.syntax()), ScopeStack::new());
                (ParseState::new(syntax), start)
            });
        }
        let finished = code.text.rfind('\n').map_or(0, |newline| newline + 1);
        let new = code.text.get(self.text.len()..finished).unwrap_or_default();
        if !new.is_empty() {
            let highlighter = Highlighter::new(theme.syntax());
            let mut bytes = self.text.len();
            for line in new.split_inclusive('\n') {
                bytes += line.len();
                if bytes > MAX_COLOURED_BLOCK_BYTES {
                    self.state = None;
                }
                self.lines.push(colour(line, &mut self.state, &highlighter, theme));
            }
            self.text.push_str(new);
        }
        before
    }

    /// The colours of the line that is still coming. Nothing is remembered of it.
    fn unfinished(&self, line: &str, theme: &Theme) -> Stretches {
        colour(line, &mut self.state.clone(), &Highlighter::new(theme.syntax()), theme)
    }
}

fn colour(
    line: &str,
    state: &mut Option<(ParseState, HighlightState)>,
    highlighter: &Highlighter,
    theme: &Theme,
) -> Stretches {
    let ground = theme.style(Role::CodeBlock);
    let plain = vec![(line.len(), ground)];
    let Some((parse, highlight)) = state else { return plain };
    if line.len() > MAX_COLOURED_LINE_BYTES {
        return plain;
    }
    let Ok(changes) = parse.parse_line(line, syntaxes()) else { return plain };
    let mut stretches = Stretches::new();
    for (style, text) in HighlightIterator::new(highlight, &changes, line, highlighter) {
        let style = ground.patch(theme.code_style(style));
        match stretches.last_mut() {
            Some((bytes, last)) if *last == style => *bytes += text.len(),
            _ => stretches.push((text.len(), style)),
        }
    }
    stretches
}

/// All of bat's syntaxes; loading them takes some ten milliseconds, once.
fn syntaxes() -> &'static SyntaxSet {
    static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();
    SYNTAXES.get_or_init(two_face::syntax::extra_newlines)
}

/// The syntax that a fence names, by name or by extension.
fn syntax(language: &str) -> Option<&'static SyntaxReference> {
    let language = language.to_ascii_lowercase();
    let token = match language.as_str() {
        "" | "text" | "txt" | "plain" | "plaintext" | "output" => return None,
        "shell" | "console" | "shell-session" | "zsh" => "bash",
        "golang" => "go",
        "jsonc" | "json5" | "jsonl" => "json",
        "python3" | "py3" | "pycon" => "python",
        "node" | "mjs" | "cjs" => "javascript",
        "viml" => "vim",
        "c#" | "csharp" => "cs",
        "f#" | "fsharp" => "fs",
        "jsx" => "tsx",
        "objc" => "objective-c",
        "docker" => "dockerfile",
        "make" => "makefile",
        token => token,
    };
    let found = syntaxes().find_syntax_by_token(token)?;
    (found.name != "Plain Text").then_some(found)
}

/// The row above a code block that names its language. Indented code has none.
pub fn label_row(code: &Code, width: u16, theme: &Theme) -> Option<Row> {
    if !code.fenced {
        return None;
    }
    let language = if code.language.is_empty() { "code" } else { code.language.as_str() };
    let style = theme.style(Role::CodeLabel);
    let label = Styled {
        text: language.to_owned(),
        pieces: vec![Piece { end: language.len(), style, link: None }],
        links: &[],
    };
    wrap(&label, width, Break::Anywhere).into_iter().next()
}

/// Appends the rows of the lines of `code` from the one of index `first` on, and tells `line_done` after each finished
/// line how many rows there are. `highlighted` follows `code`.
pub fn push_rows(
    rows: &mut Vec<Row>,
    code: &Code,
    highlighted: &Highlighted,
    first: usize,
    width: u16,
    theme: &Theme,
    mut line_done: impl FnMut(usize),
) {
    let finished = highlighted.lines.iter().skip(first);
    let skipped: usize = highlighted.lines.iter().take(first).flatten().map(|(bytes, _)| bytes).sum();
    let new = highlighted.text.get(skipped..).unwrap_or_default();
    for (line, stretches) in new.split_inclusive('\n').zip(finished) {
        line_rows(rows, line.trim_end_matches('\n'), stretches, width, theme);
        line_done(rows.len());
    }
    let rest = code.text.get(highlighted.text.len()..).unwrap_or_default();
    if !rest.is_empty() {
        line_rows(rows, rest, &highlighted.unfinished(rest, theme), width, theme);
    }
}

fn line_rows(rows: &mut Vec<Row>, line: &str, stretches: &Stretches, width: u16, theme: &Theme) {
    let indented = width >= INDENTED_FROM_WIDTH;
    let indent_columns = u16::try_from(INDENT.len()).unwrap_or(0);
    let room = if indented { width - indent_columns } else { width };
    let mut text = String::with_capacity(line.len());
    let mut pieces = Vec::with_capacity(stretches.len());
    let mut at = 0;
    for (bytes, style) in stretches {
        let end = (at + bytes).min(line.len());
        for part in line.get(at..end).unwrap_or_default().split_inclusive('\t') {
            match part.strip_suffix('\t') {
                Some(part) => text.extend([part, TAB]),
                None => text.push_str(part),
            }
        }
        pieces.push(Piece { end: text.len(), style: *style, link: None });
        at = end;
    }
    let ground = theme.style(Role::CodeBlock);
    let continues = ground.patch(theme.style(Role::Muted));
    for (i, mut row) in wrap(&Styled { text, pieces, links: &[] }, room, Break::Anywhere).into_iter().enumerate() {
        if ground.bg.is_some() {
            let free = usize::from(room).saturating_sub(row.columns());
            row.push(&" ".repeat(free), ground);
        }
        if indented {
            let prefix = if i == 0 { (INDENT, ground) } else { (CONTINUES, continues) };
            row.indent(&[(prefix.0.to_owned(), prefix.1)]);
        }
        rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(language: &str, text: &str) -> Code {
        Code { language: language.into(), text: text.into(), fenced: true }
    }

    fn texts(code: &Code, width: u16) -> Vec<String> {
        let mut highlighted = Highlighted::default();
        highlighted.follow(code, &Theme::plain());
        let mut rows = Vec::new();
        push_rows(&mut rows, code, &highlighted, 0, width, &Theme::plain(), |_| {});
        rows.into_iter().map(|row| row.text).collect()
    }

    #[test]
    fn languages_go_by_name_extension_and_nickname() {
        let tokens = "rust rs Python py c++ cpp ts tsx js sh console json yaml toml sql html css go golang java \
            kotlin c# f# swift dockerfile diff make lua haskell jsx csharp typescript javascript vue \
            hcl protobuf graphql perl scala elixir cmake objc latex nix zig viml r ruby php xml ini";
        for token in tokens.split(' ') {
            assert!(syntax(token).is_some(), "{token}");
        }
        assert!(syntax("no such language").is_none() && syntax("").is_none() && syntax("txt").is_none());
    }

    #[test]
    fn only_new_lines_are_coloured() {
        let mut highlighted = Highlighted::default();
        let theme = Theme::plain();
        assert_eq!(highlighted.follow(&code("rust", "let a;\nlet"), &theme), 0);
        assert_eq!(highlighted.follow(&code("rust", "let a;\nlet b;\nx"), &theme), 1);
        assert_eq!(highlighted.follow(&code("c", "let a;\nlet b;\nx"), &theme), 0);
        assert_eq!(highlighted.lines.len(), 2);
    }

    #[test]
    fn tabs_are_four_blanks_and_long_lines_go_on_below() {
        assert_eq!(texts(&code("", "\ta\n\n0123456789abc"), 12), ["      a", "", "  0123456789", "↳ abc"]);
        assert_eq!(texts(&code("rs", "fn x() {}"), 4), ["fn x", "() {", "}"]);
    }
}
