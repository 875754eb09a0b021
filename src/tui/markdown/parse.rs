//! Markdown text into blocks, by pulldown-cmark (CommonMark with GitHub's extensions).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{
    Alignment, BlockQuoteKind, BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd,
};

use super::block::{Align, Block, Code, Inlines, Item, List, Look, Table};
use super::cluster::showable;
use super::link::{link_bare_addresses, may_open};
use super::math::{formulas, masked};

/// Blocks nested deeper than this are shown as if they were not: the depth is the model's to choose, the stack is ours.
const MAX_DEPTH: usize = 24;

/// Addresses of `[label]: address` lines, by [`label_key`].
pub type Definitions = HashMap<String, String>;

/// What a text says.
pub struct Parsed {
    /// The blocks at the top, with the bytes that each spans.
    pub blocks: Vec<(Block, Range<usize>)>,
    /// Links defined in the text: key of the label, address, the byte where the definition ends.
    pub definitions: Vec<(String, String, usize)>,
}

/// Parses `source`. Labels that it does not define itself are looked up in `definitions`.
pub fn parse(source: &str, definitions: &Definitions) -> Parsed {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let formulas = formulas(source);
    let text = if formulas.is_empty() { Cow::Borrowed(source) } else { Cow::Owned(masked(source, &formulas)) };
    let defined_before = |link: BrokenLink| {
        let address = definitions.get(&label_key(&link.reference))?;
        Some((CowStr::from(address.clone()), CowStr::from("")))
    };
    let parser = Parser::new_with_broken_link_callback(&text, options, Some(defined_before));
    let defined = parser.reference_definitions().iter();
    let definitions = defined.map(|(label, link)| (label_key(label), link.dest.to_string(), link.span.end)).collect();
    let mut builder = Builder { source, formulas, ..Builder::default() };
    for (event, span) in parser.into_offset_iter() {
        builder.event(event, span);
    }
    Parsed { blocks: builder.top, definitions }
}

