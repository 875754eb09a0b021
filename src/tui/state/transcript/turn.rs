//! A message as parts, each with its rows: header, thoughts, attachments, the blocks of the text, footer.

use ratatui::style::Style;
use ratatui::text::Span;

use super::thoughts::{HEAD_ROWS, Thoughts};
use crate::engine::{Finish, Role as Who};
use crate::session::{Node, NodeId};
use crate::tui::markdown::{self, CodeBlock, Document, Row};
use crate::tui::state::shown_name;
use crate::tui::theme::{Role, Theme};
use crate::units;

/// The parts of a turn before its text.
const HEADER: usize = 0;
pub const REASONING: usize = 1;
const ATTACHMENTS: usize = 2;
const BODY: usize = 3;

enum Body {
    /// A person's text is shown as it was written.
    Plain(String),
    Markdown(Box<Document>),
}

/// A message, as far as it was laid out.
pub struct Turn {
    pub id: NodeId,
    pub who: Who,
    body: Body,
    thoughts: Thoughts,
    pub folded: bool,
    /// The reader folded or unfolded the thoughts: nobody else does any more.
    pub by_reader: bool,
    label: String,
    branch: (usize, usize),
    attachments: Vec<String>,
    footer: String,
    /// What was laid out of the parts other than Markdown, and for which width and theme.
    rows: Vec<Option<Vec<Row>>>,
    laid_out_for: (u16, u64),
    /// Whether anything may be laid out.
    pub laid_out: bool,
    /// What is searched, since the last search and as long as it is still so.
    searched: Option<Searched>,
}

/// What is searched of a turn: the thoughts that are shown, and the text.
#[derive(Default)]
pub struct Searched {
    /// Folded (see [`markdown::folded`]), each part a line.
    pub text: String,
    /// The parts, and the byte of `text` where each starts.
    pub parts: Vec<(usize, usize)>,
}

impl Searched {
    fn add(&mut self, part: usize, text: &str) {
        self.parts.push((part, self.text.len()));
        self.text.push_str(&markdown::folded(text));
        self.text.push('\n');
    }

    /// What `part` says; empty where it is not searched.
    pub fn part(&self, part: usize) -> &str {
        let Ok(at) = self.parts.binary_search_by_key(&part, |(part, _)| *part) else { return "" };
        let end = self.parts.get(at + 1).map_or(self.text.len(), |(_, start)| *start);
        self.text.get(self.parts[at].1..end).unwrap_or_default()
    }
}

impl Turn {
    /// With `grows`, more of an answer will come.
    pub fn new(node: &Node, grows: bool) -> Turn {
        let text = &node.message.content;
        let body = match node.message.role {
            Who::Assistant if grows => {
                let mut document = Document::new();
                document.push(text);
                Body::Markdown(Box::new(document))
            }
            Who::Assistant => Body::Markdown(Box::new(Document::of(text))),
            _ => Body::Plain(text.clone()),
        };
        Turn {
            id: node.id,
            who: node.message.role,
            body,
            thoughts: Thoughts::of(node.message.reasoning_content.as_deref().unwrap_or_default()),
            folded: !grows,
            by_reader: false,
            label: String::new(),
            branch: (0, 1),
            attachments: Vec::new(),
            footer: String::new(),
            rows: Vec::new(),
            laid_out_for: (0, 0),
            laid_out: false,
            searched: None,
        }
    }

    /// What is shown besides the text.
    pub fn describe(&mut self, node: &Node, branch: (usize, usize)) {
        let label = match node.message.role {
            Who::User => "you".to_owned(),
            Who::Assistant => node.model.as_deref().map_or_else(|| "assistant".to_owned(), shown_name),
            Who::System => "system".to_owned(),
            Who::Tool => node.message.name.clone().unwrap_or_else(|| "tool".to_owned()),
        };
        let size = |text: &str| units::bytes(text.len() as u64);
        let attachments = node.attachments.iter().map(|a| format!("{}  {}", a.name, size(&a.text))).collect();
        let footer = footer(node);
        if (&self.label, self.branch, &self.attachments, &self.footer) != (&label, branch, &attachments, &footer) {
            (self.label, self.branch, self.attachments, self.footer) = (label, branch, attachments, footer);
            self.rows.clear();
        }
    }

    pub fn text(&self) -> &str {
        match &self.body {
            Body::Plain(text) => text,
            Body::Markdown(document) => document.text(),
        }
    }

    pub fn reasoning(&self) -> &str {
        self.thoughts.text()
    }

    pub fn code_blocks(&mut self) -> Vec<CodeBlock> {
        match &mut self.body {
            Body::Plain(_) => Vec::new(),
            Body::Markdown(document) => document.code_blocks(),
        }
    }

    fn body_parts(&mut self) -> usize {
        match &mut self.body {
            Body::Plain(text) => usize::from(!text.is_empty()),
            Body::Markdown(document) => document.block_count(),
        }
    }

    /// Header, thoughts, attachments, the blocks of the text, footer.
    pub fn parts(&mut self) -> usize {
        BODY + self.body_parts() + 1
    }

    fn fresh(&mut self, width: u16, theme: &Theme) {
        let wanted = (width, theme.generation());
        if self.laid_out_for != wanted {
            self.laid_out_for = wanted;
            self.rows.clear();
            self.thoughts.forget_layout();
        }
    }

    pub fn push(&mut self, text: &str) {
        self.searched = None;
        match &mut self.body {
            Body::Plain(all) => all.push_str(text),
            Body::Markdown(document) => document.push(text),
        }
    }

