//! Blocks into rows.

use ratatui::style::{Modifier, Style};

use super::block::{Block, Code, Inlines, Item, List, Look, Run};
use super::cluster::columns;
use super::code::{Highlighted, label_row, push_rows};
use super::table::table_rows;
use super::wrap::{Break, Piece, Row, Styled, TAB, wrap};
use crate::tui::theme::{Role, Theme};

/// What stands before a block's rows needs to leave this many columns, or it is left out.
const MIN_CONTENT_COLUMNS: u16 = 4;
const BULLETS: [&str; 3] = ["•", "◦", "▪"];
const QUOTE_BAR: &str = "▌ ";

/// What rows depend on beside their block.
pub struct Layout<'a> {
    pub theme: &'a Theme,
    /// The colours of the code blocks within the block at the top, in order.
    pub highlighted: &'a mut Vec<Highlighted>,
    /// Index into `highlighted` of the next code block.
    pub next_code: usize,
}

/// Where a block stands.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub width: u16,
    pub base: Style,
    /// The lists around it.
    pub lists: usize,
}

impl Place {
    pub fn top(width: u16, theme: &Theme) -> Place {
        Place { width: width.max(2), base: theme.style(Role::Text), lists: 0 }
    }

    /// The place beside a prefix of `prefix_columns`, where there is room for both.
    fn beside(self, prefix_columns: usize) -> Option<Place> {
        let width = self.width.checked_sub(u16::try_from(prefix_columns).ok()?)?;
        (width >= MIN_CONTENT_COLUMNS).then_some(Place { width, ..self })
    }
}

