//! Chat templates: the model's own Jinja, in the environment that Hugging Face renders it in
//! (<https://huggingface.co/docs/transformers/chat_templating>).

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, ErrorKind, Value};
use serde_json::{Value as Json, json};

use super::{Checkpoint, Error, Tokenizer};
use crate::weights::Metadata;

/// Instructions a template may run: real ones take thousands; a runaway loop ends here.
const FUEL: u64 = 20_000_000;

/// A chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    /// What errors mention.
    file: String,
}

impl ChatTemplate {
    /// The template of a model, if it has one.
    pub fn open(checkpoint: &Checkpoint) -> Result<Option<ChatTemplate>, Error> {
        Ok(match checkpoint {
            Checkpoint::Gguf(gguf) => ChatTemplate::from_gguf(&gguf.metadata, &gguf.file),
            Checkpoint::Folder { tensors, .. } => ChatTemplate::from_folder(&tensors.folder),
        })
    }

    /// `tokenizer.chat_template`.
    pub fn from_gguf(metadata: &Metadata, file: &str) -> Option<ChatTemplate> {
        metadata.str("tokenizer.chat_template").map(|source| ChatTemplate::new(source, file))
    }

    /// `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`: a text, or a list of
    /// named ones of which `default` is taken.
    pub fn from_folder(folder: &Path) -> Option<ChatTemplate> {
        let file = folder.join("chat_template.jinja");
        if let Ok(source) = std::fs::read_to_string(&file) {
            return Some(ChatTemplate::new(&source, &file.display().to_string()));
        }
        let file = folder.join("tokenizer_config.json");
        let json: Json = serde_json::from_str(&std::fs::read_to_string(&file).ok()?).ok()?;
        let source = match &json["chat_template"] {
            Json::String(source) => source,
            Json::Array(named) => named.iter().find(|t| t["name"] == "default")?["template"].as_str()?,
            _ => return None,
        };
        Some(ChatTemplate::new(source, &file.display().to_string()))
    }

    pub fn new(source: &str, file: &str) -> ChatTemplate {
        ChatTemplate { source: source.to_owned(), file: file.to_owned() }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders `messages` (anything that serializes to a list of `role` and `content`) and opens
    /// the assistant's turn.
    pub fn render(&self, messages: &impl serde::Serialize, tokenizer: &Tokenizer) -> Result<String, Error> {
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.piece(id)).unwrap_or_default();
        self.render_context(&json!({
            "messages": serde_json::to_value(messages).unwrap_or_default(),
            "add_generation_prompt": true,
            "bos_token": text(tokenizer.bos()),
            "eos_token": text(tokenizer.eos()),
        }))
    }

    /// Renders with `context`'s keys as variables, and today's date.
    pub fn render_context(&self, context: &Json) -> Result<String, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        self.render_at(context, now)
    }

    /// Renders as if it were `now`, in seconds since 1970 (UTC).
    pub fn render_at(&self, context: &Json, now: u64) -> Result<String, Error> {
        let failed = |e: minijinja::Error| Error::Template { file: self.file.clone(), reason: reason(&e) };
        let mut env = environment();
        env.add_function("strftime_now", move |format: &str| strftime(format, now));
        let source = without_generation_tags(&self.source);
        let template = env.template_from_str(&source).map_err(failed)?;
        template.render(Value::from(Serde(context))).map_err(failed)
    }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    let syntax = minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    if let Ok(syntax) = syntax {
        env.set_syntax(syntax);
    }
    env.set_fuel(Some(FUEL));
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.add_function("raise_exception", |message: &str| -> Result<Value, minijinja::Error> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, message.to_owned()))
    });
    env.add_filter("tojson", to_json);
    env
}

/// The innermost message: what `raise_exception` said, or what is wrong with the template.
fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

/// `{% generation %}` marks what a trainer counts; it renders as nothing.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(end) = rest[start..].find("%}").map(|end| start + end) else { break };
        let tag = rest[start + 2..end].trim_matches(['-', '+', ' ', '\n', '\t']);
        match tag {
            "generation" | "endgeneration" => {
                // A comment keeps the tag's trimming of the white space around it.
                let (left, right) = (&rest[start + 2..start + 3], &rest[end - 1..end]);
                out.push_str(&rest[..start]);
                out.push_str(if left == "-" { "{%- if true %}{% endif " } else { "{% if true %}{% endif " });
                out.push_str(if right == "-" { "-%}" } else { "%}" });
            }
            _ => out.push_str(&rest[..end + 2]),
        }
        rest = &rest[end + 2..];
    }
    out.push_str(rest);
    out
}

/// Hugging Face's `tojson`: Python's `json.dumps(ensure_ascii=False)`, nothing escaped for HTML.
fn to_json(value: &Value, kwargs: Kwargs) -> Result<Value, minijinja::Error> {
    let ensure_ascii: bool = kwargs.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sort_keys: bool = kwargs.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    let indent: Option<usize> = kwargs.get("indent")?;
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    kwargs.assert_all_used()?;
    let json = serde_json::to_value(value)
        .map_err(|e| minijinja::Error::new(ErrorKind::InvalidOperation, format!("tojson: {e}")))?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        _ if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        _ => (", ".to_owned(), ": ".to_owned()),
    };
    let mut out = String::new();
    Dumps { indent, item, key, ensure_ascii, sort_keys }.write(&json, 0, &mut out);
    Ok(Value::from(out))
}

