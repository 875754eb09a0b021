//! The YAML at the head of a model card, `README.md`: as much of YAML as cards use.
//!
//! Fields: <https://github.com/huggingface/hub-docs/blob/main/modelcard.md>.

/// The fields with a text or a list of texts; what is nested deeper is left out.
pub(super) struct ModelCard(Vec<(String, Vec<String>)>);

impl ModelCard {
    /// Reads the lines between the first `---` and the next.
    pub fn new(text: &str) -> ModelCard {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        let mut lines = text.lines();
        if lines.next().map(str::trim_end) != Some("---") {
            return ModelCard(fields);
        }
        for line in lines.take_while(|line| line.trim_end() != "---") {
            let item = line.trim_start().strip_prefix("- ");
            match (item, fields.last_mut()) {
                (Some(item), Some((_, values))) => values.extend(scalar(item)),
                (None, _) if !line.starts_with([' ', '\t', '#']) => {
                    let Some((key, value)) = line.split_once(':') else { continue };
                    let list = value.trim().strip_prefix('[').and_then(|list| list.strip_suffix(']'));
                    let values = match list {
                        Some(list) => list.split(',').filter_map(scalar).collect(),
                        None => scalar(value).into_iter().collect(),
                    };
                    fields.push((key.trim().to_owned(), values));
                }
                _ => {}
            }
        }
        ModelCard(fields)
    }

    /// The texts of the field, none where the card has no such field.
    pub fn texts(&self, field: &str) -> &[String] {
        self.0.iter().find(|(key, _)| key == field).map_or(&[], |(_, values)| values)
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.texts(field).first().map(String::as_str)
    }
}

/// One text, without quotes and comment; none for nothing, a mapping and a block of lines.
fn scalar(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(quote) = text.chars().next().filter(|c| ['"', '\''].contains(c)) {
        let (quoted, _) = text[1..].split_once(quote)?;
        return Some(quoted.to_owned());
    }
    let text = text.split_once(" #").map_or(text, |(before, _)| before.trim_end());
    let no_text = ["", "null", "~", "|", ">", "|-", ">-"].contains(&text) || text.starts_with(['{', '&', '*', '#']);
    (!no_text && !text.contains(": ") && !text.ends_with(':')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_lists_are_read_and_what_is_nested_is_not() {
        let card = "---\nlicense: apache-2.0 # a comment\nlanguage:\n- en\n  - \"no\"\n\ntags: [chat, 'a b', ]\n\
            base_model:   org/Base-7B\r\nextra: >-\n  more: lines\nmodel-index:\n- name: X\n  results:\n  - task: y\n\
            pipeline_tag: null\nlink: https://x.org/#a\n---\nlicense: other\n";
        let card = ModelCard::new(card);
        assert_eq!(card.text("license"), Some("apache-2.0"));
        assert_eq!(card.texts("language"), ["en", "no"]);
        assert_eq!(card.texts("tags"), ["chat", "a b"]);
        assert_eq!(card.text("base_model"), Some("org/Base-7B"));
        assert_eq!(card.text("link"), Some("https://x.org/#a"));
        for none in ["extra", "model-index", "pipeline_tag", "no-such"] {
            assert_eq!(card.texts(none), [""; 0], "{none}");
        }
        assert!(ModelCard::new("# A card\n---\nlicense: mit\n---\n").text("license").is_none());
        assert!(ModelCard::new("").text("license").is_none());
    }
}