/// Labels match without regard to case and to how much white space is between words.
pub fn label_key(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A block that holds others, still open.
enum Container {
    Quote(Option<&'static str>),
    List(List),
    Item(Option<bool>),
    Footnote(String),
}

#[derive(Default)]
struct Builder<'a> {
    source: &'a str,
    formulas: Vec<Range<usize>>,
    top: Vec<(Block, Range<usize>)>,
    /// The open containers, outermost first, with what they hold so far.
    open: Vec<(Container, Vec<Block>)>,
    /// Open containers beyond [`MAX_DEPTH`].
    too_deep: usize,
    /// The text that is being read, where one is.
    text: Option<Inlines>,
    look: Look,
    strong: usize,
    emphasis: usize,
    strike: usize,
    /// Open links and images, outermost first.
    destinations: Vec<Destination>,
    code: Option<Code>,
    html: Option<String>,
    table: Option<Table>,
}

/// An open link or image.
struct Destination {
    url: String,
    /// The byte of the text where it starts.
    start: usize,
    /// The link around it.
    outer: Option<usize>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event, span: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag, span),
            Event::Text(text) => {
                let text = showable(&self.original(&text, &span));
                match (&mut self.code, &mut self.html) {
                    (Some(code), _) => code.text.push_str(&text),
                    (None, Some(html)) => html.push_str(&text),
                    (None, None) => self.say(&text, self.look),
                }
            }
            Event::Code(text) => {
                let code = self.original(&text, &span);
                // Where a formula was hidden from the parser, the original comes with its backticks.
                let code = if code == *text { code } else { Cow::Borrowed(code.trim_matches('`')) };
                let code = showable(&code);
                self.say(&code, Look { code: true, ..self.look });
            }
            Event::InlineMath(text) => self.say(&format!("${}$", showable(&text)).replace('\n', " "), self.look),
            Event::DisplayMath(text) => self.say(&format!("$${}$$", showable(&text)), self.look),
            Event::Html(text) => {
                let text = showable(&self.original(&text, &span));
                match &mut self.html {
                    Some(html) => html.push_str(&text),
                    None => self.say(&text, Look { muted: true, ..self.look }),
                }
            }
            Event::InlineHtml(text) if self.table.is_some() && is_line_break(&text) => self.say("\n", self.look),
            Event::InlineHtml(text) => {
                let text = showable(&self.original(&text, &span));
                self.say(&text.replace('\n', " "), Look { muted: true, ..self.look });
            }
            Event::FootnoteReference(label) => {
                self.say(&format!("[^{}]", showable(&label)), Look { muted: true, ..self.look });
            }
            Event::SoftBreak if self.in_formula(&span) => self.say("\n", self.look),
            Event::SoftBreak => self.say(" ", self.look),
            Event::HardBreak => self.say("\n", self.look),
            Event::Rule => {
                self.end_text();
                self.add(Block::Rule, span);
            }
            Event::TaskListMarker(done) => {
                if self.too_deep == 0
                    && let Some((Container::Item(task), _)) = self.open.last_mut()
                {
                    *task = Some(done);
                }
            }
        }
    }

    fn start(&mut self, tag: Tag, _span: Range<usize>) {
        match tag {
            Tag::Paragraph => {
                self.end_text();
                if self.too_deep == 0
                    && let [.., (Container::List(list), _), (Container::Item(_), _)] = self.open.as_mut_slice()
                {
                    list.loose = true;
                }
                self.text = Some(Inlines::default());
            }
            Tag::Heading { .. } | Tag::TableCell => {
                self.end_text();
                self.text = Some(Inlines::default());
            }
            Tag::BlockQuote(kind) => self.open(Container::Quote(kind.map(alert))),
            Tag::CodeBlock(kind) => {
                self.end_text();
                let (language, fenced) = match &kind {
                    CodeBlockKind::Fenced(info) => (showable(language(info)), true),
                    CodeBlockKind::Indented => (String::new(), false),
                };
                self.code = Some(Code { language, text: String::new(), fenced });
            }
            Tag::HtmlBlock => {
                self.end_text();
                self.html = Some(String::new());
            }
            Tag::List(start) => self.open(Container::List(List { start, ..List::default() })),
            Tag::Item => self.open(Container::Item(None)),
            Tag::FootnoteDefinition(label) => self.open(Container::Footnote(showable(&label))),
            Tag::Table(alignments) => {
                self.end_text();
                let alignments = alignments.into_iter().map(align).collect();
                self.table = Some(Table { alignments, ..Table::default() });
            }
            Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::Emphasis => {
                self.emphasis += 1;
                self.look.emphasis = true;
            }
            Tag::Strong => {
                self.strong += 1;
                self.look.strong = true;
            }
            Tag::Strikethrough => {
                self.strike += 1;
                self.look.strike = true;
            }
            Tag::Link { link_type, dest_url, .. } => {
                let mail = if link_type == LinkType::Email { "mailto:" } else { "" };
                self.enter(format!("{mail}{}", showable(&dest_url)), "");
            }
            Tag::Image { dest_url, .. } => self.enter(showable(&dest_url), "[image: "),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, span: Range<usize>) {
        match tag {
            TagEnd::Heading(level) => {
                if let Some(text) = self.take_text() {
                    self.add(Block::Heading { level: level as u8, text }, span);
                }
            }
            TagEnd::Paragraph => {
                if let Some(text) = self.take_text() {
                    self.add(Block::Paragraph(text), span);
                }
            }
            TagEnd::CodeBlock => {
                if let Some(mut code) = self.code.take() {
                    // Blanks may be all that has come of the closing fence's line.
                    let said = code.text.trim_end_matches([' ', '\t']);
                    if said.is_empty() || said.ends_with('\n') {
                        code.text.truncate(said.len());
                    }
                    self.add(Block::Code(code), span);
                }
            }
            TagEnd::HtmlBlock => {
                if let Some(html) = self.html.take() {
                    self.add(Block::Html(html), span);
                }
            }
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item | TagEnd::FootnoteDefinition => self.close(span),
            TagEnd::TableCell => {
                let cell = self.take_text().unwrap_or_default();
                if let Some(table) = &mut self.table {
                    table.rows.last_mut().unwrap_or(&mut table.head).push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.add(Block::Table(table), span);
                }
            }
            TagEnd::Emphasis => {
                self.emphasis = self.emphasis.saturating_sub(1);
                self.look.emphasis = self.emphasis > 0;
            }
            TagEnd::Strong => {
                self.strong = self.strong.saturating_sub(1);
                self.look.strong = self.strong > 0;
            }
            TagEnd::Strikethrough => {
                self.strike = self.strike.saturating_sub(1);
                self.look.strike = self.strike > 0;
            }
            TagEnd::Link => self.leave_link(),
            TagEnd::Image => self.leave_image(),
            _ => {}
        }
    }

    /// An event's text, or what the source has in its place where a formula was hidden from the parser.
    fn original<'t>(&self, text: &'t str, span: &Range<usize>) -> Cow<'t, str> {
        match self.source.get(span.clone()) {
            Some(original) if self.in_formula(span) => Cow::Owned(original.to_owned()),
            _ => Cow::Borrowed(text),
        }
    }

    fn in_formula(&self, span: &Range<usize>) -> bool {
        let next = self.formulas.partition_point(|formula| formula.end <= span.start);
        self.formulas.get(next).is_some_and(|formula| formula.start < span.end)
    }

    /// Adds to the text. Without an open paragraph it is an item's of a tight list.
    fn say(&mut self, text: &str, look: Look) {
        self.text.get_or_insert_default().push(&text.replace('\t', " "), look);
    }

    fn enter(&mut self, url: String, label: &str) {
        let outer = self.look.link;
        let text = self.text.get_or_insert_default();
        if may_open(&url) && outer.is_none() {
            text.links.push(url.clone());
            self.look.link = Some(text.links.len() - 1);
        }
        self.say(label, self.look);
        let start = self.text.as_ref().map_or(0, |text| text.text.len());
        self.destinations.push(Destination { url, start, outer });
    }

    fn leave_link(&mut self) {
        let Some(Destination { url, start, outer }) = self.destinations.pop() else { return };
        let said = self.text.as_ref().and_then(|text| text.text.get(start..)).unwrap_or_default();
        let rest = if said.is_empty() { url.clone() } else { format!(" ({url})") };
        let untold = said.is_empty() || !may_open(&url) && said != url && !url.is_empty();
        if untold {
            self.say(&rest, self.look);
        }
        self.look.link = outer;
    }

    fn leave_image(&mut self) {
        let Some(Destination { url, start, outer }) = self.destinations.pop() else { return };
        if self.text.as_ref().is_some_and(|text| text.text.len() == start) {
            self.say(&url, self.look);
        }
        self.say("]", self.look);
        self.look.link = outer;
    }

    fn take_text(&mut self) -> Option<Inlines> {
        let mut text = self.text.take()?;
        link_bare_addresses(&mut text);
        Some(text)
    }

    /// Ends the text of an item of a tight list, where one is open.
    fn end_text(&mut self) {
        if let Some(text) = self.take_text().filter(|text| !text.text.is_empty()) {
            self.add(Block::Paragraph(text), 0..0);
        }
    }

    fn add(&mut self, block: Block, span: Range<usize>) {
        match self.open.last_mut() {
            Some((_, blocks)) => blocks.push(block),
            None => self.top.push((block, span)),
        }
    }

    fn open(&mut self, container: Container) {
        self.end_text();
        if self.too_deep > 0 || self.open.len() >= MAX_DEPTH {
            self.too_deep += 1;
        } else {
            self.open.push((container, Vec::new()));
        }
    }

    fn close(&mut self, span: Range<usize>) {
        self.end_text();
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        match self.open.pop() {
            Some((Container::Quote(kind), blocks)) => self.add(Block::Quote { kind, blocks }, span),
            Some((Container::Footnote(label), blocks)) => self.add(Block::Footnote { label, blocks }, span),
            Some((Container::List(list), _)) => self.add(Block::List(list), span),
            Some((Container::Item(task), blocks)) => {
                if let Some((Container::List(list), _)) = self.open.last_mut() {
                    list.items.push(Item { task, blocks });
                }
            }
            None => {}
        }
    }
}

