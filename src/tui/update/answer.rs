//! Questions, and the answers as they come.

use crate::engine::{Finish, Message, Role};
use crate::session::{Attachment, NodeId};
use crate::tui::event::{AnswerEvent, Effect};
use crate::tui::state::{Activity, Answering, Focus, Resumed, State};

/// What came of an answer is written to disk at least so often.
const SAVE_EVERY_MS: i64 = 2_000;

/// Sends what is in the composer, as a new question or as another wording of the one that is edited.
pub fn send(state: &mut State, effects: &mut Vec<Effect>) {
    let (text, attachments) = state.composer.take();
    if text.trim().is_empty() && attachments.is_empty() {
        return;
    }
    let message = Message::new(Role::User, text);
    let edited = state.editing.take().filter(|id| state.session.node(*id).is_some());
    // Templates want questions and answers by turns: one that nobody answered stands beside this one, not before it.
    let unanswered = state.session.leaf().filter(|id| role(state, *id) == Some(Role::User));
    let id = match edited.or(unanswered) {
        Some(other) => state.session.branch(other, message, state.now_ms),
        None => state.session.append(message, state.now_ms),
    };
    state.session.edit_node(id, |node| {
        node.attachments = attachments.into_iter().map(|(name, text)| Attachment { name, text }).collect();
    });
    state.focus = Focus::Composer;
    // What was said of writing it is over.
    state.notice = None;
    state.sync();
    state.transcript.show_end();
    save(state, effects);
    if state.loading.is_some() {
        state.waiting = true;
    } else if state.model.is_none() {
        state.complain("no model answers: choose one with F2");
        take_back(state, effects);
    } else {
        begin(state, Some(id), None, effects);
    }
}

/// Asks for an answer to the last question, which waited for the model.
pub fn ask(state: &mut State, effects: &mut Vec<Effect>) {
    begin(state, state.session.leaf(), None, effects);
}

/// Goes on with the last answer, or answers the last question if nobody did.
pub fn go_on(state: &mut State, effects: &mut Vec<Effect>) {
    if !is_free(state) {
        return;
    }
    let last = state.session.leaf().and_then(|id| state.session.node(id));
    match last.map(|node| (node.id, node.message.role, node.message.content.len())) {
        // It was still thinking: a template would close its thought.
        Some((_, Role::Assistant, 0)) => again(state, usize::MAX, effects),
        Some((id, Role::Assistant, bytes)) => {
            let node = state.session.node(id);
            let resumed =
                Resumed { finish: node.and_then(|node| node.finish), usage: node.and_then(|node| node.usage), bytes };
            begin(state, Some(id), Some(resumed), effects);
        }
        Some((id, ..)) => begin(state, Some(id), None, effects),
        None => state.complain("there is no answer to go on with"),
    }
}

/// Answers the question again that the message at `index` answers, or is.
pub fn again(state: &mut State, index: usize, effects: &mut Vec<Effect>) {
    stop(state, effects);
    if !is_free(state) {
        return;
    }
    let path = state.session.path();
    let question = path.iter().take(index.saturating_add(1)).rfind(|id| role(state, **id) == Some(Role::User));
    let Some(id) = question.copied() else {
        state.complain("there is no question to answer again");
        return;
    };
    let before = state.session.leaf();
    state.session.rewind_to(Some(id));
    begin(state, before, None, effects);
    state.transcript.show_end();
}

/// Whether a model is there and has nothing to do; else why not is said.
fn is_free(state: &mut State) -> bool {
    if state.is_busy() {
        state.complain("the answer is still coming: Esc stops it");
    } else if state.loading.is_some() {
        state.complain("a model is on its way: ask when it is there");
    } else if state.model.is_none() {
        state.complain("no model answers: choose one with F2");
    }
    !state.is_busy() && state.loading.is_none() && state.model.is_some()
}

/// Has the model answer below the leaf, or go on with it. If nothing comes of it, `before` is the leaf again.
fn begin(state: &mut State, before: Option<NodeId>, resumed: Option<Resumed>, effects: &mut Vec<Effect>) {
    let messages = state.session.messages();
    let go_on = resumed.is_some();
    let node = match before.filter(|_| go_on) {
        Some(leaf) => {
            state.session.edit_node(leaf, |node| node.finish = None);
            state.transcript.reopen(leaf, &state.session);
            leaf
        }
        None => state.session.append(Message::new(Role::Assistant, ""), state.now_ms),
    };
    let model = state.model.as_ref().map(|model| model.name.clone());
    state.session.edit_node(node, |node| node.model = model);
    state.last_ticket += 1;
    let (ticket, now_ms) = (state.last_ticket, state.now_ms);
    state.answering = Some(Answering { ticket, node, before, resumed, started_ms: now_ms, saved_ms: now_ms });
    state.activity = Activity::Reading { prompt_tokens: 0 };
    state.sync();
    effects.push(Effect::Generate { ticket, messages, go_on });
}

pub fn role(state: &State, id: NodeId) -> Option<Role> {
    state.session.node(id).map(|node| node.message.role)
}

/// Stops the answer; what came of it stays. A question of which nothing came goes back to where it was written.
pub fn stop(state: &mut State, effects: &mut Vec<Effect>) {
    if std::mem::take(&mut state.waiting) {
        take_back(state, effects);
    }
    cancel(state, true, effects);
}

/// Stops the answer because the conversation goes out of sight: a question stays, with or without an answer.
pub fn park(state: &mut State, effects: &mut Vec<Effect>) {
    state.waiting = false;
    cancel(state, false, effects);
    save(state, effects);
}

