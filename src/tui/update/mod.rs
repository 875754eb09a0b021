//! What changes the chat: an event and the time go in, effects come out.

mod answer;
mod commands;
mod composing;
mod keys;
mod overlays;

use super::event::{Effect, Event, LoadedModel};
use super::state::{Activity, Focus, Overlay, Place, State, shown_name};
use crate::session::{NodeId, Session};
use crate::units;

/// Takes in what happened at `now_ms` (Unix milliseconds).
pub fn update(state: &mut State, event: Event, now_ms: i64) -> Vec<Effect> {
    state.now_ms = now_ms;
    if state.notice.as_ref().is_some_and(|notice| notice.until_ms <= now_ms) {
        state.notice = None;
        state.leaving = false;
    }
    let mut effects = Vec::new();
    match event {
        Event::Tick => answer::save_now_and_then(state, &mut effects),
        Event::Key(key) => keys::key(state, key, &mut effects),
        Event::Paste(text) => composing::paste(state, &text, &mut effects),
        Event::Mouse(mouse) => keys::mouse(state, mouse),
        Event::Resize(columns, rows) => state.size = (columns, rows),
        Event::Loaded(model) => loaded(state, *model, &mut effects),
        Event::NotLoaded(reason) => {
            state.loading = None;
            if std::mem::take(&mut state.waiting) {
                answer::take_back(state, &mut effects);
            }
            if !state.is_busy() {
                state.activity = if state.model.is_some() { Activity::Ready } else { Activity::NoModel };
            }
            state.complain(reason);
        }
        Event::Answer { ticket, event } => answer::answer(state, ticket, event, &mut effects),
        Event::Sample(sample) => drop(state.pulse.on_sample(&sample)),
        Event::Saved { key, id } => {
            if state.session_key == key {
                state.session.id = Some(id);
            }
        }
        Event::Overtaken { key } => overtaken(state, key, &mut effects),
        Event::Sessions(found) => {
            if let Some(Overlay::Sessions(picker)) = &mut state.overlay
                && picker.query.text().trim().is_empty()
            {
                picker.set_items(found.into_iter().map(|summary| overlays::session_item(&summary, now_ms)).collect());
            }
        }
        Event::Hits { query, hits } => {
            if let Some(Overlay::Sessions(picker)) = &mut state.overlay
                && picker.query.text() == query
            {
                picker.set_items(hits.into_iter().map(overlays::hit_item).collect());
            }
        }
        Event::Opened(session) => open(state, *session, &mut effects),
        Event::Models(models) => {
            if let Some(Overlay::Models(picker)) = &mut state.overlay {
                let current = state.model.as_ref().map(|model| model.name.clone());
                picker.set_items(models.into_iter().map(overlays::model_item).collect());
                picker.choose_where(|row| Some(&row.name) == current.as_ref());
            }
        }
        Event::Themes(themes) => {
            if let Some(Overlay::Themes(picker, before)) = &mut state.overlay {
                let current = before.name().to_owned();
                picker.set_items(themes.into_iter().map(overlays::theme_item).collect());
                picker.choose_where(|theme| theme.name == current);
            }
        }
        Event::Theme(theme) => {
            state.theme = *theme;
        }
        Event::Files { prefix, files } => composing::files(state, &prefix, &files),
        Event::Attached { name, text } => {
            let words = format!("{name} goes with the next question ({})", units::bytes(text.len() as u64));
            state.composer.attach(&name, text);
            state.say(words);
            composing::attached(state, true, &mut effects);
        }
        Event::NotAttached(reason) => {
            composing::attached(state, false, &mut effects);
            state.complain(reason);
        }
        Event::History(questions) => state.composer.history(questions),
        Event::Edited(text) => {
            let files = state.composer.attachments();
            state.composer.set_text(text.trim_end_matches(['\r', '\n']));
            files.into_iter().for_each(|(name, text)| state.composer.attach(&name, text));
        }
        Event::Settings { settings, changed } => {
            state.settings = settings;
            if changed {
                let own = state.settings.iter().filter(|setting| setting.own);
                let own: serde_json::Map<String, serde_json::Value> =
                    own.map(|setting| (setting.key.to_owned(), setting.value.clone().into())).collect();
                state.session.set_sampling(Some(own.into()));
                if !state.session.is_empty() {
                    answer::save(state, &mut effects);
                }
            }
            if let Some(Overlay::Settings(picker)) = &mut state.overlay {
                picker.set_items(overlays::setting_items(&state.settings));
            }
        }
        Event::Done(text) => state.say(text),
        Event::Failed(text) => state.complain(text),
    }
    effects
}