impl Layout<'_> {
    pub fn block(&mut self, block: &Block, place: Place) -> Vec<Row> {
        let Place { width, base, .. } = place;
        match block {
            Block::Heading { level, text } => heading(*level, text, place, self.theme),
            Block::Paragraph(text) => wrap(&styled(text, base, self.theme), width, Break::Words),
            Block::Code(code) => {
                let mut rows = Vec::from_iter(label_row(code, width, self.theme));
                let theme = self.theme;
                push_rows(&mut rows, code, self.follow(code).1, 0, width, theme, |_| {});
                rows
            }
            Block::Quote { kind, blocks } => self.quote(*kind, blocks, place),
            Block::List(list) => {
                let mut rows = Vec::new();
                for (i, item) in list.items.iter().enumerate() {
                    self.push_item(&mut rows, list, i, item, place);
                }
                rows
            }
            Block::Rule => {
                let mut row = Row::default();
                row.push(&"─".repeat(usize::from(width)), base.patch(self.theme.style(Role::Rule)));
                vec![row]
            }
            Block::Table(table) => table_rows(table, width, base, self.theme),
            Block::Html(html) => {
                let text = html.trim_end_matches('\n').replace('\t', TAB);
                let style = base.patch(self.theme.style(Role::Muted));
                let pieces = vec![Piece { end: text.len(), style, link: None }];
                wrap(&Styled { text, pieces, links: &[] }, width, Break::Words)
            }
            Block::Footnote { label, blocks } => {
                let mark = (format!("[^{label}] "), base.patch(self.theme.style(Role::Muted)));
                self.hanging(mark, blocks, false, place)
            }
        }
    }

    /// Brings the colours of the next code block up to date. Says how many of its lines had been coloured before.
    pub fn follow(&mut self, code: &Code) -> (usize, &Highlighted) {
        let index = self.next_code;
        self.next_code += 1;
        if self.highlighted.len() <= index {
            self.highlighted.resize_with(index + 1, Highlighted::default);
        }
        let highlighted = &mut self.highlighted[index];
        (highlighted.follow(code, self.theme), highlighted)
    }

    /// Appends the rows of item `index` of a list, with a blank one before where the list is loose.
    pub fn push_item(&mut self, rows: &mut Vec<Row>, list: &List, index: usize, item: &Item, place: Place) {
        if list.loose && index > 0 {
            rows.push(Row::default());
        }
        let mark = match (item.task, list.start) {
            (Some(done), None) => if done { "[x] " } else { "[ ] " }.to_owned(),
            (task, Some(start)) => {
                let digits = number(start, list.items.len().saturating_sub(1)).to_string().len();
                let task = task.map_or("", |done| if done { "[x] " } else { "[ ] " });
                format!("{:>digits$}. {task}", number(start, index))
            }
            (None, None) => format!("{} ", BULLETS[place.lists % BULLETS.len()]),
        };
        let style = place.base.patch(self.theme.style(Role::Accent));
        let inner = Place { lists: place.lists + 1, ..place };
        rows.extend(self.hanging((mark, style), &item.blocks, !list.loose, inner));
    }

    /// `blocks` to the right of a mark. Where it is too narrow for that, the mark has a row of its own.
    fn hanging(&mut self, mark: (String, Style), blocks: &[Block], tight: bool, place: Place) -> Vec<Row> {
        let mark_columns = columns(&mark.0);
        if let Some(place) = place.beside(mark_columns) {
            let mut rows = self.blocks(blocks, tight, place);
            if rows.is_empty() {
                rows.push(Row::default());
            }
            let blank = [(" ".repeat(mark_columns), Style::new())];
            for (i, row) in rows.iter_mut().enumerate() {
                if i == 0 { row.indent(std::slice::from_ref(&mark)) } else { row.indent(&blank) }
            }
            return rows;
        }
        let text = mark.0.trim().to_owned();
        let pieces = vec![Piece { end: text.len(), style: mark.1, link: None }];
        let mut rows = wrap(&Styled { text, pieces, links: &[] }, place.width, Break::Anywhere);
        rows.extend(self.blocks(blocks, tight, place));
        rows
    }

    fn quote(&mut self, kind: Option<&str>, blocks: &[Block], place: Place) -> Vec<Row> {
        let quote = self.theme.style(Role::Quote);
        let inner = place.beside(columns(QUOTE_BAR));
        let within = Place { base: place.base.patch(quote), ..inner.unwrap_or(place) };
        let mut rows = Vec::new();
        if let Some(kind) = kind {
            let pieces =
                vec![Piece { end: kind.len(), style: within.base.patch(self.theme.style(Role::Strong)), link: None }];
            rows = wrap(&Styled { text: kind.to_owned(), pieces, links: &[] }, within.width, Break::Anywhere);
        }
        rows.extend(self.blocks(blocks, false, within));
        if rows.is_empty() {
            rows.push(Row::default());
        }
        if inner.is_some() {
            rows.iter_mut().for_each(|row| row.indent(&[(QUOTE_BAR.to_owned(), within.base)]));
        }
        rows
    }

    /// Blocks below each other, with a blank row between them unless they are `tight`.
    fn blocks(&mut self, blocks: &[Block], tight: bool, place: Place) -> Vec<Row> {
        let mut rows = Vec::new();
        for (i, block) in blocks.iter().enumerate() {
            if i > 0 && !tight {
                rows.push(Row::default());
            }
            rows.extend(self.block(block, place));
        }
        rows
    }
}

/// How wide the numbers of a list are decides where its items stand.
pub fn number(start: u64, index: usize) -> u64 {
    start.saturating_add(index as u64)
}

/// Levels are told apart without colour: the first two are underlined by a double and a single line, the others have
/// as many `#` as in Markdown.
fn heading(level: u8, text: &Inlines, place: Place, theme: &Theme) -> Vec<Row> {
    let style = place.base.patch(theme.style(Role::Heading));
    if level > 2 {
        let mark = "#".repeat(usize::from(level)) + " ";
        let mut with_mark = styled(text, style, theme);
        with_mark.text.insert_str(0, &mark);
        with_mark.pieces.iter_mut().for_each(|piece| piece.end += mark.len());
        with_mark.pieces.insert(0, Piece { end: mark.len(), style, link: None });
        return wrap(&with_mark, place.width, Break::Words);
    }
    let mut rows = wrap(&styled(text, style, theme), place.width, Break::Words);
    let widest = rows.iter().map(Row::columns).max().unwrap_or(0);
    if widest > 0 {
        let mut line = Row::default();
        line.push(&if level == 1 { "═" } else { "─" }.repeat(widest), style);
        rows.push(line);
    }
    rows
}

/// `inlines` in the styles of `theme`, over `base`.
pub fn styled<'a>(inlines: &'a Inlines, base: Style, theme: &Theme) -> Styled<'a> {
    let piece = |run: &Run| Piece { end: run.end, style: style(run.look, base, theme), link: run.look.link };
    Styled { text: inlines.text.clone(), pieces: inlines.runs.iter().map(piece).collect(), links: &inlines.links }
}

