//! An answer as it comes, parted into thoughts, calls of tools and what is for the reader. Text is held back only while
//! it may be part of a marker; a call until it is whole. Calls that are malformed come out as text.

mod call_body;
mod dialect;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

pub use self::dialect::Dialect;
use super::ToolCall;
use super::stop::longest_overlap;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Answer(String),
    Reasoning(String),
    Call(ToolCall),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Answer,
    Reasoning,
    /// Inside a call that ends with this marker, or with the text where it is empty; and what opened it.
    Call {
        open: &'static str,
        close: &'static str,
    },
    /// gpt-oss: before a message, between `<|start|>` and `<|message|>`.
    Header,
}

/// Parts of the text, in order.
pub struct Parser {
    dialect: Dialect,
    tools: Vec<Json>,
    state: State,
    held: String,
    /// White space that belongs to the text only if more text follows.
    space: String,
    /// Nothing of this part was told yet: its leading white space is dropped.
    fresh: bool,
    /// Nothing but thoughts came yet.
    at_start: bool,
    /// gpt-oss: the function that the message calls, and whether the message is the last.
    recipient: Option<String>,
    last: bool,
    calls: usize,
    /// Makes the ids of calls unique in a conversation.
    seed: usize,
}

impl Parser {
    /// For the answer to `prompt` (as rendered); `seed` grows with the conversation.
    pub fn new(dialect: Dialect, tools: &[Json], prompt: &str, seed: usize) -> Parser {
        let inside = dialect.begins_inside(prompt);
        let state = match (dialect.harmony, inside) {
            (true, _) => State::Header,
            (_, true) => State::Reasoning,
            _ => State::Answer,
        };
        Parser {
            dialect,
            tools: tools.to_vec(),
            state,
            held: String::new(),
            space: String::new(),
            fresh: inside,
            at_start: true,
            recipient: None,
            last: false,
            calls: 0,
            seed,
        }
    }

    /// Whether any call was told.
    pub fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// Whether a token of this spelling, which elsewhere ends an answer, here only ends a part of it.
    pub fn goes_on_after(&self, piece: &str) -> bool {
        match self.dialect.reasoning {
            _ if self.dialect.harmony => piece == "<|end|>" && !self.last,
            Some((_, close)) => self.state == State::Reasoning && piece == close,
            None => false,
        }
    }

    /// Adds the spelling of a control token, if that may be part of a marker.
    pub fn push_control(&mut self, piece: &str) -> Vec<Piece> {
        if self.dialect.watches(piece) { self.push(piece) } else { Vec::new() }
    }