fn cancel(state: &mut State, give_back: bool, effects: &mut Vec<Effect>) {
    if let Some(answering) = state.answering.take() {
        effects.push(Effect::Cancel);
        close(state, answering, give_back, effects);
    }
}

/// An answer ends before its end.
fn close(state: &mut State, answering: Answering, give_back: bool, effects: &mut Vec<Effect>) {
    state.pulse.turn_failed();
    let Answering { node, before, resumed, .. } = answering;
    let message = state.session.node(node).map(|node| &node.message);
    let bytes = message.map_or(0, |message| message.content.len());
    let thought = message.is_some_and(|message| message.reasoning_content.is_some());
    match resumed {
        Some(resumed) if resumed.bytes == bytes => {
            state.session.edit_node(node, |node| (node.finish, node.usage) = (resumed.finish, resumed.usage));
            settle(state, node, effects);
        }
        None if bytes == 0 && !thought => {
            state.session.delete(node);
            state.session.rewind_to(before);
            state.activity = rest(state);
            if give_back && before.is_some_and(|before| role(state, before) == Some(Role::User)) {
                take_back(state, effects);
            }
            state.sync();
            save(state, effects);
        }
        _ => {
            state.session.edit_node(node, |node| node.finish = Some(Finish::Cancelled));
            settle(state, node, effects);
        }
    }
}

/// What the model does when it does nothing.
fn rest(state: &State) -> Activity {
    match (&state.loading, &state.model) {
        (Some(_), _) => Activity::Loading,
        (None, Some(_)) => Activity::Ready,
        (None, None) => Activity::NoModel,
    }
}

/// Nobody answers the last question: it goes back into the composer, unless something else is written there by now or
/// it has answers already.
pub fn take_back(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(node) = state.session.leaf().and_then(|id| state.session.node(id)) else { return };
    let answered = state.session.nodes().any(|other| other.parent == Some(node.id));
    if node.message.role != Role::User || answered || !state.composer.is_empty() {
        return;
    }
    let (id, text, attachments) = (node.id, node.message.content.clone(), node.attachments.clone());
    // A long text is a chip again.
    state.composer.paste(&text);
    for attachment in attachments {
        state.composer.attach(&attachment.name, attachment.text);
    }
    let place = state.session.path().len().saturating_sub(1);
    let had_branches = state.session.siblings(id).1 > 1;
    remove(state, id);
    // Another wording of a question stays one.
    state.editing = state.session.path().get(place).copied().filter(|_| had_branches);
    state.sync();
    save(state, effects);
}

/// Deletes a message and what follows it; the branch beside it is shown, if there is one.
pub fn remove(state: &mut State, id: NodeId) {
    let (at, count) = state.session.siblings(id);
    if count > 1 {
        state.session.walk(id, if at > 0 { -1 } else { 1 });
    }
    state.session.delete(id);
}

/// A part of an answer. One that was stopped may still send some, which nobody waits for.
pub fn answer(state: &mut State, ticket: u64, event: AnswerEvent, effects: &mut Vec<Effect>) {
    let Some(answering) = state.answering.filter(|answering| answering.ticket == ticket) else { return };
    let node = answering.node;
    match event {
        AnswerEvent::Started { prompt_tokens } => {
            state.activity = Activity::Reading { prompt_tokens };
            state.pulse.turn_started(prompt_tokens, state.now_ms);
        }
        AnswerEvent::Text(text) => {
            state.pulse.tokens(1, state.now_ms);
            add(state, node, &text);
            save_now_and_then(state, effects);
        }
        AnswerEvent::Reasoning(text) => {
            state.activity = Activity::Thinking;
            state.session.edit_node(node, |node| {
                node.message.reasoning_content.get_or_insert_default().push_str(&text);
            });
            state.transcript.push_reasoning(node, &text);
            save_now_and_then(state, effects);
        }
        AnswerEvent::Done { text, finish, usage, timings } => {
            add(state, node, &text);
            let earlier = answering.resumed.and_then(|resumed| resumed.usage);
            state.session.edit_node(node, |node| {
                let mut whole = usage;
                whole.completion_tokens += earlier.map_or(0, |earlier| earlier.completion_tokens);
                (node.finish, node.usage, node.timings) = (Some(finish), Some(whole), Some(timings));
            });
            state.pulse.turn_done(&usage, &timings);
            state.answering = None;
            settle(state, node, effects);
        }
        AnswerEvent::Failed(reason) => {
            state.answering = None;
            close(state, answering, true, effects);
            state.complain(reason);
        }
    }
}

fn add(state: &mut State, node: NodeId, text: &str) {
    if !text.is_empty() {
        state.activity = Activity::Writing;
        state.session.edit_node(node, |node| node.message.content.push_str(text));
        state.transcript.push(node, text);
    }
}

/// An answer has ended.
fn settle(state: &mut State, node: NodeId, effects: &mut Vec<Effect>) {
    state.activity = rest(state);
    state.transcript.finish(node);
    state.sync();
    save(state, effects);
}

/// Whatever changed goes to disk.
pub fn save(state: &mut State, effects: &mut Vec<Effect>) {
    if state.session.id.is_none() && state.session.is_empty() {
        return;
    }
    if let Some(changes) = state.session.take_changes(state.now_ms) {
        effects.push(Effect::Save { key: state.session_key, changes: Box::new(changes) });
    }
}

pub fn save_now_and_then(state: &mut State, effects: &mut Vec<Effect>) {
    let now_ms = state.now_ms;
    if let Some(answering) = state.answering.as_mut().filter(|answering| now_ms >= answering.saved_ms + SAVE_EVERY_MS) {
        answering.saved_ms = now_ms;
        save(state, effects);
    }
}
