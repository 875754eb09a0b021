//! What `oai top` shows, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::monitor::{Running, Sample, StopError};
use crate::tui::pulse::Machine;

/// In which order processes are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The oldest first.
    #[default]
    Age,
    /// The busiest first.
    Cpu,
    /// The largest first.
    Memory,
    /// The fastest first.
    Speed,
}

impl Sort {
    pub fn name(self) -> &'static str {
        match self {
            Sort::Age => "age",
            Sort::Cpu => "CPU",
            Sort::Memory => "memory",
            Sort::Speed => "speed",
        }
    }

    fn next(self) -> Sort {
        match self {
            Sort::Age => Sort::Cpu,
            Sort::Cpu => Sort::Memory,
            Sort::Memory => Sort::Speed,
            Sort::Speed => Sort::Age,
        }
    }
}

#[derive(Debug, Default)]
pub struct State {
    pub machine: Machine,
    /// Sorted.
    pub running: Vec<Running>,
    pub sort: Sort,
    /// The number of the selected process: it stays the one when the order changes.
    selected: Option<u32>,
    /// Whether to stop it is the question.
    pub asking: Option<Running>,
    /// What came of the last answer, until the next key.
    pub note: Option<String>,
}

#[derive(Debug)]
pub enum Event {
    Key(KeyEvent),
    Looked { sample: Sample, running: Vec<Running> },
    Stopped { pid: u32, result: Result<(), StopError> },
}

/// What the outside has to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    Leave,
    Stop(Box<Running>),
}

impl State {
    /// The place of the selected process in the list: the first where none was selected or it is gone.
    pub fn selected(&self) -> Option<usize> {
        let found = self.running.iter().position(|running| Some(running.pid) == self.selected);
        found.or((!self.running.is_empty()).then_some(0))
    }

    fn select(&mut self, index: usize) {
        let last = self.running.len().saturating_sub(1);
        self.selected = self.running.get(index.min(last)).map(|running| running.pid);
    }

    fn order(&mut self) {
        let by = |key: fn(&Running) -> f64| move |a: &Running, b: &Running| key(b).total_cmp(&key(a));
        // By age first, so that equals keep their places.
        self.running.sort_by_key(|running| (running.started_ms, running.pid));
        match self.sort {
            Sort::Age => {}
            Sort::Cpu => self.running.sort_by(by(|running| running.cpu_percent.into())),
            Sort::Memory => self.running.sort_by(by(|running| running.resident_bytes as f64)),
            Sort::Speed => self.running.sort_by(by(|running| running.status.decode_tokens_per_s.unwrap_or(-1.0))),
        }
    }
}

pub fn update(state: &mut State, event: Event) -> Option<Effect> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => None,
        Event::Key(key) => on_key(state, key),
        Event::Looked { sample, running } => {
            state.machine.update(&sample);
            // A question about what is gone is answered.
            state.asking = state.asking.take().filter(|asked| running.iter().any(|one| one.is_same(asked)));
            // Whoever was selected by being the first is not let go of when another comes before.
            let index = state.selected();
            if let Some(index) = index.filter(|_| state.selected.is_none()) {
                state.select(index);
            }
            let before = index.unwrap_or(0);
            state.running = running;
            state.order();
            if !state.running.iter().any(|running| Some(running.pid) == state.selected) {
                state.select(before);
            }
            None
        }
        Event::Stopped { pid, result } => {
            state.note = Some(match result {
                Ok(()) => format!("process {pid} was asked to end"),
                Err(error) => error.to_string(),
            });
            None
        }
    }
}