    /// Adds text; returns what is certain now.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut out = Vec::new();
        while self.step(&mut out) {}
        out
    }

    /// What is left at the end of the text.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut out = Vec::new();
        let held = std::mem::take(&mut self.held);
        match self.state {
            // A call without a closing marker ends here; one with it may lack only that.
            State::Call { open, .. } => {
                if !self.call(&body(open, &held), &mut out) {
                    self.text(&format!("{open}{held}"), &mut out);
                }
            }
            // Half a header is no text of anyone.
            State::Header if held.trim_start().starts_with('<') => {}
            _ => self.text(&held, &mut out),
        }
        let space = std::mem::take(&mut self.space);
        if self.state != State::Reasoning && !self.has_calls() && !self.fresh {
            tell(&mut out, Piece::Answer(space));
        }
        out
    }

    /// Works on what is held; whether there may be more to do.
    fn step(&mut self, out: &mut Vec<Piece>) -> bool {
        match self.state {
            State::Header => self.header(),
            State::Call { open, close } => self.inside_call(open, close, out),
            State::Reasoning => {
                let closes: &[&str] = match self.dialect.reasoning {
                    Some((_, close)) => &[close],
                    None => &["<|end|>", "<|start|>", "<|return|>", "<|channel|>"],
                };
                let Some((at, close)) = self.find(closes, out) else { return false };
                let text = self.held[..at].to_owned();
                self.text(&text, out);
                self.space.clear();
                self.fresh = true;
                self.leave(at, close);
                true
            }
            State::Answer => self.answer(out),
        }
    }

    fn answer(&mut self, out: &mut Vec<Piece>) -> bool {
        if self.dialect.harmony {
            let Some((at, end)) = self.find(&["<|end|>", "<|start|>", "<|return|>", "<|channel|>"], out) else {
                return false;
            };
            let text = self.held[..at].to_owned();
            self.text(&text, out);
            self.leave(at, end);
            return true;
        }
        if self.dialect.bare_calls && self.at_start {
            let begun: String = self.held.chars().filter(|c| !c.is_whitespace()).take(8).collect();
            match ["{\"name\":", "{\"type\":"].iter().any(|form| form.starts_with(&begun) || begun.starts_with(form)) {
                true if begun.chars().count() < 8 => return false,
                true => {
                    self.state = State::Call { open: "", close: "" };
                    return true;
                }
                false => {}
            }
        }
        let opens = self.dialect.calls.iter().map(|(open, _)| *open);
        let thought = self.dialect.reasoning.iter().map(|(open, _)| *open);
        let markers: Vec<&'static str> = thought.chain(opens).chain(self.dialect.frames.iter().copied()).collect();
        let Some((at, marker)) = self.find(&markers, out) else { return false };
        let text = self.held[..at].to_owned();
        self.text(&text, out);
        self.held.drain(..at + marker.len());
        if self.dialect.reasoning.is_some_and(|(open, _)| open == marker) {
            self.state = State::Reasoning;
            self.fresh = true;
        } else if let Some((open, close)) = self.dialect.calls.iter().find(|(open, _)| *open == marker) {
            self.state = State::Call { open, close };
        } else {
            self.fresh = self.at_start;
        }
        true
    }

    /// After a part that ended at `at` with `marker`.
    fn leave(&mut self, at: usize, marker: &str) {
        if self.dialect.harmony {
            // The next message's own marks belong to its header.
            let begins = matches!(marker, "<|start|>" | "<|channel|>");
            self.held.drain(..if begins { at } else { at + marker.len() });
            self.state = State::Header;
            self.recipient = None;
        } else {
            self.held.drain(..at + marker.len());
            self.state = State::Answer;
        }
    }

    fn inside_call(&mut self, open: &'static str, close: &'static str, out: &mut Vec<Piece>) -> bool {
        let ends: &[&str] =
            if self.dialect.harmony { &["<|call|>", "<|end|>", "<|start|>", "<|return|>"] } else { &[close] };
        if close.is_empty() && !self.dialect.harmony {
            return false;
        }
        let first = ends.iter().filter_map(|end| Some((self.held.find(end)?, *end))).min();
        let Some((at, end)) = first else { return false };
        let inside = self.held[..at].to_owned();
        if !self.call(&body(open, &inside), out) {
            let end = if self.dialect.harmony { "" } else { end };
            self.text(&format!("{open}{inside}{end}"), out);
        }
        self.leave(at, end);
        true
    }

    /// gpt-oss: `[<|start|>assistant] [to=functions.NAME]<|channel|>CHANNEL [to=functions.NAME] ...<|message|>`.
    fn header(&mut self) -> bool {
        const MARKS: [&str; 5] = ["<|start|>", "<|channel|>", "<|end|>", "assistant", "to="];
        let held = self.held.trim_start();
        if held.is_empty() {
            return false;
        }
        if !MARKS.iter().any(|mark| held.starts_with(mark) || mark.starts_with(held)) {
            // No header: a model that does not keep to the form is read as it is.
            self.state = State::Answer;
            self.last = true;
            return true;
        }
        let Some(at) = self.held.find("<|message|>") else { return false };
        let header = self.held[..at].to_owned();
        self.held.drain(..at + "<|message|>".len());
        let channel = header.split("<|channel|>").nth(1).unwrap_or_default();
        let recipient = header.split("to=functions.").nth(1);
        let name =
            |text: &str| text.split(|c: char| c.is_whitespace() || c == '<').next().unwrap_or_default().to_owned();
        self.recipient = recipient.map(name).filter(|_| !self.tools.is_empty());
        self.fresh = true;
        self.last = channel.trim_start().starts_with("final");
        self.state = if self.recipient.is_some() {
            State::Call { open: "", close: "" }
        } else if channel.trim_start().starts_with("analysis") {
            State::Reasoning
        } else {
            State::Answer
        };
        true
    }

    /// Tells the calls in `body`; whether there are any.
    fn call(&mut self, body: &str, out: &mut Vec<Piece>) -> bool {
        let found = match &self.recipient {
            Some(name) => serde_json::from_str(body.trim())
                .ok()
                .filter(Json::is_object)
                .map(|arguments| vec![call_body::Call { id: None, name: name.clone(), arguments }]),
            None => call_body::calls(body, &self.tools),
        };
        for call in found.iter().flatten() {
            self.calls += 1;
            // Nine characters, which Mistral's templates insist on.
            let id = call.id.clone().unwrap_or_else(|| format!("call{:05}", (self.seed * 16 + self.calls) % 100_000));
            out.push(Piece::Call(ToolCall { id, name: call.name.clone(), arguments: call.arguments.clone() }));
        }
        if found.is_some() {
            self.space.clear();
            self.fresh = true;
        }
        found.is_some()
    }

    /// Finds the first of `markers`; without any, tells what cannot be part of one.
    fn find(&mut self, markers: &[&'static str], out: &mut Vec<Piece>) -> Option<(usize, &'static str)> {
        let found = markers.iter().filter_map(|m| Some((self.held.find(m)?, *m))).min_by_key(|(at, m)| (*at, m.len()));
        if found.is_none() {
            let keep = markers.iter().map(|m| longest_overlap(&self.held, m)).max().unwrap_or(0);
            let text: String = self.held.drain(..self.held.len() - keep).collect();
            self.text(&text, out);
        }
        found
    }

    /// Tells text of the present part, without the white space around it where that is only layout.
    fn text(&mut self, text: &str, out: &mut Vec<Piece>) {
        let mut text = text;
        if self.fresh {
            text = text.trim_start();
        }
        if text.is_empty() {
            return;
        }
        self.fresh = false;
        let reasoning = self.state == State::Reasoning;
        // Space before a marker is layout; elsewhere nothing is held back for it.
        let layout = reasoning || !self.dialect.calls.is_empty();
        let kept = if layout { text.trim_end().len() } else { text.len() };
        if kept > 0 {
            let told = std::mem::take(&mut self.space) + &text[..kept];
            self.at_start = self.at_start && reasoning;
            tell(out, if reasoning { Piece::Reasoning(told) } else { Piece::Answer(told) });
        }
        self.space.push_str(&text[kept..]);
    }
}

/// What of a call is read: `<function=NAME>` carries the name in its marker.
fn body(open: &str, inside: &str) -> String {
    if open == "<function=" { format!("{open}{inside}") } else { inside.to_owned() }
}

/// Adds a piece, to the one before it where they are of a kind.
fn tell(out: &mut Vec<Piece>, piece: Piece) {
    match (out.last_mut(), &piece) {
        (_, Piece::Answer(text) | Piece::Reasoning(text)) if text.is_empty() => {}
        (Some(Piece::Answer(before)), Piece::Answer(text)) => before.push_str(text),
        (Some(Piece::Reasoning(before)), Piece::Reasoning(text)) => before.push_str(text),
        _ => out.push(piece),
    }
}
