//! Undoing and redoing, in steps of what a person did: a word typed, a paste, a deletion.

use super::text::{Fragment, Pos, Text};

const STEPS_KEPT: usize = 1000;

/// One change: at `at`, `removed` gave way to `inserted`.
#[derive(Debug, Clone)]
pub struct Edit {
    pub at: Pos,
    pub removed: Fragment,
    pub inserted: Fragment,
}

/// What belongs together, with the cursor before and after.
#[derive(Debug, Clone)]
struct Step {
    edits: Vec<Edit>,
    before: Pos,
    after: Pos,
}

#[derive(Debug, Clone, Default)]
pub struct Undo {
    done: Vec<Step>,
    undone: Vec<Step>,
    /// How many steps were ever begun: a mark to join from, which stays right when old steps go.
    begun: usize,
}

impl Undo {
    /// Takes note of `edit`; `joins` the step before instead of beginning one.
    pub fn note(&mut self, edit: Edit, before: Pos, after: Pos, joins: bool) {
        self.undone.clear();
        match self.done.last_mut().filter(|_| joins) {
            Some(step) => {
                step.edits.push(edit);
                step.after = after;
            }
            None => {
                if self.done.len() >= STEPS_KEPT {
                    self.done.drain(..STEPS_KEPT / 10);
                }
                self.done.push(Step { edits: vec![edit], before, after });
                self.begun += 1;
            }
        }
    }

    /// For `join_since`.
    pub fn mark(&self) -> usize {
        self.begun
    }

    /// Makes one step of all that were begun since `mark`.
    pub fn join_since(&mut self, mark: usize) {
        let steps = self.begun.saturating_sub(mark).min(self.done.len());
        let later = self.done.split_off(self.done.len() - steps);
        let joined = later.into_iter().reduce(|mut one, next| {
            one.edits.extend(next.edits);
            Step { after: next.after, ..one }
        });
        self.begun = self.begun + usize::from(joined.is_some()) - steps;
        self.done.extend(joined);
    }

    /// Takes the last step back; the cursor's place, or `None` where there is no step.
    pub fn undo(&mut self, text: &mut Text) -> Option<Pos> {
        let step = self.done.pop()?;
        self.begun = self.begun.saturating_sub(1);
        for edit in step.edits.iter().rev() {
            text.replace(edit.at, edit.inserted.end(edit.at), &edit.removed);
        }
        let cursor = step.before;
        self.undone.push(step);
        Some(cursor)
    }

    /// Does again what was undone last; the cursor's place, or `None` where there is nothing.
    pub fn redo(&mut self, text: &mut Text) -> Option<Pos> {
        let step = self.undone.pop()?;
        for edit in &step.edits {
            text.replace(edit.at, edit.removed.end(edit.at), &edit.inserted);
        }
        let cursor = step.after;
        self.done.push(step);
        self.begun += 1;
        Some(cursor)
    }
}