    pub fn push_thoughts(&mut self, text: &str) {
        self.searched = None;
        self.thoughts.push(text);
    }

    /// No more text comes.
    pub fn finish(&mut self) {
        self.searched = None;
        self.rows.clear();
        if let Body::Markdown(document) = &mut self.body {
            document.finish();
        }
    }

    pub fn fold(&mut self, folded: bool) {
        if self.folded != folded {
            self.folded = folded;
            self.searched = None;
            self.thoughts.forget_layout();
        }
    }

    /// Rows are made again when they are needed.
    pub fn forget_layout(&mut self) {
        self.laid_out = false;
        self.rows.clear();
        self.thoughts.forget_layout();
        if let Body::Markdown(document) = &mut self.body {
            document.forget_layout();
        }
    }

    /// What a search looks at, made where it is not there.
    pub fn search(&mut self) -> &Searched {
        if self.searched.is_none() {
            let mut searched = Searched::default();
            let thoughts = self.thoughts.text().trim();
            if !self.folded && !thoughts.is_empty() {
                searched.add(REASONING, &markdown::showable(thoughts));
            }
            match &self.body {
                Body::Plain(text) if text.is_empty() => {}
                Body::Plain(text) => searched.add(BODY, &markdown::showable(text)),
                Body::Markdown(document) => {
                    let texts = markdown::block_texts(document.text());
                    texts.iter().enumerate().for_each(|(block, text)| searched.add(BODY + block, text));
                }
            }
            self.searched = Some(searched);
        }
        self.searched.get_or_insert_default()
    }

    /// What the last search looked at; none where it is not what is shown any more.
    pub fn searched(&self) -> Option<&Searched> {
        self.searched.as_ref()
    }

    /// The rows at the start of a part that are not of its text.
    pub fn head_rows(part: usize) -> usize {
        if part == REASONING { HEAD_ROWS } else { 0 }
    }

    pub fn is_searchable(&mut self, part: usize) -> bool {
        part == REASONING || (BODY..BODY + self.body_parts()).contains(&part)
    }

    /// The rows of a part, within `width` columns; none of a part that there is not.
    pub fn rows(&mut self, part: usize, first: bool, width: u16, theme: &Theme) -> &[Row] {
        self.fresh(width, theme);
        let body_parts = self.body_parts();
        if matches!(self.body, Body::Markdown(_)) && (BODY..BODY + body_parts).contains(&part) {
            return match &mut self.body {
                Body::Markdown(document) => document.block_rows(part - BODY, width, theme),
                Body::Plain(_) => &[],
            };
        }
        if part == REASONING {
            return self.thoughts.rows(self.folded, width, theme);
        }
        // Those of the document are its own.
        let slot = if part < BODY { part } else { BODY + usize::from(part > BODY || body_parts == 0) };
        if part > BODY + body_parts {
            return &[];
        }
        if self.rows.len() <= slot {
            self.rows.resize_with(slot + 1, || None);
        }
        if self.rows[slot].is_none() {
            let rows = match part {
                HEADER => self.header(first, width, theme),
                ATTACHMENTS => self.attachment_rows(width, theme),
                part if part == BODY + body_parts => self.footer_rows(width, theme),
                _ => markdown::plain_rows(self.text(), width, theme.style(Role::Text)),
            };
            self.rows[slot] = Some(rows);
        }
        self.rows[slot].as_deref().unwrap_or_default()
    }

    fn header(&self, first: bool, width: u16, theme: &Theme) -> Vec<Row> {
        let role = match self.who {
            Who::User => Role::User,
            Who::Assistant => Role::Assistant,
            _ => Role::System,
        };
        let mut row = one_row(&self.label, width, theme.style(role));
        if self.branch.1 > 1 {
            let words = format!("  ‹{}/{}›", self.branch.0 + 1, self.branch.1);
            if row.line.width() + words.chars().count() <= usize::from(width) {
                row.text.push_str(&words);
                row.line.push_span(Span::styled(words, theme.style(Role::Accent)));
            }
        }
        if first { vec![row] } else { vec![Row::default(), row] }
    }

    fn attachment_rows(&self, width: u16, theme: &Theme) -> Vec<Row> {
        self.attachments.iter().map(|name| one_row(&format!("+ {name}"), width, theme.style(Role::Muted))).collect()
    }

    fn footer_rows(&self, width: u16, theme: &Theme) -> Vec<Row> {
        if self.footer.is_empty() {
            return Vec::new();
        }
        vec![one_row(&self.footer, width, theme.style(Role::Muted))]
    }
}

/// How an answer ended, where that is worth a word, and what it took.
fn footer(node: &Node) -> String {
    let mut words = match node.finish {
        Some(Finish::Cancelled) => vec!["stopped".to_owned()],
        Some(Finish::Length) => vec!["cut at the limit: /continue goes on".to_owned()],
        Some(Finish::ToolCalls) => vec![format!("{} calls", node.message.tool_calls.len())],
        Some(Finish::Stop) | None => Vec::new(),
    };
    if let (Some(usage), Some(timings)) = (node.usage, node.timings) {
        words.push(format!("{} tokens", units::count(usage.completion_tokens as u64)));
        if timings.decode_tokens_per_s > 0.0 {
            words.push(format!("{:.1} tokens/s", timings.decode_tokens_per_s));
        }
    }
    words.join(" · ")
}

pub fn one_row(text: &str, width: u16, style: Style) -> Row {
    let mut rows = markdown::plain_rows(&text.replace('\n', " "), width.max(1), style);
    if rows.is_empty() { Row::default() } else { rows.swap_remove(0) }
}
