//! What vi's operators and single commands do to the text.

use super::motion;
use super::text::{CHIP, Fragment, Pos, clean};
use super::vi::{Awaits, Operator, Vi};
use super::{Composer, Doing, Killed, Mode, Outcome};

/// What one command puts at most, in bytes, however high its count.
const PUT_BYTES: usize = 1 << 20;

impl Composer {
    /// `d`, `c` or `y`: waits for a motion, takes lines where it is doubled, or takes what is selected.
    pub(super) fn operator_key(&mut self, operator: Operator) {
        let Some(vi) = &mut self.vi else { return };
        if vi.is_visual() {
            return self.operate_on_selection(operator);
        }
        match vi.operator {
            None => vi.operator = Some((operator, vi.count.take())),
            Some((before, _)) if before == operator => {
                let lines = vi.given_count().unwrap_or(1);
                vi.drop_pending();
                let line = self.cursor.line;
                self.operate_on_lines(operator, line, line + lines - 1);
            }
            Some(_) => vi.drop_pending(),
        }
    }

    /// A command of one key that is no motion.
    pub(super) fn simple_command(&mut self, c: char, visual: bool) -> Outcome {
        let Some(vi) = &mut self.vi else { return Outcome::Ignored };
        let count = vi.count;
        if c != 'r' {
            vi.drop_pending();
        }
        let times = count.unwrap_or(1);
        let Pos { line, byte } = self.cursor;
        let end = Pos::new(line, self.text.line(line).len());
        match (c, visual) {
            ('r', _) => vi.awaits = Awaits::Replacement,
            ('v' | 'V', _) => self.toggle_visual(c == 'V'),
            ('x', true) => self.operate_on_selection(Operator::Delete),
            ('s', true) => self.operate_on_selection(Operator::Change),
            ('p' | 'P', true) => self.put_over_selection(times),
            ('o', true) => {
                let anchor = self.anchor.map(|anchor| self.text.snap(anchor));
                self.anchor = anchor.map(|_| self.cursor);
                self.cursor = anchor.unwrap_or(self.cursor);
            }
            ('x', false) => self.operate(Operator::Delete, self.cursor, self.along(times)),
            ('X', false) => {
                let text = self.text.line(line);
                let from = (0..times).fold(byte, |at, _| text.previous(at));
                self.operate(Operator::Delete, Pos::new(line, from), self.cursor);
            }
            ('s', false) => self.operate(Operator::Change, self.cursor, self.along(times)),
            ('S', false) => self.operate_on_lines(Operator::Change, line, line + times - 1),
            ('D', false) => self.operate(Operator::Delete, self.cursor, end),
            ('C', false) => self.operate(Operator::Change, self.cursor, end),
            ('Y', false) => self.operate_on_lines(Operator::Yank, line, line + times - 1),
            ('p' | 'P', false) => self.put(c == 'p', times),
            ('i', false) => self.insert_at(self.cursor, false),
            ('a', false) => self.insert_at(self.along(1), false),
            ('I', false) => self.insert_at(motion::first_of_line(&self.text, line), false),
            ('A', false) => self.insert_at(end, false),
            ('o', false) => self.insert_at(end, true),
            ('O', false) => {
                self.insert_at(Pos::new(line, 0), true);
                self.cursor = Pos::new(line, 0);
            }
            ('u', false) => {
                for _ in 0..times {
                    if !self.undo() {
                        break;
                    }
                }
            }
            ('.', false) => self.repeat_change(),
            _ => return Outcome::Ignored,
        }
        Outcome::Used
    }

    /// The place `count` characters on in the line.
    fn along(&self, count: usize) -> Pos {
        let line = self.text.line(self.cursor.line);
        let mut byte = self.cursor.byte;
        for _ in 0..count.min(line.len()) {
            byte = line.next(byte);
        }
        Pos::new(self.cursor.line, byte)
    }

    fn note_change(&mut self) {
        if let Some(vi) = &mut self.vi {
            vi.changes = true;
        }
    }

    fn insert_at(&mut self, at: Pos, in_new_line: bool) {
        self.note_change();
        self.move_to(at, false);
        if in_new_line {
            self.edit(at, at, Fragment::plain("\n"), Doing::Other);
        }
        self.enter_insert();
    }

