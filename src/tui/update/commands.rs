//! What each command does.

use std::path::{Path, PathBuf};

use crate::engine::Role;
use crate::session::{self, NodeId};
use crate::tui::command::{self, Command};
use crate::tui::composer::Composer;
use crate::tui::event::{Effect, Setting};
use crate::tui::state::{Focus, Item, LineEdit, Overlay, Picker, Place, Prompt, Search, State};

use super::{answer, begin_anew, composing, overlays};

/// Runs a command; `argument` is what follows its name.
pub fn run(state: &mut State, command: Command, argument: &str, effects: &mut Vec<Effect>) {
    if let Some(entry) = command::entry_of(command).filter(|entry| entry.argument.is_empty() && !argument.is_empty()) {
        // It may have been a text that begins like a command.
        state.composer.set_text(&format!("/{} {argument}", entry.name));
        return state.complain(format!("/{} takes nothing after it", entry.name));
    }
    match command {
        Command::Help => state.overlay = Some(Overlay::Help { top: 0 }),
        Command::Palette => state.overlay = Some(Overlay::Palette(Picker::new(palette()))),
        Command::Model if argument.is_empty() => {
            state.overlay = Some(Overlay::Models(Picker::pending()));
            effects.push(Effect::ListModels);
        }
        Command::Model => load(state, argument, effects),
        Command::Sessions => {
            let mut picker = Picker::pending();
            picker.searched = true;
            picker.query.set(argument);
            state.overlay = Some(Overlay::Sessions(picker));
            overlays::look_up_sessions(argument, effects);
        }
        Command::Theme if argument.is_empty() => {
            state.overlay = Some(Overlay::Themes(Picker::new(Vec::new()), Box::new(state.theme.clone())));
            effects.push(Effect::ListThemes);
        }
        Command::Theme => {
            effects.push(Effect::LoadTheme(argument.to_owned()));
            effects.push(Effect::KeepTheme(argument.to_owned()));
        }
        Command::Set => set(state, argument, effects),
        Command::Monitor => state.show_monitor = !state.show_monitor,
        Command::System if argument.is_empty() => {
            let mut composer = Composer::new(false);
            composer.set_text(state.session.system.as_deref().unwrap_or_default());
            state.overlay = Some(Overlay::System(Box::new(composer)));
        }
        Command::System => set_system(state, if argument == "-" { "" } else { argument }, effects),
        Command::Find => {
            let mut search = Search { query: argument.to_owned(), typing: argument.is_empty(), ..Search::default() };
            search.run(&mut state.transcript, &state.theme);
            if let Some(place) = search.here().filter(|_| !search.typing) {
                state.focus = Focus::Message(place.turn);
            }
            state.search = Some(search);
            overlays::show_match(state);
        }
        Command::New => begin_anew(state, effects),
        Command::Name if argument.is_empty() => {
            let name = state.session.name.clone().unwrap_or_default();
            composing::ask_for(state, Prompt::Name, &name);
        }
        Command::Name => set_name(state, argument, effects),
        Command::Tag if argument.is_empty() => {
            let tags = state.session.tags.join(" ");
            composing::ask_for(state, Prompt::Tags, &tags);
        }
        Command::Tag => set_tags(state, argument, effects),
        Command::Edit => edit(state),
        Command::Retry => {
            let index = chosen(state).unwrap_or(usize::MAX);
            answer::again(state, index, effects);
        }
        Command::Continue => answer::go_on(state, effects),
        Command::Undo => undo(state, effects),
        Command::Stop => answer::stop(state, effects),
        Command::PreviousBranch => walk(state, -1, effects),
        Command::NextBranch => walk(state, 1, effects),
        Command::Delete => {
            match chosen(state).and_then(|index| state.transcript.turns.get(index)).map(|turn| turn.id) {
                Some(id) => composing::ask_for(state, Prompt::Delete(id), ""),
                None => state.complain("there is nothing to delete"),
            }
        }
        Command::Copy => match chosen(state).and_then(|index| state.transcript.turns.get(index)) {
            Some(turn) => effects.push(Effect::Copy { text: turn.text().to_owned(), what: "the message".to_owned() }),
            None => state.complain("there is nothing to copy"),
        },
        Command::CopyCode => match code_block(state, argument) {
            Ok((number, text)) => effects.push(Effect::Copy { text, what: format!("code block {number}") }),
            Err(reason) => state.complain(reason),
        },
        Command::SaveCode => save_code(state, argument, effects),
        Command::Export if argument.is_empty() => composing::ask_for(state, Prompt::Export, ""),
        Command::Export => export(state, argument, effects),
        Command::Attach if argument.is_empty() => composing::ask_for(state, Prompt::Attach, ""),
        Command::Attach => composing::attach(state, argument, effects),
        Command::Fold => fold(state),
        Command::Editor => effects.push(Effect::Edit(state.composer.text())),
        Command::Redraw => effects.push(Effect::Redraw),
        Command::Suspend => effects.push(Effect::Suspend),
        Command::Quit => quit(state, effects),
    }
}