/// The program ends: a running answer is stopped, and all is kept.
pub fn leave(state: &mut State, now_ms: i64) -> Vec<Effect> {
    state.now_ms = now_ms;
    let mut effects = Vec::new();
    answer::park(state, &mut effects);
    effects
}

fn loaded(state: &mut State, model: LoadedModel, effects: &mut Vec<Effect>) {
    state.loading = None;
    if !state.is_busy() {
        state.activity = Activity::Ready;
    }
    state.pulse.set_model(&model.facts);
    if state.session.model != model.name {
        state.session.set_model(&model.name);
        answer::save(state, effects);
    }
    effects.push(Effect::Title(format!("oai: {}", shown_name(&model.name))));
    if state.model.as_ref().is_some_and(|before| before.name != model.name) {
        state.say(format!("{} answers from now on", shown_name(&model.name)));
    }
    state.model = Some(model);
    if std::mem::take(&mut state.waiting) {
        answer::ask(state, effects);
    }
}

/// Another oai went on with a conversation, or deleted it: what is here is kept as one of its own.
fn overtaken(state: &mut State, key: u64, effects: &mut Vec<Effect>) {
    if state.session_key == key {
        state.session.detach();
        // Later changes that are under way are those of the old one.
        state.session_key += 1;
        answer::save(state, effects);
    } else if let Some((left, session)) = state.left.as_mut().filter(|(left, _)| *left == key) {
        session.detach();
        state.session_key += 1;
        *left = state.session_key;
        let changes = session.take_changes(state.now_ms).map(Box::new);
        effects.extend(changes.map(|changes| Effect::Save { key: *left, changes }));
        state.session_key += 1;
    } else {
        return;
    }
    state.complain("another oai went on with this conversation: yours is kept as a copy");
}

/// Another conversation comes onto the screen; what was there is on disk.
fn open(state: &mut State, session: Session, effects: &mut Vec<Effect>) {
    answer::park(state, effects);
    let model = session.model.clone();
    let left = std::mem::replace(&mut state.session, session);
    state.left = Some((state.session_key, left));
    state.session_key += 1;
    state.transcript.replace(&state.session);
    state.focus = Focus::Composer;
    state.search = None;
    state.editing = None;
    state.overlay = None;
    state.pulse.new_conversation();
    state.sync();
    let wanted = state.wanted.take().filter(|(id, _)| state.session.id == Some(*id));
    show_node(state, wanted.map(|(_, node)| node));
    let current = state.model.as_ref().map(|model| model.name.as_str());
    if !model.is_empty() && current != Some(model.as_str()) {
        state.say(format!("this conversation was with {model}; /model {model} brings it back"));
    }
    effects.push(Effect::SetAll(state.session.own_settings()));
}

/// Brings a message onto the screen, on whatever branch it is.
fn show_node(state: &mut State, node: Option<NodeId>) {
    let Some(node) = node else { return };
    state.session.show(node);
    state.sync();
    let turn = state.session.path().iter().position(|id| *id == node);
    if let Some(turn) = turn {
        state.transcript.reveal(Place { turn, part: 0, row: 0 }, &state.theme);
    }
}

/// A new conversation with what is set now.
fn begin_anew(state: &mut State, effects: &mut Vec<Effect>) {
    let mut session = Session::new(&state.session.model, state.now_ms);
    session.set_system(state.session.system.as_deref());
    session.set_sampling(state.session.sampling.clone());
    open(state, session, effects);
    state.say("a new conversation; /sessions has the others");
}