/// The language that a fence's info string names first: `rust` of `rust,ignore`, `{.rust}` and `rust title=x`.
fn language(info: &str) -> &str {
    let first = info.split([' ', ',', '\t', '{', '}']).find(|word| !word.is_empty()).unwrap_or_default();
    first.trim_start_matches('.')
}

fn is_line_break(html: &str) -> bool {
    matches!(html.to_ascii_lowercase().as_str(), "<br>" | "<br/>" | "<br />")
}

fn alert(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "Note",
        BlockQuoteKind::Tip => "Tip",
        BlockQuoteKind::Important => "Important",
        BlockQuoteKind::Warning => "Warning",
        BlockQuoteKind::Caution => "Caution",
    }
}

fn align(alignment: Alignment) -> Align {
    match alignment {
        Alignment::None | Alignment::Left => Align::Left,
        Alignment::Center => Align::Center,
        Alignment::Right => Align::Right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(source: &str) -> Vec<Block> {
        parse(source, &Definitions::new()).blocks.into_iter().map(|(block, _)| block).collect()
    }

    fn paragraph(source: &str) -> Inlines {
        match blocks(source).into_iter().next() {
            Some(Block::Paragraph(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn formulas_keep_their_backslashes_and_lines() {
        assert_eq!(paragraph(r"so \(a_1*b*\\c\) and $x*y*z$ hold").text, r"so \(a_1*b*\\c\) and $x*y*z$ hold");
        assert_eq!(paragraph("\\[\nx\n= y \\\\\n- z\n\\]").text, "\\[\nx\n= y \\\\\n- z\n\\]");
    }

    #[test]
    fn links_that_may_not_be_opened_say_where_they_lead() {
        let text = paragraph("[a](./b.md) [c](javascript:d) [e](https://f.g) <h@i.j>");
        assert_eq!(text.text, "a (./b.md) c (javascript:d) e h@i.j");
        assert_eq!(text.links, ["https://f.g", "mailto:h@i.j"]);
        assert_eq!(paragraph("![x **y**](https://a.b/c.png)").text, "[image: x y]");
        assert_eq!(paragraph("[![x](c.png)](https://a.b)").links, ["https://a.b"]);
    }

    #[test]
    fn a_label_defined_before_is_known() {
        let definitions = Definitions::from([(label_key("The  Label"), "https://a.b".to_owned())]);
        let parsed = parse("see [the label] and [^the label]", &definitions);
        let [(Block::Paragraph(text), _)] = parsed.blocks.as_slice() else { panic!() };
        assert_eq!(
            (text.text.as_str(), text.links.as_slice()),
            ("see the label and [^the label]", &["https://a.b".to_owned()][..])
        );
    }

    #[test]
    fn entities_cannot_bring_in_what_a_terminal_obeys() {
        assert_eq!(paragraph("&#27;[31m &#x202e;x `\u{9b}1m`").text, "␛[31m \u{fffd}x \u{fffd}1m");
    }

    #[test]
    fn lists_know_tasks_numbers_and_looseness() {
        let [Block::List(list), Block::List(loose)] = &blocks("3. [x] a\n   - b\n4. c\n\n* d\n\n* e\n")[..] else {
            panic!()
        };
        assert_eq!((list.start, list.loose, list.items.len()), (Some(3), false, 2));
        assert_eq!((list.items[0].task, list.items[0].blocks.len()), (Some(true), 2));
        assert!(loose.loose);
    }

    #[test]
    fn depth_is_bounded_and_nothing_is_lost_by_it() {
        let source = "> ".repeat(20_000) + "deep";
        let mut blocks = blocks(&source);
        let mut depth = 0;
        while let [Block::Quote { blocks: inner, .. }] = blocks.as_slice() {
            blocks = inner.clone();
            depth += 1;
        }
        assert_eq!(depth, MAX_DEPTH);
        assert!(matches!(blocks.as_slice(), [Block::Paragraph(text)] if text.text == "deep"));
    }
}