pub fn quit(state: &mut State, effects: &mut Vec<Effect>) {
    answer::park(state, effects);
    effects.push(Effect::Quit);
}

/// The message that a command is about: the chosen one, or the last.
fn chosen(state: &State) -> Option<usize> {
    match state.focus {
        Focus::Message(index) => Some(index).filter(|index| *index < state.transcript.turns.len()),
        Focus::Composer => state.transcript.turns.len().checked_sub(1),
    }
}

fn palette() -> Vec<Item<Command>> {
    let others = command::TABLE.iter().filter(|entry| entry.command != Command::Palette);
    let item = |entry: &command::Entry| Item {
        value: entry.command,
        label: format!("{}  {}", entry.name, entry.help),
        detail: entry.key.to_owned(),
    };
    others.map(item).collect()
}

pub fn load(state: &mut State, name: &str, effects: &mut Vec<Effect>) {
    if state.is_busy() {
        answer::stop(state, effects);
    }
    state.loading = Some(name.to_owned());
    state.activity = crate::tui::state::Activity::Loading;
    effects.push(Effect::Load(name.to_owned()));
}

fn set(state: &mut State, argument: &str, effects: &mut Vec<Effect>) {
    let (key, value) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let known: Option<&Setting> = state.settings.iter().find(|setting| setting.key == key);
    match (known.map(|setting| (setting.key, setting.value.clone())), value.trim()) {
        _ if key.is_empty() => {
            let items = overlays::setting_items(&state.settings);
            state.overlay = Some(Overlay::Settings(Picker::new(items)));
        }
        (None, _) => {
            let keys: Vec<&str> = state.settings.iter().map(|setting| setting.key).collect();
            state.complain(format!("{key} cannot be set here; there are {}", keys.join(", ")));
        }
        (Some((key, value)), "") => composing::ask_for(state, Prompt::Set(key), &value),
        (Some((key, _)), value) => effects.push(Effect::Set { key: key.to_owned(), value: value.to_owned() }),
    }
}

pub fn set_system(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    let text = text.trim_end();
    state.session.set_system(Some(text).filter(|text| !text.is_empty()));
    state.say(if text.is_empty() { "no system message" } else { "the system message is set" });
    answer::save(state, effects);
}

pub fn set_name(state: &mut State, name: &str, effects: &mut Vec<Effect>) {
    let name = name.trim();
    if let Err(error) = session::check_name(name) {
        return state.complain(error.to_string());
    }
    state.session.set_name(Some(name).filter(|name| !name.is_empty()));
    state.title = state.session.title();
    answer::save(state, effects);
}

pub fn set_tags(state: &mut State, tags: &str, effects: &mut Vec<Effect>) {
    let split = |c: char| c.is_whitespace() || c == ',';
    let tags: Vec<String> = tags.split(split).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    state.session.set_tags(&tags);
    answer::save(state, effects);
}

/// Puts a question back into the composer; sending it makes a branch.
fn edit(state: &mut State) {
    if !state.composer.is_empty() {
        state.focus = Focus::Composer;
        return state.complain("send what you are writing first, or clear it with Ctrl-C");
    }
    let index = chosen(state).unwrap_or(0);
    let path = state.session.path();
    let question = path.iter().take(index + 1).rev().copied().find(|id| answer::role(state, *id) == Some(Role::User));
    let Some(node) = question.and_then(|id| state.session.node(id)) else {
        state.complain("there is no question to edit");
        return;
    };
    let (id, text, attachments) = (node.id, node.message.content.clone(), node.attachments.clone());
    state.editing = Some(id);
    state.focus = Focus::Composer;
    state.composer.set_text(&text);
    for attachment in attachments {
        state.composer.attach(&attachment.name, attachment.text);
    }
    state.say("Enter sends it again, as a branch; Esc leaves it as it was");
}

fn walk(state: &mut State, step: isize, effects: &mut Vec<Effect>) {
    if state.is_busy() || state.waiting {
        state.complain("the answer is still to come: Esc stops it");
        return;
    }
    // Without a choice, the last message that has branches.
    let path = state.session.path();
    let has_branches = |index: &usize| path.get(*index).is_some_and(|id| state.session.siblings(*id).1 > 1);
    let index = match state.focus {
        Focus::Message(index) => Some(index).filter(has_branches),
        Focus::Composer => (0..path.len()).rev().find(has_branches),
    };
    match index.and_then(|index| path.get(index)).copied() {
        Some(id) if state.session.walk(id, step) => {
            state.sync();
            answer::save(state, effects);
        }
        Some(_) => state.say("there is no branch further on"),
        None => state.say("this message has no branches"),
    }
}