    fn enter_insert(&mut self) {
        self.anchor = None;
        if let Some(vi) = &mut self.vi {
            vi.mode = Mode::Insert;
        }
    }

    fn toggle_visual(&mut self, linewise: bool) {
        let Some(vi) = &mut self.vi else { return };
        if vi.is_visual() && vi.linewise == linewise {
            return self.leave_visual();
        }
        (vi.mode, vi.linewise) = (Mode::Visual, linewise);
        self.anchor = self.anchor.or(Some(self.cursor));
    }

    /// Deletes, changes or yanks what lies between `from` and `to`.
    pub(super) fn operate(&mut self, operator: Operator, from: Pos, to: Pos) {
        if from < to {
            self.killed = Killed { fragment: self.text.slice(from, to), linewise: false };
        }
        self.move_to(from, false);
        if operator != Operator::Yank {
            self.note_change();
            self.edit(from, to, Fragment::default(), Doing::Other);
        }
        if operator == Operator::Change {
            self.enter_insert();
        }
    }

    /// Deletes, changes or yanks the lines from `first` to `last`, as far as there are any.
    pub(super) fn operate_on_lines(&mut self, operator: Operator, first: usize, last: usize) {
        let last = last.min(self.text.lines() - 1);
        let (start, end) = (Pos::new(first, 0), Pos::new(last, self.text.line(last).len()));
        self.killed = Killed { fragment: self.text.slice(start, end), linewise: true };
        match operator {
            Operator::Yank => {
                if self.cursor.line > first {
                    self.move_to(start, false);
                }
            }
            Operator::Change => {
                self.note_change();
                self.move_to(start, false);
                self.edit(start, end, Fragment::default(), Doing::Other);
                self.enter_insert();
            }
            Operator::Delete => {
                self.note_change();
                // A newline goes along: the one behind or, of the last lines, the one before.
                let (from, to) = match self.text.next(end) {
                    Some(after) => (start, after),
                    None => (self.text.previous(start).unwrap_or(start), end),
                };
                self.edit(from, to, Fragment::default(), Doing::Other);
                let line = first.min(self.text.lines() - 1);
                self.move_to(motion::first_of_line(&self.text, line), false);
            }
        }
    }

    fn operate_on_selection(&mut self, operator: Operator) {
        let Some((from, to)) = self.selection() else { return self.leave_visual() };
        let lines = self.anchor.map(|anchor| (anchor.line.min(self.cursor.line), anchor.line.max(self.cursor.line)));
        let linewise = self.vi.as_ref().is_some_and(Vi::linewise);
        self.leave_visual();
        match lines.filter(|_| linewise) {
            Some((first, last)) => self.operate_on_lines(operator, first, last),
            None => self.operate(operator, from, to),
        }
    }

    /// `r`: the character for each that the count or the selection holds; not where there are too few.
    pub(super) fn replace_characters(&mut self, c: char) {
        let Some(vi) = &mut self.vi else { return };
        let count = vi.given_count().unwrap_or(1);
        let visual = vi.is_visual();
        vi.drop_pending();
        let range = if visual { self.selection() } else { Some((self.cursor, self.along(count))) };
        let Some((from, to)) = range else { return self.leave_visual() };
        let old = self.text.slice(from, to);
        let mut characters = 0;
        let mut at = from;
        let mut new = String::new();
        let with = clean(c.encode_utf8(&mut [0; 4]));
        while at < to
            && let Some(next) = self.text.next(at)
        {
            let newline = next.line > at.line;
            new.push_str(if newline { "\n" } else { &with });
            characters += usize::from(!newline);
            at = next;
        }
        self.leave_visual();
        // Chips are not overwritten: their content would be lost by one key.
        if old.text.contains(CHIP) || (!visual && characters < count) {
            return;
        }
        self.note_change();
        let new = if c == '\n' && !visual { with } else { new };
        self.edit(from, to, Fragment::plain(&new), Doing::Other);
        let on_last = self.text.previous(self.cursor).filter(|_| !visual && c != '\n');
        self.move_to(on_last.unwrap_or(if c == '\n' { self.cursor } else { from }), false);
    }

