//! Finding text in the conversation on screen. Matches are found and counted in what the messages say; rows are looked
//! at only for those in sight and for the current one.

use std::collections::HashMap;
use std::ops::Range;

use super::transcript::{Place, Transcript, Turn};
use crate::tui::markdown::{self, Lit};
use crate::tui::theme::Theme;

/// A place in what the conversation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    pub turn: usize,
    pub part: usize,
    /// The byte of the part's folded text.
    at: usize,
}

/// A search that is open.
#[derive(Debug, Default)]
pub struct Search {
    pub query: String,
    pub found: Vec<Match>,
    pub current: usize,
    /// The query is being typed.
    pub typing: bool,
    pub known: Known,
}

/// What the last run was for, and what came of it.
#[derive(Debug, Default)]
pub struct Known {
    /// The query, folded.
    needle: String,
    /// The last current match. There a run with another query goes on, even when there was none between.
    last: Option<Match>,
    /// Where the matches of a turn's part are, as long as the pane is so wide.
    lit: HashMap<(usize, usize), Vec<Lit>>,
    width: u16,
}

impl Search {
    /// Finds the query anew. The match that was current stays so or gives way to the next one; at first it is the
    /// first one that is in sight or below.
    pub fn run(&mut self, transcript: &mut Transcript, theme: &Theme) {
        self.known.lit.clear();
        self.known.needle.clear();
        self.found.clear();
        if self.query.trim().is_empty() {
            (self.current, self.known.last) = (0, None);
            // Reading all that was said takes longer than finding something in it: not when the first key comes.
            transcript.turns.iter_mut().for_each(|turn| {
                turn.search();
            });
            return;
        }
        self.known.needle = markdown::folded(&self.query).replace('\n', " ");
        find(&self.known.needle, transcript, &mut self.found);
        self.current = match self.known.last {
            Some(last) => self.found.partition_point(|found| *found < last),
            None => self.first_below(transcript, theme),
        };
        self.current = self.current.min(self.found.len().saturating_sub(1));
        self.known.last = self.found.get(self.current).copied().or(self.known.last);
    }

    fn first_below(&mut self, transcript: &mut Transcript, theme: &Theme) -> usize {
        let top = transcript.top(theme);
        let in_top = self.within(top.turn, top.part);
        if in_top.is_empty() {
            return in_top.start;
        }
        let lit = self.lit_of(top.turn, top.part, transcript, theme);
        lit.iter().find(|lit| lit.row >= top.row && in_top.contains(&lit.found)).map_or(in_top.end, |lit| lit.found)
    }

    /// To the next match or the one before, around the ends.
    pub fn step(&mut self, forward: bool) -> Option<Place> {
        let count = self.found.len();
        if count == 0 {
            return None;
        }
        self.current = if forward { (self.current + 1) % count } else { (self.current + count - 1) % count };
        self.known.last = self.found.get(self.current).copied();
        self.here()
    }

    /// The start of the part that has the current match. See [`Self::place`] for its row.
    pub fn here(&self) -> Option<Place> {
        self.found.get(self.current).map(|found| Place { turn: found.turn, part: found.part, row: 0 })
    }

    /// The row of the current match. Its part is laid out for that.
    pub fn place(&mut self, transcript: &mut Transcript, theme: &Theme) -> Option<Place> {
        let here = self.here()?;
        let current = self.current;
        let lit = self.lit_of(here.turn, here.part, transcript, theme);
        // Where rows are not as the text was, one that has the query is near enough.
        let row = lit.iter().find(|lit| lit.found == current).or(lit.last()).map_or(0, |lit| lit.row);
        Some(Place { row, ..here })
    }

    /// The columns of the row at `place` that match, and whether it is the current match that does.
    pub fn lit(&mut self, place: Place, transcript: &mut Transcript, theme: &Theme) -> Vec<(Range<u16>, bool)> {
        if self.known.needle.is_empty() {
            return Vec::new();
        }
        let Some(turn) = transcript.turns.get_mut(place.turn) else { return Vec::new() };
        if turn.searched().is_none() {
            // An answer that grows: its matches are counted when it is whole.
            let is_text = turn.is_searchable(place.part) && place.row >= Turn::head_rows(place.part);
            let row = Some(place).filter(|_| is_text);
            let row = row.and_then(|place| transcript.part(place, theme).get(place.row));
            let matches = row.map(|row| markdown::matches(row, &self.known.needle)).unwrap_or_default();
            return matches.into_iter().map(|columns| (columns, false)).collect();
        }
        let current = self.current;
        let lit = self.lit_of(place.turn, place.part, transcript, theme);
        let from = lit.partition_point(|lit| lit.row < place.row);
        let of_row = lit.iter().skip(from).take_while(|lit| lit.row == place.row);
        of_row.map(|lit| (lit.columns.clone(), lit.found == current)).collect()
    }

    /// The matches in a part.
    fn within(&self, turn: usize, part: usize) -> Range<usize> {
        let from = self.found.partition_point(|found| (found.turn, found.part) < (turn, part));
        from..self.found.partition_point(|found| (found.turn, found.part) <= (turn, part))
    }