fn style(look: Look, base: Style, theme: &Theme) -> Style {
    let mut style = base;
    let roles = [
        (look.strong, Role::Strong),
        (look.emphasis, Role::Emphasis),
        (look.muted, Role::Muted),
        (look.link.is_some(), Role::Link),
        (look.code, Role::Code),
    ];
    for (_, role) in roles.into_iter().filter(|(applies, _)| *applies) {
        style = style.patch(theme.style(role));
    }
    if look.strike { style.add_modifier(Modifier::CROSSED_OUT) } else { style }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::markdown::Document;

    fn rows(source: &str, width: u16) -> Vec<Row> {
        let mut document = Document::of(source);
        let count = document.block_count();
        (0..count).flat_map(|block| document.block_rows(block, width, &Theme::plain()).to_vec()).collect()
    }

    fn texts(source: &str, width: u16) -> Vec<String> {
        rows(source, width).into_iter().map(|row| row.text).collect()
    }

    #[test]
    fn lists_hang_and_nest() {
        let source = "- one twenty-x\n  - inner\n- [ ] todo\n\n7. [x] a\n8. b\n9. c\n10. d";
        let expected = ["• one", "  twenty-x", "  ◦ inner", "[ ] todo", "", " 7. [x] a", " 8. b", " 9. c", "10. d"];
        assert_eq!(texts(source, 12), expected);
        assert_eq!(texts("1. a\n\n   b\n2. c", 80), ["1. a", "", "   b", "", "2. c"]);
    }

    #[test]
    fn quotes_have_bars_and_alerts_their_name() {
        assert_eq!(texts("> a\n>\n> > b", 80), ["▌ a", "▌ ", "▌ ▌ b"]);
        assert_eq!(texts("> [!WARNING]\n> a", 80), ["▌ Warning", "▌ a"]);
    }

    #[test]
    fn heading_levels_differ_without_colour() {
        let expected = ["One", "═══", "", "Two", "───", "", "### Three", "", "#### Four"];
        assert_eq!(texts("# One\n\nTwo\n---\n### Three\n#### Four", 80), expected);
    }

    #[test]
    fn code_has_a_label_and_keeps_its_blanks() {
        assert_eq!(texts("```rust,ignore\nfn x() {\n\n    y\n", 80), ["rust", "  fn x() {", "", "      y"]);
        assert_eq!(texts("    a\n      b", 80), ["  a", "    b"]);
        assert_eq!(texts("- x\n  ```\n  y\n  ```", 80), ["• x", "  code", "    y"]);
    }

    #[test]
    fn breaks_html_and_footnotes_read_as_text() {
        assert_eq!(texts("a\nb  \nc<b>d</b>", 80), ["a b", "c<b>d</b>"]);
        assert_eq!(texts("<div>\n\tx\n</div>", 80), ["<div>", "    x", "</div>"]);
        let expected = ["a[^1]", "", "[^1] note", "     more", "[^2] n"];
        assert_eq!(texts("a[^1]\n\n[^1]: note\n  more\n[^2]: n\n\n", 10), expected);
        assert_eq!(texts("---", 3), ["───"]);
    }

    #[test]
    fn what_is_too_narrow_to_stand_beside_stands_below() {
        assert_eq!(texts("10. abc", 6), ["10.", "abc"]);
        assert_eq!(texts("> abc", 5), ["abc"]);
    }

    #[test]
    fn looks_are_styles_and_links_are_reported() {
        let row = &rows("> **b** *i* ~~s~~ `c` [l](https://a.b)", 80)[0];
        assert_eq!(row.text, "▌ b i s c l");
        let style_of = |text: &str| row.line.spans.iter().find(|span| span.content == text).unwrap().style;
        assert!(style_of("b").add_modifier.contains(Modifier::BOLD | Modifier::ITALIC));
        assert_eq!(style_of("c"), Theme::plain().style(Role::Quote).patch(Theme::plain().style(Role::Code)));
        assert!(style_of("s").add_modifier.contains(Modifier::CROSSED_OUT));
        assert!(style_of("l").add_modifier.contains(Modifier::UNDERLINED));
        assert_eq!((row.links[0].columns.clone(), row.links[0].url.as_str()), (10..11, "https://a.b"));
    }
}
