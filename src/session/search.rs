//! Full-text search over all conversations.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;

use super::Error;
use super::save::searchable;
use super::store::{Store, Summary};
use super::tree::{Node, NodeId};
use super::words::Query;
use crate::engine::Role;
use crate::neutralize::neutralize;

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    pub session: Summary,
    pub node: NodeId,
    pub role: Role,
    /// One line of the text around the first match, fit for a terminal.
    pub snippet: String,
    /// Bytes of the snippet.
    pub matches: Vec<Range<usize>>,
}

/// Characters of a snippet before and from its first match.
const BEFORE: usize = 40;
const AFTER: usize = 120;

impl Store {
    /// Messages that hold all of the words, the last of which may be the beginning of one; the best first. Everything
    /// typed is text: there are no operators, and a query without a word finds nothing.
    pub fn search(&self, words: &str, limit: usize) -> Result<Vec<Hit>, Error> {
        let query = Query::new(words);
        let Some(fts5) = query.fts5() else { return Ok(Vec::new()) };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let question = "SELECT nodes.session, nodes.body FROM words JOIN nodes ON nodes.key = words.rowid
                        WHERE words MATCH ? ORDER BY words.rank, nodes.key DESC LIMIT ?";
        let found: Vec<(i64, String)> = self.read(|connection| {
            let mut statement = connection.prepare_cached(question)?;
            let rows = statement.query_map((fts5, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        let mut summaries: HashMap<i64, Summary> = HashMap::new();
        let mut hits = Vec::new();
        for (id, body) in found {
            // One that is damaged hides no others.
            let Ok(node) = serde_json::from_str::<Node>(&body) else { continue };
            let session = match summaries.get(&id) {
                Some(known) => known.clone(),
                None => match self.summary(id) {
                    Ok(summary) => summaries.entry(id).or_insert(summary).clone(),
                    // Deleted in between.
                    Err(Error::Unknown { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            let (snippet, matches) = snippet(&searchable(&node), &query);
            hits.push(Hit { session, node: node.id, role: node.message.role, snippet, matches });
        }
        Ok(hits)
    }
}

/// A line from around the first match, and the matches in it.
fn snippet(text: &str, query: &Query) -> (String, Vec<Range<usize>>) {
    let found = query.find(text);
    let first = found.first().map_or(0, |range| range.start);
    let start = text[..first].char_indices().rev().take(BEFORE).last().map_or(first, |(at, _)| at);
    // Rather from the beginning of a word.
    let blank = text[start..first].find(char::is_whitespace);
    let start = if start == 0 { 0 } else { blank.map_or(start, |at| start + at) };
    let end = text[first..].char_indices().nth(AFTER).map_or(text.len(), |(at, _)| first + at);
    let mut line = Line::default();
    if start > 0 {
        line.text.push('…');
    }
    let mut matches = Vec::new();
    let mut at = start;
    for range in found.into_iter().filter(|range| range.start < end) {
        line.push(&text[at..range.start]);
        line.settle();
        let from = line.text.len();
        at = range.end.min(end);
        line.push(&text[range.start..at]);
        matches.push(from..line.text.len());
    }
    line.push(&text[at..end]);
    if end < text.len() {
        line.text.push('…');
    }
    (line.text, matches)
}

/// Text with its blanks and line breaks drawn together.
#[derive(Default)]
struct Line {
    text: String,
    blank: bool,
}

impl Line {
    fn push(&mut self, piece: &str) {
        for c in neutralize(piece).chars() {
            if c.is_whitespace() {
                self.blank = true;
            } else {
                self.settle();
                self.text.push(c);
            }
        }
    }

    /// Writes a blank that is due.
    fn settle(&mut self) {
        if std::mem::take(&mut self.blank) && !self.text.is_empty() {
            self.text.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, typed: &str) -> String {
        let (snippet, matches) = snippet(text, &Query::new(typed));
        let mut out = String::new();
        let mut at = 0;
        for range in matches {
            out.push_str(&format!("{}[{}]", &snippet[at..range.start], &snippet[range.clone()]));
            at = range.end;
        }
        out + &snippet[at..]
    }

    #[test]
    fn a_snippet_is_a_line_around_the_first_match_with_all_matches_in_it_marked() {
        assert_eq!(marked("the\n\n sky is\tBlue", "blue sky"), "the [sky] is [Blue]");
        assert_eq!(marked("机器学习很有意思", "学习"), "机器[学习]很有意思");
        assert_eq!(marked("esc\x1b[2J \u{202e}here", "here"), "esc␛[2J \u{fffd}[here]");
        let long = format!("{}needle {}", "word ".repeat(50), "tail ".repeat(50));
        let cut = marked(&long, "needle");
        assert!(cut.starts_with("… word word") && cut.contains(" [needle] tail") && cut.ends_with('…'), "{cut}");
        assert!(cut.chars().count() <= BEFORE + AFTER + 4);
        let solid = marked(&format!("{}🎉", "é".repeat(100)), "🎉");
        assert_eq!(solid, format!("…{}[🎉]", "é".repeat(BEFORE)));
        assert_eq!(marked("no match here", "other"), "no match here");
        assert_eq!(marked(&"x".repeat(500), &"x".repeat(500)).chars().count(), AFTER + 3);
    }
}