    fn put(&mut self, after: bool, count: usize) {
        let Killed { fragment, linewise } = self.killed.clone();
        let mut piece = Fragment::default();
        if linewise && after {
            piece.append(Fragment::plain("\n"));
        }
        piece.append(fragment);
        if linewise && !after {
            piece.append(Fragment::plain("\n"));
        }
        if piece.is_empty() {
            return;
        }
        self.note_change();
        let mut all = Fragment::default();
        for _ in 0..count.min((PUT_BYTES / piece.text.len()).max(1)) {
            all.append(piece.clone());
        }
        let line = self.cursor.line;
        let at = match (linewise, after) {
            (true, true) => Pos::new(line, self.text.line(line).len()),
            (true, false) => Pos::new(line, 0),
            (false, true) => self.along(1),
            (false, false) => self.cursor,
        };
        let many_lines = all.text.contains('\n');
        self.edit(at, at, all, Doing::Other);
        let to = match linewise {
            true => motion::first_of_line(&self.text, line + usize::from(after)),
            false if many_lines => self.text.snap(at),
            false => self.text.previous(self.cursor).unwrap_or(at),
        };
        self.move_to(to, false);
    }

    /// Puts the register in the place of the selection, which becomes the register.
    fn put_over_selection(&mut self, count: usize) {
        let register = self.killed.clone();
        let Some((from, to)) = self.selection() else { return self.leave_visual() };
        let linewise = self.vi.as_ref().is_some_and(Vi::linewise);
        let mut old = self.text.slice(from, to);
        self.leave_visual();
        self.note_change();
        let mut all = Fragment::default();
        for _ in 0..count.min((PUT_BYTES / register.fragment.text.len().max(1)).max(1)) {
            if !all.is_empty() && register.linewise {
                all.append(Fragment::plain("\n"));
            }
            all.append(register.fragment.clone());
        }
        if linewise && old.text.ends_with('\n') {
            old.text.pop();
            all.append(Fragment::plain("\n"));
        }
        self.edit(from, to, all, Doing::Other);
        self.move_to(self.text.snap(from), false);
        self.killed = Killed { fragment: old, linewise };
    }

