//! One message: its text, its blocks, and how little of them is done again when more text comes.
//!
//! What is before the last block is final as soon as the last block's first line is complete: no Markdown line changes
//! a block that another one has followed. So only the text from there on is parsed again, when someone asks. A fenced
//! code block at the end is not even parsed again: its new lines are appended. What only the whole text can tell (a
//! link whose address comes later, a footnote) is settled by parsing everything once when the message is finished.

use super::block::Block;
use super::cluster::showable;
use super::fence::Fence;
use super::laid::Laid;
use super::parse::{Definitions, parse};
use super::wrap::Row;
use crate::tui::theme::Theme;

/// A code block of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBlock {
    /// The first word after the fence; empty where there is none.
    pub language: String,
    /// The code, neutralized, with its tabs.
    pub text: String,
    /// The block that holds it.
    pub block: usize,
}

/// A message as it streams in.
#[derive(Debug, Default)]
pub struct Document {
    text: String,
    blocks: Vec<Laid>,
    /// So many blocks at the start are final ...
    final_blocks: usize,
    /// ... and parsing goes on from this byte.
    final_end: usize,
    /// Links defined in the final part.
    definitions: Definitions,
    /// The last block, where it is fenced code without an end as yet.
    open_code: Option<OpenCode>,
    /// How much of the text is in `blocks`.
    parsed_bytes: usize,
    finished: bool,
    /// Whether everything was parsed at once, after the end.
    settled: bool,
}

/// A fenced code block at the top that is still open.
#[derive(Debug)]
struct OpenCode {
    fence: Fence,
    /// The byte of the message where the first line starts that was not complete.
    line: usize,
    /// The length of the code before that line.
    code_bytes: usize,
}

impl Document {
    /// An empty message that text will come to.
    pub fn new() -> Document {
        Document::default()
    }

    /// A finished message.
    pub fn of(text: &str) -> Document {
        Document { text: text.to_owned(), finished: true, ..Document::default() }
    }

    /// More text came. Nothing is parsed before someone asks.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        if !text.is_empty() {
            self.settled = false;
        }
    }

    /// No more text comes.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The text so far, as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many blocks there are. While text comes, it can happen that the last ones become fewer.
    pub fn block_count(&mut self) -> usize {
        self.refresh();
        self.blocks.len()
    }

    /// The rows of a block, at most `width` columns each (at least two). The first row is a blank one for every block
    /// but the first; no rows for a block that does not exist. Rows are kept until width, theme or text are others.
    pub fn block_rows(&mut self, block: usize, width: u16, theme: &Theme) -> &[Row] {
        self.refresh();
        let gap = self.has_gap(block);
        self.blocks.get_mut(block).map_or(&[], |laid| laid.rows(width, theme, gap))
    }

    /// The code blocks in order, those in lists and quotes too.
    pub fn code_blocks(&mut self) -> Vec<CodeBlock> {
        self.refresh();
        let mut found = Vec::new();
        for (i, laid) in self.blocks.iter().enumerate() {
            laid.block.each_code(&mut |code| {
                found.push(CodeBlock { language: code.language.clone(), text: code.text.clone(), block: i });
            });
        }
        found
    }

    /// Frees the rows. They are laid out again when asked for.
    pub fn forget_layout(&mut self) {
        self.blocks.iter_mut().for_each(Laid::forget);
    }

    /// Footnotes follow each other without a gap.
    fn has_gap(&self, block: usize) -> bool {
        let is_footnote =
            |block: usize| self.blocks.get(block).is_some_and(|laid| matches!(laid.block, Block::Footnote { .. }));
        block > 0 && !(is_footnote(block) && is_footnote(block - 1))
    }

    fn refresh(&mut self) {
        if self.finished {
            if !self.settled {
                (self.final_blocks, self.final_end, self.open_code) = (0, 0, None);
                self.definitions.clear();
                self.parse_tail();
                self.settled = true;
            }
        } else if self.parsed_bytes < self.text.len() && !self.append_code() {
            self.parse_tail();
        }
        self.parsed_bytes = self.text.len();
    }

    /// Parses what is not final.
    fn parse_tail(&mut self) {
        let from = self.final_end;
        let tail = self.text.get(from..).unwrap_or_default();
        let parsed = parse(tail, &self.definitions);
        self.open_code = None;

        // The last block that another one, whose first line is complete, has followed; and where it ends.
        let last_newline = tail.rfind('\n').unwrap_or(0);
        let mut ends = parsed.blocks.windows(2).rev();
        let mut done =
            ends.find(|pair| pair[1].1.start < last_newline).map(|pair| (pair[0].1.clone(), pair[1].1.start));
        let mut count = parsed
            .blocks
            .iter()
            .take_while(|(_, span)| done.as_ref().is_some_and(|(last, _)| span.start <= last.start))
            .count();
        if let Some((Block::Code(code), span)) = parsed.blocks.last()
            && code.fenced
            && parsed.blocks.len() == count + 1
        {
            match code_state(tail, span.start) {
                Some(CodeState::Closed(end)) => {
                    done = Some((span.start..end, end));
                    count += 1;
                }
                Some(CodeState::Open(fence, line)) => {
                    let code_bytes = code.text.rfind('\n').map_or(0, |newline| newline + 1);
                    self.open_code = Some(OpenCode { fence, line: from + line, code_bytes });
                }
                None => {}
            }
        }

        let final_end = done.map_or(0, |(span, next)| line_start_after(tail, span.end, next));
        for (label, url, end) in parsed.definitions {
            if end <= final_end {
                self.definitions.entry(label).or_insert(url);
            }
        }
        let before = self.final_blocks;
        self.blocks.truncate(before + parsed.blocks.len());
        for (i, (block, _)) in parsed.blocks.into_iter().enumerate() {
            match self.blocks.get_mut(before + i) {
                Some(laid) => laid.renew(block),
                None => self.blocks.push(Laid::new(block)),
            }
        }
        self.final_blocks = before + count;
        self.final_end = from + final_end;
    }

    /// Appends to the open code block what came, or says that it is not as simple as that.
    fn append_code(&mut self) -> bool {
        let (Some(open), Some(laid)) = (&mut self.open_code, self.blocks.last_mut()) else { return false };
        let Some(new) = self.text.get(open.line..) else { return false };
        // Old line ends and zero bytes are the parser's.
        if new.contains(['\r', '\0']) {
            return false;
        }
        let complete = new.rfind('\n').map_or(0, |newline| newline + 1);
        let (lines, rest) = new.split_at(complete);
        if lines.split_inclusive('\n').any(|line| open.fence.is_closed_by(line)) {
            return false;
        }
        laid.lengthen_code(|code| {
            code.truncate(open.code_bytes);
            code.push_str(&showable(lines));
            open.code_bytes = code.len();
            // Parsed code has no blanks at its end either.
            if !open.fence.is_closed_by(rest) && !rest.trim_matches([' ', '\t']).is_empty() {
                code.push_str(&showable(rest));
            }
        });
        open.line += complete;
        true
    }
}

