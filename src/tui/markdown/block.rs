//! What a message consists of, before anything is known of widths and colours.

use std::ops::Range;

/// A block. Block quotes, lists and footnotes hold further ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// `level` is 1 to 6.
    Heading {
        level: u8,
        text: Inlines,
    },
    Paragraph(Inlines),
    Code(Code),
    /// `kind` is what GitHub's alerts name in their first line: "Note", "Warning", ...
    Quote {
        kind: Option<&'static str>,
        blocks: Vec<Block>,
    },
    List(List),
    Rule,
    Table(Table),
    /// Raw HTML, shown as it is.
    Html(String),
    Footnote {
        label: String,
        blocks: Vec<Block>,
    },
}

/// A code block, fenced or indented.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Code {
    /// The first word after the fence; empty where there is none.
    pub language: String,
    pub text: String,
    pub fenced: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct List {
    /// The first number of an ordered list.
    pub start: Option<u64>,
    /// Whether a blank row stands between the items.
    pub loose: bool,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item {
    /// Whether a task is done, where the item is one.
    pub task: Option<bool>,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub alignments: Vec<Align>,
    pub head: Vec<Inlines>,
    pub rows: Vec<Vec<Inlines>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    #[default]
    Left,
    Center,
    Right,
}

/// How a stretch of text differs from the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    pub strong: bool,
    pub emphasis: bool,
    pub strike: bool,
    pub code: bool,
    /// Raw HTML and marks of footnotes.
    pub muted: bool,
    /// Index into [`Inlines::links`].
    pub link: Option<usize>,
}

/// A stretch of text that looks alike, from the end of the one before to `end` (a byte).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    pub end: usize,
    pub look: Look,
}

/// Text with its looks. A newline in `text` is a hard break.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inlines {
    pub text: String,
    /// In order; the last one's `end` is `text.len()`.
    pub runs: Vec<Run>,
    /// The addresses that [`Look::link`] speaks of.
    pub links: Vec<String>,
}

impl Inlines {
    pub fn push(&mut self, text: &str, look: Look) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        self.end_run(self.text.len(), look);
    }

    /// Ends a run at byte `end`, or lengthens the last one when it looks the same.
    pub fn end_run(&mut self, end: usize, look: Look) {
        match self.runs.last_mut() {
            Some(run) if run.look == look => run.end = end,
            _ => self.runs.push(Run { end, look }),
        }
    }

    /// The runs with the bytes that they span.
    pub fn spans(&self) -> impl Iterator<Item = (Range<usize>, Look)> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let span = start..run.end;
            start = run.end;
            (span, run.look)
        })
    }
}

impl Block {
    /// Calls `visit` with every code block in here, in order.
    pub fn each_code<'a>(&'a self, visit: &mut impl FnMut(&'a Code)) {
        match self {
            Block::Code(code) => visit(code),
            Block::Quote { blocks, .. } | Block::Footnote { blocks, .. } => {
                blocks.iter().for_each(|block| block.each_code(visit));
            }
            Block::List(list) => list.items.iter().for_each(|item| item.each_code(visit)),
            Block::Heading { .. } | Block::Paragraph(_) | Block::Rule | Block::Table(_) | Block::Html(_) => {}
        }
    }
}

impl Item {
    pub fn each_code<'a>(&'a self, visit: &mut impl FnMut(&'a Code)) {
        self.blocks.iter().for_each(|block| block.each_code(visit));
    }
}
