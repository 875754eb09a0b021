//! What a template is given by others must never become a control token: before the render, what spells one in such a
//! text loses its first character to a stand-in; after it, the stand-ins go back and their places are told.

use std::ops::Range;

use serde_json::Value as Json;

/// First characters of control tokens, and what stands in for each.
pub struct StandIns {
    controls: Vec<String>,
    pairs: Vec<(char, char)>,
}

impl StandIns {
    /// `controls` are the spellings of the control tokens; stand-ins are private-use characters that neither `context`
    /// nor `template` holds.
    pub fn new(controls: Vec<String>, context: &Json, template: &str) -> StandIns {
        let mut firsts: Vec<char> = controls.iter().filter_map(|c| c.chars().next()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let given = context.to_string();
        let mut free = ('\u{f0000}'..'\u{ffffe}').filter(|c| !given.contains(*c) && !template.contains(*c));
        let pairs = firsts.into_iter().zip(&mut free).collect();
        StandIns { controls, pairs }
    }

    /// Replaces in every text of `value`, names of members included.
    pub fn put(&self, value: &mut Json) {
        match value {
            Json::String(text) => {
                if let Some(marked) = self.marked(text) {
                    *text = marked;
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.put(item)),
            Json::Object(map) => {
                for (name, mut item) in std::mem::take(map) {
                    self.put(&mut item);
                    map.insert(self.marked(&name).unwrap_or(name), item);
                }
            }
            _ => {}
        }
    }

    /// `text` with stand-ins, if it spells a control token, or ends in what a template could make one of.
    fn marked(&self, text: &str) -> Option<String> {
        let stand_in = |(at, c): (usize, char)| {
            let (_, to) = self.pairs.iter().find(|(from, _)| *from == c)?;
            let rest = &text[at..];
            let spells = |control: &String| rest.starts_with(control.as_str()) || control.starts_with(rest);
            self.controls.iter().any(spells).then_some((at, *to))
        };
        let mut places = text.char_indices().filter_map(stand_in).peekable();
        places.peek()?;
        let mut out = String::with_capacity(text.len() + 8);
        let mut after = 0;
        for (at, to) in places {
            out.push_str(&text[after..at]);
            out.push(to);
            after = at + text[at..].chars().next().map_or(0, char::len_utf8);
        }
        out.push_str(&text[after..]);
        Some(out)
    }

    /// Puts the characters back; returns the text and the byte ranges that had a stand-in.
    pub fn take(&self, text: String) -> (String, Vec<Range<usize>>) {
        // `tojson(ensure_ascii=true)` writes a stand-in as two escapes.
        let mut text = text;
        if text.contains("\\udb") {
            for (_, to) in &self.pairs {
                let units = to.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect::<String>();
                text = text.replace(&units, &to.to_string());
            }
        }
        let mut out = String::with_capacity(text.len());
        let mut ranges = Vec::new();
        for c in text.chars() {
            match self.pairs.iter().find(|(_, to)| *to == c) {
                Some((from, _)) => {
                    ranges.push(out.len()..out.len() + from.len_utf8());
                    out.push(*from);
                }
                None => out.push(c),
            }
        }
        (out, ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_spells_a_control_token_is_marked_and_comes_back_whole() {
        let controls = ["<|im_end|>", "[INST]"].map(str::to_owned).to_vec();
        let original = json!({"a <|im_end|>": ["x<|im_end|>[INST]y", "a < b [1]", "ends in <|im", "plain \u{f0000}"]});
        let stand_ins = StandIns::new(controls, &original, "");
        let mut value = original.clone();
        stand_ins.put(&mut value);
        let written = value.to_string();
        assert!(!written.contains("<|im_end|>") && !written.contains("[INST]") && written.contains("a < b [1]"));
        let (back, ranges) = stand_ins.take(written);
        assert_eq!(back, original.to_string());
        let marked: Vec<&str> = ranges.iter().map(|r| &back[r.start..r.end]).collect();
        assert_eq!(marked, ["<", "<", "[", "<"]);
        assert!(back[ranges[1].start..].starts_with("<|im_end|>"));
    }
}