enum CodeState {
    /// The byte after the closing fence's line.
    Closed(usize),
    /// The byte where the first incomplete line starts.
    Open(Fence, usize),
}

/// How the fenced code block at byte `start` stands, where it is a simple one: no indentation, complete fence lines.
fn code_state(text: &str, start: usize) -> Option<CodeState> {
    let rest = text.get(start..)?;
    if start > 0 && !text[..start].ends_with('\n') || rest.contains(['\r', '\0']) {
        return None;
    }
    let fence = Fence::opening(rest)?;
    let mut at = start + rest.find('\n')? + 1;
    for line in text.get(at..)?.split_inclusive('\n') {
        if !line.ends_with('\n') {
            return Some(CodeState::Open(fence, at)).filter(|_| !fence.is_closed_by(line));
        }
        at += line.len();
        if fence.is_closed_by(line) {
            return Some(CodeState::Closed(at));
        }
    }
    Some(CodeState::Open(fence, at))
}

/// The start of the first line at or after byte `end`, but not after the line at `next`.
fn line_start_after(text: &str, end: usize, next: usize) -> usize {
    let next_line = text.get(..next).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    if end == 0 || text.get(..end).is_some_and(|before| before.ends_with('\n')) {
        return end.min(next_line);
    }
    let following = text.get(end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| end + newline + 1);
    following.min(next_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# One\n\nA paragraph that is long enough to be laid out in more than one row.\n";

    fn all_rows(document: &mut Document, width: u16) -> Vec<Row> {
        let theme = Theme::plain();
        (0..document.block_count()).flat_map(|block| document.block_rows(block, width, &theme).to_vec()).collect()
    }

    #[test]
    fn what_is_final_is_not_parsed_again() {
        let mut document = Document::new();
        document.push("one\n\ntwo\n\nthree");
        assert_eq!((document.block_count(), document.final_blocks), (3, 1));
        document.push("\n");
        assert_eq!((document.block_count(), document.final_blocks, document.final_end), (3, 2, 9));
        document.push("\n```rs\nlet a;\n");
        assert_eq!((document.block_count(), document.final_blocks), (4, 3));
        document.push("let b;\n``");
        assert_eq!(document.block_count(), 4);
        assert!(document.open_code.is_some());
        document.push("`\n");
        assert_eq!((document.block_count(), document.final_blocks, document.final_end), (4, 4, document.text.len()));
    }

    #[test]
    fn a_link_defined_before_is_known_while_streaming_and_one_defined_later_at_the_end() {
        let mut document = Document::new();
        document.push("[A b]: https://a.b\n\nx\n\n[a  B] and [later]\n\ny\n\n[later]: https://c.d\n");
        document.block_count();
        assert!(document.final_end > 20);
        document.push("\nz [a b]\n");
        let links = |document: &mut Document| -> Vec<String> {
            all_rows(document, 40).into_iter().flat_map(|row| row.links).map(|link| link.url).collect()
        };
        assert_eq!(links(&mut document), ["https://a.b", "https://c.d", "https://a.b"]);
        let mut document = Document::new();
        for part in ["[later]\n\n", "x\n\ny\n\n", "[later]: https://c.d\n"] {
            document.push(part);
            document.block_count();
        }
        assert!(links(&mut document).is_empty());
        document.finish();
        assert_eq!(links(&mut document), ["https://c.d"]);
    }

    #[test]
    fn code_blocks_are_found_wherever_they_are() {
        let mut document = Document::of("```rs\na\n```\n\n- x\n\n  ```py\n  b\n  ```\n\n> ~~~\n> \tc\n");
        let block =
            |language: &str, text: &str, block| CodeBlock { language: language.into(), text: text.into(), block };
        assert_eq!(document.code_blocks(), [block("rs", "a\n", 0), block("py", "b\n", 1), block("", "\tc\n", 2)]);
    }

    #[test]
    fn rows_follow_width_and_survive_being_forgotten() {
        let mut document = Document::of(TEXT);
        let theme = Theme::plain();
        let narrow = document.block_rows(1, 20, &theme).to_vec();
        let wide = document.block_rows(1, 60, &theme).to_vec();
        assert_ne!(narrow, wide);
        document.forget_layout();
        assert_eq!(document.block_rows(1, 60, &theme), wide);
        assert_eq!(document.block_rows(1, 20, &theme), narrow);
        assert_eq!(document.block_rows(999, 20, &theme), []);
    }
}