    /// Where the rows of a part match, from the top down.
    fn lit_of(&mut self, turn: usize, part: usize, transcript: &mut Transcript, theme: &Theme) -> &[Lit] {
        if self.known.width != transcript.width {
            self.known.width = transcript.width;
            self.known.lit.clear();
        }
        let within = self.within(turn, part);
        let is_fresh = transcript.turns.get(turn).is_some_and(|turn| turn.searched().is_some());
        if !is_fresh {
            self.known.lit.remove(&(turn, part));
        }
        let Known { needle, lit, .. } = &mut self.known;
        lit.entry((turn, part)).or_insert_with(|| {
            if within.is_empty() {
                return Vec::new();
            }
            located(&self.found[within.clone()], needle, transcript, theme, within.start)
        })
    }
}

fn located(found: &[Match], needle: &str, transcript: &mut Transcript, theme: &Theme, first: usize) -> Vec<Lit> {
    let Some(Match { turn, part, .. }) = found.first().copied() else { return Vec::new() };
    let searched = transcript.turns.get(turn).and_then(|turn| turn.searched());
    let text = searched.map(|searched| searched.part(part).to_owned());
    let head = Turn::head_rows(part);
    let rows = transcript.part(Place { turn, part, row: 0 }, theme).get(head..).unwrap_or_default();
    let bytes: Vec<_> = found.iter().map(|found| found.at..found.at + needle.len()).collect();
    let mut lit = text.and_then(|text| markdown::locate(rows, &text, &bytes)).unwrap_or_else(|| {
        let of_row = |(row, of)| markdown::matches(of, needle).into_iter().map(move |columns| (row, columns));
        let all = rows.iter().enumerate().flat_map(of_row).enumerate();
        all.map(|(found, (row, columns))| Lit { row, columns, found }).collect()
    });
    for lit in &mut lit {
        // Rows may say more than the text does.
        let is_counted = lit.found < found.len();
        (lit.row, lit.found) = (lit.row + head, if is_counted { lit.found + first } else { usize::MAX });
    }
    lit
}