fn on_key(state: &mut State, key: KeyEvent) -> Option<Effect> {
    state.note = None;
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return Some(Effect::Leave);
    }
    // Any other key than yes means no.
    if let Some(asked) = state.asking.take() {
        let yes = matches!(key.code, KeyCode::Char('y' | 'Y'));
        return yes.then(|| Effect::Stop(Box::new(asked)));
    }
    let index = state.selected().unwrap_or(0);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Some(Effect::Leave),
        KeyCode::Up => state.select(index.saturating_sub(1)),
        KeyCode::Down => state.select(index + 1),
        KeyCode::Home => state.select(0),
        KeyCode::End => state.select(usize::MAX),
        KeyCode::Char('k') | KeyCode::Delete => {
            state.select(index);
            state.asking = state.running.get(index).cloned();
        }
        KeyCode::Char('s') => {
            state.select(index);
            state.sort = state.sort.next();
            state.order();
        }
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::{Memory, ProcessSample, Status};

    fn running(pid: u32, cpu_percent: f32) -> Running {
        let mut running = Running::example(pid, Status::default());
        running.cpu_percent = cpu_percent;
        running
    }

    fn look(state: &mut State, running: Vec<Running>) {
        let memory = Memory { total_bytes: 8, available_bytes: 4, limited: false };
        let process = ProcessSample::default();
        let sample = Sample { cpu_percent: vec![1.0], memory, process, gpus: Vec::new() };
        assert_eq!(update(state, Event::Looked { sample, running }), None);
    }

    fn press(state: &mut State, code: KeyCode) -> Option<Effect> {
        update(state, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    fn pids(state: &State) -> Vec<u32> {
        state.running.iter().map(|running| running.pid).collect()
    }

    fn selected(state: &State) -> Option<u32> {
        state.selected().map(|index| state.running[index].pid)
    }

    #[test]
    fn the_selection_follows_its_process() {
        let mut state = State::default();
        assert_eq!(press(&mut state, KeyCode::Down), None);
        look(&mut state, vec![running(2, 5.0), running(1, 9.0), running(3, 7.0)]);
        assert_eq!((pids(&state), selected(&state)), (vec![1, 2, 3], Some(1)));
        press(&mut state, KeyCode::Down);
        press(&mut state, KeyCode::Char('s'));
        assert_eq!((pids(&state), selected(&state), state.sort), (vec![1, 3, 2], Some(2), Sort::Cpu));
        press(&mut state, KeyCode::Down);
        assert_eq!(selected(&state), Some(2), "the list ends here");
        look(&mut state, vec![running(1, 0.0), running(2, 50.0), running(3, 7.0)]);
        assert_eq!((pids(&state), selected(&state)), (vec![2, 3, 1], Some(2)));
        look(&mut state, vec![running(1, 0.0), running(3, 7.0)]);
        assert_eq!(selected(&state), Some(3), "its neighbour takes the place of one that is gone");
        press(&mut state, KeyCode::End);
        assert_eq!(selected(&state), Some(1));
        look(&mut state, vec![]);
        assert_eq!((selected(&state), press(&mut state, KeyCode::Delete)), (None, None));
        assert!(state.asking.is_none(), "there is nothing to stop");
    }

    #[test]
    fn one_is_stopped_only_after_a_yes() {
        let mut state = State::default();
        look(&mut state, vec![running(1, 5.0), running(2, 9.0)]);
        press(&mut state, KeyCode::Down);
        for no in [KeyCode::Char('n'), KeyCode::Esc, KeyCode::Enter, KeyCode::Char('q')] {
            press(&mut state, KeyCode::Char('k'));
            assert_eq!(state.asking.as_ref().map(|asked| asked.pid), Some(2));
            assert_eq!((press(&mut state, no), state.asking.is_none()), (None, true));
        }
        press(&mut state, KeyCode::Delete);
        let Some(Effect::Stop(asked)) = press(&mut state, KeyCode::Char('y')) else { panic!("it was answered") };
        assert_eq!(asked.pid, 2);
        let result = Err(StopError::Refused { pid: 2 });
        update(&mut state, Event::Stopped { pid: 2, result });
        assert_eq!(state.note.as_deref(), Some("process 2 cannot be stopped by this user"));
        press(&mut state, KeyCode::Up);
        assert_eq!(state.note, None);
    }

    #[test]
    fn a_question_goes_with_its_process() {
        let mut state = State::default();
        look(&mut state, vec![running(1, 5.0)]);
        press(&mut state, KeyCode::Char('k'));
        look(&mut state, vec![running(2, 9.0)]);
        assert!(state.asking.is_none());
        assert_eq!(press(&mut state, KeyCode::Char('y')), None);
    }

    #[test]
    fn three_keys_leave() {
        let mut state = State::default();
        assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Effect::Leave));
        assert_eq!(press(&mut state, KeyCode::Esc), Some(Effect::Leave));
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        look(&mut state, vec![running(1, 5.0)]);
        press(&mut state, KeyCode::Char('k'));
        assert_eq!(update(&mut state, Event::Key(control_c)), Some(Effect::Leave), "from a question too");
        let release = KeyEvent { kind: KeyEventKind::Release, ..control_c };
        assert_eq!(update(&mut state, Event::Key(release)), None);
    }
}