    fn repeat_change(&mut self) {
        let Some(vi) = &self.vi else { return };
        let mark = self.undo.mark();
        for (at, key) in vi.last_change.clone().into_iter().enumerate() {
            // A motion that fails here leaves what was typed then: that is not to be taken for commands.
            if at > 0 && self.vi.as_ref().is_none_or(|vi| vi.mode == Mode::Normal && !vi.is_pending()) {
                break;
            }
            self.key(key);
        }
        self.undo.join_since(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    /// `text` after `keys`, typed in normal mode at its start; `⎋` is Esc, `⏎` Enter, `↺` Ctrl-R.
    fn after(text: &str, keys: &str) -> (String, (usize, usize)) {
        let mut composer = Composer::new(true);
        composer.set_text(text);
        composer.restart_vi();
        for c in "⎋gg0".chars().chain(keys.chars()) {
            composer.key(match c {
                '⎋' => KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
                '⏎' => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
                '↺' => KeyEvent::new(KeyCode::Char('r'), KeyModifiers::CONTROL),
                c => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
            });
        }
        (composer.text(), (composer.cursor.line, composer.cursor.byte))
    }

    #[track_caller]
    fn check(text: &str, keys: &str, becomes: &str, cursor: (usize, usize)) {
        assert_eq!(after(text, keys), (becomes.to_owned(), cursor), "{keys} on {text:?}");
    }

    #[test]
    fn operators_take_motions_counts_and_objects() {
        check("one two three", "dw", "two three", (0, 0));
        check("one two three", "2dw", "three", (0, 0));
        check("one two three", "d2w", "three", (0, 0));
        check("one two\nthree", "wdw", "one \nthree", (0, 3));
        check("one two", "wd$", "one ", (0, 3));
        check("one two", "de", " two", (0, 0));
        check("one two", "$db", "one o", (0, 4));
        check("one two", "cwnew⎋", "new two", (0, 2));
        check("a.b c", "cWx⎋", "x c", (0, 0));
        check("one two three", "wdiw", "one  three", (0, 4));
        check("one two three", "wdaw", "one three", (0, 4));
        check("one two", "wdaw", "one", (0, 2));
        check("one two", "wciwx⎋", "one x", (0, 4));
        check("a(b)c", "dfb", ")c", (0, 0));
        check("a(b)c", "dt)", ")c", (0, 0));
        check("a(b)c", "$dF(", "ac", (0, 1));
        check("a,b,c,d", "f,;d,", "a,c,d", (0, 1));
        check("a,b,c,d", "t,;;x", "a,b,,d", (0, 4));
        check("one", "dfx", "one", (0, 0));
    }

    #[test]
    fn lines_are_deleted_changed_and_put() {
        check("one\n two\nthree", "jdd", "one\nthree", (1, 0));
        check("one\ntwo", "jdd", "one", (0, 0));
        check("one\ntwo\nthree", "2dd", "three", (0, 0));
        check("one\ntwo\nthree", "dj", "three", (0, 0));
        check("one\ntwo\nthree", "jdG", "one", (0, 0));
        check("one", "dd", "", (0, 0));
        check("one\ntwo", "ccx⎋", "x\ntwo", (0, 0));
        check("one\ntwo", "Yjp", "one\ntwo\none", (2, 0));
        check("one\ntwo", "yyjP", "one\none\ntwo", (1, 0));
        check("one\ntwo", "ddp", "two\none", (1, 0));
        check("one", "yy2p", "one\none\none", (1, 0));
        check("one two", "yiwP", "oneone two", (0, 2));
        check("ab", "xp", "ba", (0, 1));
        check("a\nb\nc", "3Gx1Gx", "\nb\n", (0, 0));
    }

    #[test]
    fn single_commands_do_what_vi_users_expect() {
        check("abc", "3x", "", (0, 0));
        check("abc", "$X", "ac", (0, 1));
        check("abc", "lD", "a", (0, 0));
        check("abc", "lCx⎋", "ax", (0, 1));
        check("abc", "sx⎋", "xbc", (0, 0));
        check("abc", "Sx⎋", "x", (0, 0));
        check("abc", "2rx", "xxc", (0, 1));
        check("abc", "4rx", "abc", (0, 0));
        check("abc", "lr⏎", "a\nc", (1, 0));
        check(" abc", "Ix⎋Ay⎋", " xabcy", (0, 5));
        check("a", "ab⎋oc⎋Od⎋", "ab\nd\nc", (1, 0));
        check("漢字", "lx", "漢", (0, 0));
    }

    #[test]
    fn changes_are_undone_whole_and_repeated() {
        check("one two", "cwa b⎋u", "one two", (0, 0));
        check("one two", "dwu↺", "two", (0, 0));
        check("one two three", "cwx⎋w.", "x x three", (0, 2));
        check("a b c d", "dw..", "d", (0, 0));
        check("a b", "Ax⎋.u", "a bx", (0, 3));
        // What a failed motion leaves over is not taken for commands.
        check("axb c", "cfx.⎋.", ".b c", (0, 0));
    }

    #[test]
    fn visual_mode_takes_characters_or_lines() {
        check("one two", "vey", "one two", (0, 0));
        check("one two", "ved", " two", (0, 0));
        check("one two", "wviwcx⎋", "one x", (0, 4));
        check("one\ntwo\nthree", "Vjd", "three", (0, 0));
        check("one\ntwo", "lvjd", "oo", (0, 1));
        check("abc", "vlrx", "xxc", (0, 0));
        check("abc", "$vhod", "a", (0, 0));
        check("one two", "yiwwviwp", "one one", (0, 4));
        check("abc", "vl⎋x", "ac", (0, 1));
    }

    #[test]
    fn modes_and_keys_for_the_screen() {
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let mut composer = Composer::new(true);
        composer.paste("text");
        assert_eq!(composer.mode(), Mode::Insert);
        assert_eq!(composer.key(key(KeyCode::Esc)), Outcome::Used);
        assert_eq!((composer.mode(), composer.cursor.byte), (Mode::Normal, 3));
        assert_eq!(composer.key(key(KeyCode::Esc)), Outcome::Ignored);
        assert_eq!(composer.key(key(KeyCode::Char(':'))), Outcome::Ignored);
        composer.key(key(KeyCode::Char('2')));
        assert_eq!(composer.key(key(KeyCode::Esc)), Outcome::Used);
        composer.key(key(KeyCode::Char('v')));
        assert_eq!((composer.mode(), composer.selected().as_deref()), (Mode::Visual, Some("t")));
        composer.key(key(KeyCode::Esc));
        assert_eq!(composer.key(key(KeyCode::Enter)), Outcome::Submit);
        composer.take();
        assert_eq!(composer.mode(), Mode::Insert);
    }
}