/// Python's `json.dumps`.
struct Dumps {
    indent: Option<usize>,
    item: String,
    key: String,
    ensure_ascii: bool,
    sort_keys: bool,
}

impl Dumps {
    fn write(&self, json: &Json, depth: usize, out: &mut String) {
        match json {
            Json::Array(items) => self.list(items.iter().map(|v| (None, v)), ['[', ']'], depth, out),
            Json::Object(map) => {
                let mut pairs: Vec<(Option<&str>, &Json)> = map.iter().map(|(k, v)| (Some(k.as_str()), v)).collect();
                if self.sort_keys {
                    pairs.sort_by_key(|(key, _)| *key);
                }
                self.list(pairs.into_iter(), ['{', '}'], depth, out);
            }
            Json::String(text) => self.string(text, out),
            other => out.push_str(&other.to_string()),
        }
    }

    fn list<'a>(
        &self,
        items: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Json)>,
        [open, close]: [char; 2],
        depth: usize,
        out: &mut String,
    ) {
        out.push(open);
        let empty = items.len() == 0;
        let new_line = |depth: usize, out: &mut String| {
            if let Some(indent) = self.indent.filter(|_| !empty) {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent * depth));
            }
        };
        for (i, (key, value)) in items.enumerate() {
            if i > 0 {
                out.push_str(&self.item);
            }
            new_line(depth + 1, out);
            if let Some(key) = key {
                self.string(key, out);
                out.push_str(&self.key);
            }
            self.write(value, depth + 1, out);
        }
        new_line(depth, out);
        out.push(close);
    }

    fn string(&self, text: &str, out: &mut String) {
        let quoted = Json::from(text).to_string();
        if !self.ensure_ascii {
            out.push_str(&quoted);
            return;
        }
        for c in quoted.chars() {
            if c.is_ascii() {
                out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The directives of C's `strftime` that templates use, in UTC.
fn strftime(format: &str, now: u64) -> String {
    let (days, second) = (now / 86_400, now % 86_400);
    let (year, month, day) = civil_date(days);
    let (month_name, day_name) = (MONTHS[month - 1], DAYS[(days % 7) as usize]);
    let hour = second / 3600;
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Y') => out.push_str(&year.to_string()),
            Some('y') => out.push_str(&format!("{:02}", year % 100)),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('e') => out.push_str(&format!("{day:2}")),
            // GNU's flag for "no padding".
            Some('-') => match chars.next() {
                Some('d') => out.push_str(&day.to_string()),
                Some('m') => out.push_str(&month.to_string()),
                Some(other) => out.extend(['%', '-', other]),
                None => out.push_str("%-"),
            },
            Some('B') => out.push_str(month_name),
            Some('b') => out.push_str(&month_name[..3]),
            Some('A') => out.push_str(day_name),
            Some('a') => out.push_str(&day_name[..3]),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('I') => out.push_str(&format!("{:02}", (hour + 11) % 12 + 1)),
            Some('p') => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            Some('M') => out.push_str(&format!("{:02}", second / 60 % 60)),
            Some('S') => out.push_str(&format!("{:02}", second % 60)),
            Some('F') => out.push_str(&format!("{year}-{month:02}-{day:02}")),
            Some('T') => out.push_str(&format!("{hour:02}:{:02}:{:02}", second / 60 % 60, second % 60)),
            Some('%') => out.push('%'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

/// Year, month and day of a number of days since 1970-01-01
/// (Howard Hinnant's algorithm, <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil_date(days: u64) -> (u64, usize, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // March is 0
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, context: &Json) -> Result<String, Error> {
        // 2026-01-02T03:04:05
        ChatTemplate::new(source, "test").render_at(context, 1_767_323_045)
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = render("{{ strftime_now('%d %b %Y|%A|%-d|%H:%M:%S') }}", &json!({})).unwrap();
        assert_eq!(date, "02 Jan 2026|Friday|2|03:04:05");
        assert_eq!(civil_date(11_016), (2000, 2, 29));
    }

    #[test]
    fn tojson_is_pythons() {
        let context = json!({"x": {"b": [1, "é<"], "a": null, "e": []}});
        assert_eq!(render("{{ x | tojson }}", &context).unwrap(), r#"{"b": [1, "é<"], "a": null, "e": []}"#);
        let indented = "{\n  \"b\": [\n    1,\n    \"é<\"\n  ],\n  \"a\": null,\n  \"e\": []\n}";
        assert_eq!(render("{{ x | tojson(indent=2) }}", &context).unwrap(), indented);
    }

    #[test]
    fn exceptions_and_runaway_loops_are_errors() {
        let raised = render("{{ raise_exception('roles must alternate') }}", &json!({})).unwrap_err();
        assert!(raised.to_string().contains("roles must alternate"), "{raised}");
        assert!(
            render("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", &json!({}))
                .is_err()
        );
    }

    #[test]
    fn generation_tags_leave_no_trace() {
        assert_eq!(render("a {%- generation -%} b{% endgeneration %}\nc", &json!({})).unwrap(), "abc");
    }
}
