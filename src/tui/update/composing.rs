//! Writing: completion of commands and files, pastes, the history.

use crate::tui::command;
use crate::tui::composer::CompletingKind;
use crate::tui::event::{Effect, FileChoice};
use crate::tui::state::{Item, LineEdit, Overlay, Picker, Prompt, State};

use super::{answer, commands, overlays};

/// Pasted text goes where the keys go.
pub fn paste(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    match &mut state.overlay {
        None if state.search.as_ref().is_some_and(|search| search.typing) => {
            if let Some(search) = &mut state.search {
                search.query.push_str(text.lines().next().unwrap_or_default());
            }
            overlays::search_anew(state);
        }
        None => {
            state.focus = crate::tui::state::Focus::Composer;
            state.composer.paste(text);
            complete(state, effects);
        }
        Some(Overlay::System(composer)) => composer.paste(text),
        Some(_) => overlays::typed(state, effects, |line: &mut LineEdit| {
            line.insert(text);
            Some(true)
        }),
    }
}

/// Enter: a command, or a question.
pub fn submit(state: &mut State, effects: &mut Vec<Effect>) {
    state.completions = None;
    let text = state.composer.text();
    if let Some(parsed) = command::parse(text.trim_end()).filter(|_| state.editing.is_none()) {
        match parsed {
            Ok((command, argument)) => {
                let argument = argument.to_owned();
                // Files that wait for a question go on waiting.
                let files = state.composer.take().1;
                for (name, text) in files {
                    state.composer.attach(&name, text);
                }
                commands::run(state, command, &argument, effects);
            }
            Err(name) => state.complain(format!("/{name} is not a command; F1 shows all")),
        }
        return;
    }
    if text.trim().is_empty() && state.composer.attachments().is_empty() {
        state.composer.clear();
        return;
    }
    if state.is_busy() {
        return state.say("the answer is still coming: Esc stops it, then Enter sends");
    }
    if state.waiting {
        return state.say("your question waits for the model; Esc takes it back");
    }
    if state.attaching > 0 {
        state.send_when_attached = true;
        return state.say("the file is being read; then the question goes");
    }
    answer::send(state, effects);
}

/// Finds what the word before the cursor may become.
pub fn complete(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(completing) = state.composer.completion() else {
        state.completions = None;
        return;
    };
    match completing.kind {
        CompletingKind::Command => {
            let wanted = completing.prefix.trim_start_matches('/');
            let fitting = command::TABLE.iter().filter(|entry| entry.name.starts_with(wanted));
            let items = fitting.map(|entry| Item {
                value: format!("/{}", entry.name),
                label: format!("/{} {}", entry.name, entry.argument),
                detail: entry.help.to_owned(),
            });
            let items: Vec<_> = items.collect();
            state.completions = Some(Picker::new(items)).filter(|picker| picker.chosen().is_some());
        }
        CompletingKind::Path => {
            // What is listed is of an earlier word.
            state.completions.iter_mut().for_each(|picker| picker.pending = true);
            effects.push(Effect::CompletePath(completing.prefix.clone()));
        }
    }
}

/// Files came for the word; it may have changed since.
pub fn files(state: &mut State, prefix: &str, files: &[FileChoice]) {
    if let Some(Overlay::Ask(..)) = state.overlay {
        return;
    }
    let still = state.composer.completion();
    if !still.is_some_and(|now| now.kind == CompletingKind::Path && now.prefix == prefix) {
        return;
    }
    let item = |file: &FileChoice| Item { value: file.path.clone(), label: file.path.clone(), detail: String::new() };
    state.completions = Some(Picker::new(files.iter().map(item).collect())).filter(|picker| picker.chosen().is_some());
}

/// Takes the chosen completion.
pub fn take_completion(state: &mut State, effects: &mut Vec<Effect>) {
    let chosen = state.completions.as_ref().and_then(|picker| picker.chosen().cloned());
    let (Some(chosen), Some(completing)) = (chosen, state.composer.completion()) else { return };
    match completing.kind {
        CompletingKind::Command => {
            state.composer.complete(&completing, &format!("{chosen} "));
            state.completions = None;
        }
        CompletingKind::Path if chosen.ends_with('/') => {
            // An open quote keeps a name with blanks together.
            let quote = if chosen.contains(char::is_whitespace) { "\"" } else { "" };
            state.composer.complete(&completing, &format!("@{quote}{chosen}"));
            complete(state, effects);
        }
        CompletingKind::Path => {
            state.composer.remove_word_for(&completing);
            state.completions = None;
            attach(state, &chosen, effects);
        }
    }
}

/// Has a file read that goes with the next question.
pub fn attach(state: &mut State, file: &str, effects: &mut Vec<Effect>) {
    state.attaching += 1;
    effects.push(Effect::Attach(file.into()));
}

/// A file is here, or cannot be read: what waited for it goes on.
pub fn attached(state: &mut State, here: bool, effects: &mut Vec<Effect>) {
    state.attaching = state.attaching.saturating_sub(1);
    if !here {
        state.send_when_attached = false;
    } else if state.attaching == 0 && std::mem::take(&mut state.send_when_attached) {
        submit(state, effects);
    }
}

/// Asks for a line.
pub fn ask_for(state: &mut State, prompt: Prompt, text: &str) {
    state.overlay = Some(Overlay::Ask(prompt, LineEdit::of(text)));
}
