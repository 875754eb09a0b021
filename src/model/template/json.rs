//! Hugging Face's `tojson`: Python's `json.dumps(ensure_ascii=False)`, nothing escaped for HTML.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::{iterators, python};

/// Values inside values that are written; Python's own limit is near.
const DEPTH: usize = 200;

/// Keywords, or positions as in `def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub fn to_json(
    state: &State,
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let keyword = |name: &str| -> Result<bool, Error> { Ok(kwargs.get::<Option<bool>>(name)?.unwrap_or(false)) };
    let ensure_ascii = ensure_ascii.unwrap_or(false) || keyword("ensure_ascii")?;
    let sort_keys = keyword("sort_keys")?;
    let indent = match indent {
        None => kwargs.get::<Option<Value>>("indent")?,
        given => given,
    };
    let indent = match indent.filter(|indent| !indent.is_none()) {
        None => None,
        Some(indent) => match (indent.as_str(), indent.as_usize()) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(n)) if n <= 100 => Some(" ".repeat(n)),
            _ => return Err(refused("tojson: indent is a number of spaces or a text")),
        },
    };
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    kwargs.assert_all_used()?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        _ if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        _ => (", ".to_owned(), ": ".to_owned()),
    };
    let mut dumps = Dumps { indent, item, key, ensure_ascii, sort_keys, out: String::new(), paid: 0, state };
    dumps.write(value, 0)?;
    Ok(Value::from(dumps.out))
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.to_owned())
}

struct Dumps<'a> {
    indent: Option<String>,
    item: String,
    key: String,
    ensure_ascii: bool,
    sort_keys: bool,
    out: String,
    /// How much of `out` has cost fuel already.
    paid: usize,
    state: &'a State<'a, 'a>,
}

impl Dumps<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(refused("tojson: the value is nested too deep"));
        }
        self.state.consume_fuel(2 + ((self.out.len() - self.paid) / 4) as u64)?;
        self.paid = self.out.len();
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&python::number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Map => {
                let mut pairs = Vec::new();
                for key in value.try_iter()? {
                    pairs.push((key_text(&key)?, value.get_item(&key)?));
                }
                if self.sort_keys {
                    pairs.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.list(pairs.into_iter().map(|(key, value)| (Some(key), value)).collect(), ['{', '}'], depth)?;
            }
            ValueKind::Seq | ValueKind::Iterable if !iterators::is_transient(value) => {
                let items = value.try_iter()?.map(|item| (None, item)).collect();
                self.list(items, ['[', ']'], depth)?;
            }
            other => return Err(refused(&format!("tojson: {other} is not JSON"))),
        }
        Ok(())
    }

    fn list(
        &mut self,
        items: Vec<(Option<String>, Value)>,
        [open, close]: [char; 2],
        depth: usize,
    ) -> Result<(), Error> {
        let empty = items.is_empty();
        self.out.push(open);
        for (i, (key, value)) in items.into_iter().enumerate() {
            if i > 0 {
                self.out.push_str(&self.item.clone());
            }
            self.new_line(depth + 1);
            if let Some(key) = key {
                self.string(&key);
                self.out.push_str(&self.key.clone());
            }
            self.write(&value, depth + 1)?;
        }
        if !empty {
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
    }

    fn string(&mut self, text: &str) {
        let quoted = Json::from(text).to_string();
        if !self.ensure_ascii {
            self.out.push_str(&quoted);
            return;
        }
        for c in quoted.chars() {
            if c.is_ascii() {
                self.out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

/// A key as `json.dumps` writes it: numbers, truth values and `None` become text.
fn key_text(key: &Value) -> Result<String, Error> {
    Ok(match key.kind() {
        ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => key.is_true().to_string(),
        ValueKind::Number => python::number(key),
        other => return Err(refused(&format!("tojson: {other} is no key of JSON"))),
    })
}