pub fn delete(state: &mut State, id: NodeId, effects: &mut Vec<Effect>) {
    answer::park(state, effects);
    if state.session.node(id).is_some() {
        answer::remove(state, id);
        state.focus = Focus::Composer;
        state.sync();
        answer::save(state, effects);
    }
}

/// Takes back the last question and what came of it; the question is in the composer again.
fn undo(state: &mut State, effects: &mut Vec<Effect>) {
    answer::park(state, effects);
    let path = state.session.path();
    let question = path.iter().rfind(|id| answer::role(state, **id) == Some(Role::User));
    let Some(node) = question.and_then(|id| state.session.node(*id)) else {
        return state.complain("there is nothing to take back");
    };
    let (id, text) = (node.id, node.message.content.clone());
    answer::remove(state, id);
    state.composer.set_text(&text);
    state.sync();
    answer::save(state, effects);
}

fn fold(state: &mut State) {
    let wanted = |turn: usize| state.transcript.turns.get(turn).is_some_and(|turn| !turn.reasoning().is_empty());
    let index = match state.focus {
        Focus::Message(index) => Some(index),
        Focus::Composer => (0..state.transcript.turns.len()).rev().find(|turn| wanted(*turn)),
    };
    match index.filter(|index| wanted(*index)) {
        Some(index) => {
            state.transcript.fold(index);
            // A search finds what is open.
            state.sync();
        }
        None => state.say("this message has no thoughts"),
    }
}

/// The nth code block of the chosen message, or of the conversation from the last one back: its number and text.
fn code_block(state: &mut State, which: &str) -> Result<(usize, String), String> {
    let index = chosen(state);
    let mut last_with_code = || {
        let turns = &mut state.transcript.turns;
        (0..turns.len()).rev().find(|turn| turns.get_mut(*turn).is_some_and(|turn| !turn.code_blocks().is_empty()))
    };
    let index = match state.focus {
        Focus::Message(_) => index,
        Focus::Composer => last_with_code(),
    };
    let blocks = index.and_then(|index| state.transcript.turns.get_mut(index)).map(|turn| turn.code_blocks());
    let blocks = blocks.unwrap_or_default();
    let number = match which {
        "" => blocks.len(),
        which => which.parse().map_err(|_| format!("{which} is not the number of a code block"))?,
    };
    let block = number.checked_sub(1).and_then(|at| blocks.get(at));
    match (block, blocks.len()) {
        (Some(block), _) => Ok((number, block.text.clone())),
        (None, 0) => Err("there is no code block".to_owned()),
        (None, count) => Err(format!("there is no code block {number}: the message has {count}")),
    }
}

fn save_code(state: &mut State, argument: &str, effects: &mut Vec<Effect>) {
    let (first, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let is_number = !first.is_empty() && first.chars().all(|c| c.is_ascii_digit());
    let (which, file) = if is_number { (first, rest.trim()) } else { ("", argument) };
    match code_block(state, which) {
        Ok((_, text)) if file.is_empty() => composing::ask_for(state, Prompt::SaveCode(with_line_break(text)), ""),
        Ok((_, text)) => effects.push(Effect::Write { path: PathBuf::from(file), text: with_line_break(text) }),
        Err(reason) => state.complain(reason),
    }
}

fn with_line_break(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

pub fn export(state: &mut State, file: &str, effects: &mut Vec<Effect>) {
    let path = PathBuf::from(file);
    let extension = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let text = match extension.as_str() {
        "md" | "markdown" => session::markdown(&state.session),
        "json" => session::json(&state.session),
        "html" | "htm" => session::html(&state.session),
        _ => {
            state.complain(format!("{file} ends neither in .md nor in .json nor in .html"));
            return;
        }
    };
    effects.push(Effect::Write { path, text });
}

/// Runs what was asked for with a line.
pub fn answered(state: &mut State, prompt: &Prompt, line: &LineEdit, effects: &mut Vec<Effect>) {
    let text = line.text().trim();
    match prompt {
        Prompt::Name => set_name(state, text, effects),
        Prompt::Tags => set_tags(state, text, effects),
        Prompt::Set(key) => effects.push(Effect::Set { key: (*key).to_owned(), value: text.to_owned() }),
        _ if text.is_empty() => {}
        Prompt::Export => export(state, text, effects),
        Prompt::Attach => composing::attach(state, text, effects),
        Prompt::SaveCode(code) => effects.push(Effect::Write { path: PathBuf::from(text), text: code.clone() }),
        Prompt::DeleteSession(_) | Prompt::Delete(_) => {}
    }
}

/// Chooses a message and brings it into sight.
pub fn choose(state: &mut State, index: usize) {
    if index < state.transcript.turns.len() {
        state.focus = Focus::Message(index);
        state.transcript.reveal(Place { turn: index, part: 0, row: 0 }, &state.theme);
    }
}
