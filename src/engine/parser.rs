//! An answer as it comes, parted into thoughts, calls of tools and what is for the reader. Text is held back only while
//! it may be part of a marker; a call until it is whole. Calls that are malformed come out as text.

use serde_json::Value as Json;

use super::ToolCall;
use super::call_body;
use super::dialect::Dialect;

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
            let keep = markers.iter().map(|m| super::stop::longest_overlap(&self.held, m)).max().unwrap_or(0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tools() -> Vec<Json> {
        let properties = json!({"city": {"type": "string"}, "days": {"type": "integer"}});
        vec![json!({"type": "function", "function": {"name": "weather", "parameters": {"properties": properties}}})]
    }

    /// Answer, thoughts and calls of a text that comes in `parts`; what is between `‹` and `›` comes as control tokens.
    fn parsed(template: &str, tools: &[Json], prompt: &str, parts: &[&str]) -> (String, String, Vec<(String, Json)>) {
        let dialect = Dialect::of(template, !tools.is_empty(), |_| false);
        let mut parser = Parser::new(dialect, tools, prompt, 0);
        let mut pieces: Vec<Piece> = parts.iter().flat_map(|part| parser.push(part)).collect();
        pieces.extend(parser.finish());
        let (mut answer, mut reasoning, mut calls) = (String::new(), String::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Answer(text) => answer += &text,
                Piece::Reasoning(text) => reasoning += &text,
                Piece::Call(call) => {
                    assert!(!call.id.is_empty());
                    calls.push((call.name, call.arguments));
                }
            }
        }
        (answer, reasoning, calls)
    }

    /// A sample: what betrays the dialect, the end of the prompt, the model's text; answer, thoughts, calls.
    type Sample = (&'static str, &'static str, &'static str, &'static str, &'static str, usize);

    const SAMPLES: &[Sample] = &[
        ("</think>", "", "<think>\nHm, <b>\n\nso.\n</think>\n\nHello < you\n", "Hello < you\n", "Hm, <b>\n\nso.", 0),
        ("</think>", "assistant\n<think>\n", "Hm\n</think>\nHello", "Hello", "Hm", 0),
        ("</think>", "<think>\n\n</think>\n\n", "Hello </thin", "Hello </thin", "", 0),
        ("</think>", "<think>", "cut off ", "", "cut off", 0),
        ("[THINK]", "", "[THINK]a[1][/THINK]b", "b", "a[1]", 0),
        ("<seed:think>", "", "<seed:think>a</seed:think>b", "b", "a", 0),
        (
            "<|START_THINKING|> <|START_TEXT|> <|END_TEXT|>",
            "<|START_THINKING|>",
            "a<|END_THINKING|><|START_TEXT|>b<|END_TEXT|>",
            "b",
            "a",
            0,
        ),
        (
            "<|START_THINKING|><|START_RESPONSE|><|END_RESPONSE|>",
            "",
            "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>",
            "b",
            "a",
            0,
        ),
        ("<|channel>thought <channel|>", "", "<|channel>thought\na\n<channel|>b", "b", "a", 0),
        ("think> <response> </response>", "", "<think>a</think><response>b</response>", "b", "a", 0),
        (
            "assistant<|think|> <|begin|>assistant<|content|>",
            "<|think|>",
            "a<|end|><|begin|>assistant<|content|>b",
            "b",
            "a",
            0,
        ),
        (
            "<tool_call> think>",
            "",
            "<think>t</think>\n\nI look.\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}\n</tool_call>\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}\n</tool_call>\n",
            "I look.",
            "t",
            2,
        ),
        (
            "<tool_call>",
            "",
            "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
            "",
            "",
            1,
        ),
        (
            "<tool_call>",
            "",
            "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key><arg_value>2</arg_value></tool_call>",
            "",
            "",
            1,
        ),
        (
            "<tool_call>",
            "",
            "See <tool_call>{\"name\": oops}</tool_call> there",
            "See <tool_call>{\"name\": oops}</tool_call> there",
            "",
            0,
        ),
        ("<tool_call>", "", "no <tool_ at  all \n", "no <tool_ at  all \n", "", 0),
        (
            "\"parameters\": dictionary",
            "",
            "{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 2}}",
            "",
            "",
            1,
        ),
        ("\"parameters\": dictionary", "", "{\"names\": 1} is JSON", "{\"names\": 1} is JSON", "", 0),
        ("\"parameters\": dictionary", "", "{\"name\": \"weather\"", "{\"name\": \"weather\"", "", 0),
        (
            "<|python_tag|>",
            "",
            "<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 2}}",
            "",
            "",
            1,
        ),
        (
            "[TOOL_CALLS]",
            "",
            "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}]",
            "",
            "",
            1,
        ),
        (
            "[TOOL_CALLS]",
            "",
            "I look.[TOOL_CALLS]weather[ARGS]{\"city\": \"Oslo\", \"days\": 2}[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]{\"city\": \"Oslo\", \"days\": 2}",
            "I look.",
            "",
            2,
        ),
        (
            "<|channel|>analysis",
            "<|start|>assistant",
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello",
            "Hello",
            "Hm.",
            0,
        ),
        (
            "<|channel|>analysis",
            "<|start|>assistant",
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"city\": \"Oslo\", \"days\": 2}<|call|>",
            "",
            "Hm.",
            1,
        ),
        (
            "<|channel|>analysis",
            "<|start|>assistant",
            "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.weather<|channel|>commentary json<|message|>{\"city\": \"Oslo\", \"days\": 2}",
            "I look.",
            "",
            1,
        ),
        ("<|channel|>analysis", "<|start|>assistant", "assist me", "assist me", "", 0),
        (
            "<｜tool▁calls▁begin｜> think>",
            "<think>",
            "t</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"Oslo\", \"days\": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "",
            "t",
            1,
        ),
        (
            "<｜tool▁calls▁begin｜>",
            "",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\": \"Oslo\", \"days\": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "",
            "",
            1,
        ),
        (
            "DSML｜",
            "",
            "ok\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">2</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
            "ok",
            "",
            1,
        ),
        (
            "<minimax:tool_call>",
            "",
            "<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Oslo</parameter>\n<parameter name=\"days\">2</parameter>\n</invoke>\n</minimax:tool_call>",
            "",
            "",
            1,
        ),
        (
            "<|tool_calls_section_begin|>",
            "",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\": \"Oslo\", \"days\": 2}<|tool_call_end|><|tool_calls_section_end|>",
            "",
            "",
            1,
        ),
        ("<|tool_call>call:", "", "<|tool_call>call:weather{city:<|\"|>Oslo<|\"|>,days:2}<tool_call|>", "", "", 1),
        ("<|tool_call_start|>", "", "<|tool_call_start|>[weather(city='Oslo', days=2)]<|tool_call_end|>", "", "", 1),
        (
            "<|START_ACTION|>",
            "",
            "<|START_ACTION|>[\n{\"tool_call_id\": \"0\", \"tool_name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 2}}\n]<|END_ACTION|>",
            "",
            "",
            1,
        ),
        (
            "<|tools_prefix|>",
            "",
            "<|tools_prefix|>[{\"weather\": {\"city\": \"Oslo\", \"days\": 2}}]<|tools_suffix|>",
            "",
            "",
            1,
        ),
        ("<function=", "", "<function=weather>{\"city\": \"Oslo\", \"days\": 2}</function>", "", "", 1),
        (
            "<TOOLCALL>",
            "",
            "<TOOLCALL>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}]</TOOLCALL>",
            "",
            "",
            1,
        ),
    ];

    #[test]
    fn samples_of_all_dialects_part_the_same_wherever_they_are_cut() {
        for (template, prompt, text, answer, reasoning, calls) in SAMPLES {
            let call = ("weather".to_owned(), json!({"city": "Oslo", "days": 2}));
            let expected = ((*answer).to_owned(), (*reasoning).to_owned(), vec![call; *calls]);
            let check = |parts: &[&str]| assert_eq!(parsed(template, &tools(), prompt, parts), expected, "{parts:?}");
            check(&[text]);
            let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            cuts.iter().for_each(|at| check(&[&text[..*at], &text[*at..]]));
            check(&text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn random_markers_part_the_same_wherever_they_are_cut() {
        // Numerical Recipes' generator.
        let mut seed = 1u32;
        let mut draw = move |n: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % n
        };
        let common = [
            "a",
            " ",
            "\n",
            "<",
            "{",
            "}",
            "{\"name\":",
            "[",
            "é",
            "weather",
            "<|end|>",
            "assistant",
            "to=functions.weather ",
        ];
        for (template, prompt, text, ..) in SAMPLES {
            let mut parts: Vec<&str> = text.split_inclusive(['>', ']', '\n']).collect();
            parts.extend(common);
            for _ in 0..40 {
                let text: String = (0..draw(12)).map(|_| parts[draw(parts.len())]).collect();
                let whole = parsed(template, &tools(), prompt, &[&text]);
                let cuts: Vec<&str> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
                assert_eq!(parsed(template, &tools(), prompt, &cuts), whole, "{template} {text:?}");
            }
        }
    }

    #[test]
    fn without_tools_a_call_is_text() {
        let text = "<tool_call>{\"name\": \"weather\", \"arguments\": {}}</tool_call>";
        assert_eq!(parsed("<tool_call>", &[], "", &[text]).0, text);
        let harmony = "<|channel|>commentary to=functions.weather<|message|>{}";
        assert_eq!(parsed("<|channel|>analysis", &[], "", &[harmony]).0, "{}");
    }

    #[test]
    fn only_what_may_be_a_marker_is_held_back() {
        let mut parser = Parser::new(Dialect::of("think> <tool_call>", true, |_| false), &tools(), "", 0);
        assert_eq!(parser.push("a <"), [Piece::Answer("a".to_owned())]);
        assert_eq!(parser.push("b "), [Piece::Answer(" <b".to_owned())]);
        assert_eq!(parser.push("<tool_call>{"), []);
        assert_eq!(parser.push("}"), []);
        assert_eq!(parser.finish(), [Piece::Answer(" <tool_call>{}".to_owned())]);
    }

    #[test]
    fn an_end_inside_a_thought_ends_the_thought_alone() {
        let mut parser = Parser::new(Dialect::of("<|channel|>analysis", false, |_| false), &[], "", 0);
        parser.push("<|channel|>analysis<|message|>a");
        assert!(parser.goes_on_after("<|end|>") && !parser.goes_on_after("<|return|>"));
        parser.push("<|end|><|start|>assistant<|channel|>final<|message|>b");
        assert!(!parser.goes_on_after("<|end|>"));
    }
}