/// Appends the matches of `needle`.
fn find(needle: &str, transcript: &mut Transcript, found: &mut Vec<Match>) {
    for (turn, of) in transcript.turns.iter_mut().enumerate() {
        let searched = of.search();
        let mut parts = searched.parts.iter().peekable();
        let (mut part, mut start) = (0, 0);
        for (at, _) in searched.text.match_indices(needle) {
            while let Some(next) = parts.next_if(|(_, start)| *start <= at) {
                (part, start) = *next;
            }
            found.push(Match { turn, part, at: at - start });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, Role};
    use crate::session::Session;

    fn conversation(turns: &[&str]) -> (Session, Transcript) {
        let mut session = Session::new("", 0);
        for (number, text) in turns.iter().enumerate() {
            let role = if number % 2 == 0 { Role::User } else { Role::Assistant };
            session.append(Message::new(role, *text), 0);
        }
        let mut transcript = Transcript::default();
        transcript.replace(&session);
        (session, transcript)
    }

    fn search(query: &str, transcript: &mut Transcript) -> Search {
        let mut search = Search { query: query.to_owned(), ..Search::default() };
        search.run(transcript, &Theme::plain());
        search
    }

    #[test]
    fn a_phrase_is_found_over_marks_and_over_the_end_of_a_row() {
        let (_, mut transcript) = conversation(&["say it", "A **Quick** brown\nfox\n\nand more", "quick\nbrown"]);
        for width in [10, 14, 40] {
            transcript.width = width;
            let mut search = search("quick brown f", &mut transcript);
            assert_eq!(search.found.len(), 1);
            let place = search.place(&mut transcript, &Theme::plain()).unwrap();
            assert_eq!((place.turn, place.part), (1, 3));
            let mut lit = String::new();
            for row in 0..5 {
                let place = Place { row, ..place };
                let columns = search.lit(place, &mut transcript, &Theme::plain());
                let text = transcript.part(place, &Theme::plain()).get(row).map(|row| row.text.clone());
                for (columns, is_current) in columns {
                    assert!(is_current);
                    let text = text.as_deref().unwrap_or_default();
                    lit.push_str(&text[usize::from(columns.start)..usize::from(columns.end)]);
                }
            }
            assert_eq!(lit.replace(' ', ""), "Quickbrownf");
        }
    }

    #[test]
    fn the_current_match_stays_while_the_query_and_the_pane_change() {
        let texts: Vec<String> = (0..40).map(|number| format!("needle {number} and hay")).collect();
        let (session, mut transcript) = conversation(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let theme = Theme::plain();
        let mut search = search("n", &mut transcript);
        while search.here().unwrap().turn != 16 {
            search.step(false);
        }
        search.step(true);
        for query in ["ne", "needle 1", "needle 17", "needle 17x", "needle"] {
            search.query = query.to_owned();
            search.run(&mut transcript, &theme);
            assert_eq!(search.here().map_or(17, |place| place.turn), 17, "{query}");
        }
        search.query = "needle 20".to_owned();
        search.run(&mut transcript, &theme);
        assert_eq!((search.here().unwrap().turn, search.found.len()), (20, 1));
        search.query = "needle".to_owned();
        search.run(&mut transcript, &theme);
        let wide = search.place(&mut transcript, &theme).unwrap();
        transcript.width = 9;
        let narrow = search.place(&mut transcript, &theme).unwrap();
        assert_eq!((search.current, wide.turn, narrow.turn), (20, 20, 20));
        transcript.sync(&session);
        search.run(&mut transcript, &theme);
        assert_eq!(search.current, 20);
    }

    #[test]
    fn the_row_of_a_match_deep_in_a_long_part_is_known() {
        let code = format!("```rust\n{}let needle = 1;\n```", "let a = \"hay\"; // and a comment\n".repeat(300));
        let (_, mut transcript) = conversation(&["code?", &code]);
        let mut search = search("NEEDLE", &mut transcript);
        let theme = Theme::plain();
        let place = search.place(&mut transcript, &theme).unwrap();
        assert!(place.row > 300 && transcript.part(place, &theme)[place.row].text.contains("needle"));
        // From what is in sight on, where there is no current match yet.
        transcript.show_start();
        search = super::tests::search("hay", &mut transcript);
        assert_eq!((search.current, search.found.len()), (0, 300));
        transcript.show_at_top(Place { row: 201, ..place }, &theme);
        search = super::tests::search("hay", &mut transcript);
        assert_eq!(search.place(&mut transcript, &theme).unwrap().row, 201);
    }

    #[test]
    fn searching_lays_out_only_what_is_looked_at() {
        let texts: Vec<String> = (0..400).map(|number| format!("e\n\n```rust\nlet e = {number};\n```")).collect();
        let (_, mut transcript) = conversation(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let mut search = search("e", &mut transcript);
        search.place(&mut transcript, &Theme::plain()).unwrap();
        let laid_out = transcript.turns.iter().filter(|turn| turn.laid_out).count();
        assert!(search.found.len() > 400 && laid_out < 20, "{laid_out} turns were laid out");
    }

    #[test]
    fn what_still_grows_is_lit_and_thoughts_are_found_where_they_are_shown() {
        let (mut session, mut transcript) = conversation(&["question"]);
        let id = session.append(Message::new(Role::Assistant, ""), 0);
        transcript.sync(&session);
        let mut search = search("needle", &mut transcript);
        let theme = Theme::plain();
        transcript.push_reasoning(id, "a thought of a needle");
        transcript.push(id, "a needle");
        let (thought, body) = (Place { turn: 1, part: 1, row: 1 }, Place { turn: 1, part: 3, row: 0 });
        assert_eq!(search.lit(body, &mut transcript, &theme), [(2..8, false)]);
        assert_eq!(search.lit(thought, &mut transcript, &theme), [(17..23, false)]);
        assert!(search.found.is_empty());
        search.run(&mut transcript, &theme);
        assert_eq!(search.found.len(), 2);
        assert_eq!(search.place(&mut transcript, &theme), Some(thought));
        assert_eq!(search.lit(thought, &mut transcript, &theme), [(17..23, true)]);
        transcript.finish(id);
        search.run(&mut transcript, &theme);
        assert_eq!(search.found.len(), 1);
        assert_eq!(search.place(&mut transcript, &theme), Some(body));
    }

    #[test]
    #[ignore = "a measurement, for a release build"]
    fn a_key_in_a_conversation_of_2000_turns_takes_milliseconds() {
        let paragraph = "Some *text* with `code` and a [link](https://example.org), as answers have it.\n";
        let code = "```rust\nfn main() {\n    let e = 1;\n}\n```\n";
        let answer = format!("# Answer\n\n{}\n{code}\n- one\n- two\n\n{}", paragraph.repeat(8), paragraph.repeat(8));
        let texts: Vec<&str> =
            (0..2000).map(|n| if n % 2 == 0 { "a question of some words" } else { &answer }).collect();
        let (_, mut transcript) = conversation(&texts);
        let theme = Theme::plain();
        let mut search = Search::default();
        let bytes: usize = transcript.turns.iter().map(|turn| turn.text().len()).sum();
        println!("{bytes} bytes");
        for query in ["", "e", "ex", "exa", "exam", "examp", "exam", "e", "e ", "", "zz", "e"] {
            let started = std::time::Instant::now();
            search.query = query.to_owned();
            search.run(&mut transcript, &theme);
            let ran = started.elapsed();
            if let Some(place) = search.place(&mut transcript, &theme) {
                transcript.reveal(place, &theme);
            }
            transcript.settle(&theme);
            let shown = started.elapsed();
            println!("{query:?}: {} found, {ran:?}, shown after {shown:?}", search.found.len());
            assert!(query.is_empty() || shown.as_millis() < 10);
        }
    }
}
