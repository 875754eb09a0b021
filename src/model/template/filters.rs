//! Filters, tests and functions that Jinja2 has and minijinja has otherwise or not at all
//! (<https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters>).

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{ArgType, Kwargs, ObjectRepr, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::{iterators, json, python};

pub fn add(env: &mut Environment) {
    env.add_filter("tojson", json::to_json);
    env.add_filter("string", string);
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("int", int);
    env.add_filter("float", float);
    env.add_filter("indent", indent);
    env.add_filter("dictsort", dictsort);
    env.add_filter("unique", unique);
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_filter("wordcount", |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).count()
    });
    env.add_filter("center", |state: &mut State, text: &Value, width: Option<usize>| {
        python::method(state, text, "center", &[Value::from(width.unwrap_or(80))])
    });
    for name in ["escape", "e"] {
        env.add_filter(name, escape);
    }
    env.add_filter("forceescape", |value: &Value| escape(&Value::from(value.to_string())));
    env.add_filter("truncate", truncate);
    env.add_filter("striptags", minijinja_contrib::filters::striptags);
    env.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    // What `source.rs` makes of operators that a filter can do as Python does.
    env.add_filter("_percent", percent);
    env.add_filter("_plus", plus);
    for name in ["zip", "split", "lines", "bool", "chain"] {
        env.remove_filter(name); // minijinja's alone: Jinja2 refuses them
    }

    env.add_test("callable", |value: &Value| value.as_object().is_some_and(|o| matches!(o.repr(), ObjectRepr::Plain)));
    // To Jinja2 a sequence is whatever has a length and can be indexed, and `None` cannot be iterated.
    env.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
            || value.kind() == ValueKind::Iterable && value.len().is_some() && !iterators::is_transient(value)
    });
    env.add_test("iterable", |value: &Value| value.is_undefined() || !value.is_none() && value.try_iter().is_ok());

    env.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        Err(refused(message.to_string()))
    });
    env.add_function("dict", dict);
    env.add_function("cycler", minijinja_contrib::globals::cycler);
    env.add_function("joiner", minijinja_contrib::globals::joiner);
}

fn refused(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

/// The positional argument, or the keyword of that name.
fn argument<T>(positional: Option<T>, kwargs: &Kwargs, name: &str) -> Result<Option<T>, Error>
where
    Option<T>: for<'a> ArgType<'a, Output = Option<T>>,
{
    match positional {
        Some(value) => Ok(Some(value)),
        None if kwargs.has(name) => kwargs.get(name),
        None => Ok(None),
    }
}

fn default(value: &Value, other: Option<Value>, boolean: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let other = argument(other, &kwargs, "default_value")?.unwrap_or_else(|| Value::from(""));
    let boolean = argument(boolean, &kwargs, "boolean")?.is_some_and(|b| b.is_true());
    kwargs.assert_all_used()?;
    Ok(if value.is_undefined() || boolean && !value.is_true() { other } else { value.clone() })
}

/// `int(value)`, then `int(float(value))`, then the default.
fn int(value: &Value, other: Option<Value>, base: Option<u32>, kwargs: Kwargs) -> Result<Value, Error> {
    let other = argument(other, &kwargs, "default")?.unwrap_or_else(|| Value::from(0));
    let base = argument(base, &kwargs, "base")?.unwrap_or(10);
    defined(value)?;
    if let Some(text) = value.as_str() {
        let text = text.trim().replace('_', "");
        let digits = match base {
            16 => text.trim_start_matches("0x").trim_start_matches("0X"),
            8 => text.trim_start_matches("0o"),
            2 => text.trim_start_matches("0b"),
            _ => &text,
        };
        if let Some(n) = (2..=36).contains(&base).then(|| i128::from_str_radix(digits, base).ok()).flatten() {
            return Ok(Value::from(n));
        }
        let n = text.parse::<f64>().ok().filter(|n| n.is_finite());
        return Ok(n.map_or(other, |n| Value::from(n.trunc() as i128)));
    }
    if value.is_integer() {
        return Ok(value.clone());
    }
    if value.kind() == ValueKind::Bool {
        return Ok(Value::from(i32::from(value.is_true())));
    }
    match f64::try_from(value.clone()) {
        Ok(n) if n.is_finite() => Ok(Value::from(n.trunc() as i128)),
        _ => Ok(other),
    }
}

fn float(value: &Value, other: Option<Value>) -> Result<Value, Error> {
    defined(value)?;
    let n = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    Ok(n.map_or(other.unwrap_or_else(|| Value::from(0.0)), Value::from))
}

/// An undefined value has neither a number nor an order.
fn defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(()) }
}

fn indent(
    state: &State,
    text: &str,
    width: Option<Value>,
    first: Option<bool>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let width = argument(width, &kwargs, "width")?.unwrap_or_else(|| Value::from(4));
    let first = argument(first, &kwargs, "first")?.unwrap_or(false);
    let blank = argument(None, &kwargs, "blank")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    let by = match (width.as_str(), width.as_usize()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(n)) => {
            state.consume_fuel(n as u64)?;
            " ".repeat(n)
        }
        _ => return Err(refused("indent takes a width or a text")),
    };
    state.consume_fuel((text.matches('\n').count() * by.len() / 64) as u64)?;
    let mut out = if first { by.clone() } else { String::new() };
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&by);
            }
        }
        out.push_str(line);
    }
    Ok(Value::from(out))
}

/// The first `length` characters, at a word's end, and three dots; texts a little longer stay whole.
fn truncate(
    text: &str,
    length: Option<usize>,
    kill: Option<bool>,
    end: Option<String>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let length = argument(length, &kwargs, "length")?.unwrap_or(255);
    let kill = argument(kill, &kwargs, "killwords")?.unwrap_or(false);
    let end = argument(end, &kwargs, "end")?.unwrap_or_else(|| "...".to_owned());
    let leeway: usize = argument(None, &kwargs, "leeway")?.unwrap_or(5);
    kwargs.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(Value::from(text));
    }
    let room =
        length.checked_sub(end.chars().count()).ok_or_else(|| refused("truncate: the end is longer than the text"))?;
    let cut: String = text.chars().take(room).collect();
    let words = if kill { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words) };
    Ok(Value::from(format!("{words}{end}")))
}

/// What two values are ordered by: texts without their case, unless that counts.
fn sort_key(value: &Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value.clone(),
    }
}

fn dictsort(
    map: &Value,
    case: Option<bool>,
    by: Option<String>,
    reverse: Option<bool>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let case = argument(case, &kwargs, "case_sensitive")?.unwrap_or(false);
    let by = argument(by, &kwargs, "by")?.unwrap_or_else(|| "key".to_owned());
    let reverse = argument(reverse, &kwargs, "reverse")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    if map.kind() != ValueKind::Map || !matches!(by.as_str(), "key" | "value") {
        return Err(refused("dictsort sorts a dictionary by key or by value"));
    }
    let mut pairs = Vec::new();
    for key in map.try_iter()? {
        let value = map.get_item(&key)?;
        let order = sort_key(if by == "key" { &key } else { &value }, case);
        pairs.push((order, Value::from(Tuple::from([key, value]))));
    }
    pairs.sort_by(|a, b| if reverse { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
}

fn unique(
    state: &State,
    items: &Value,
    case: Option<bool>,
    attribute: Option<String>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let case = argument(case, &kwargs, "case_sensitive")?.unwrap_or(false);
    let attribute = argument(attribute, &kwargs, "attribute")?;
    kwargs.assert_all_used()?;
    let (mut seen, mut out) = (std::collections::BTreeSet::new(), Vec::new());
    for item in items.try_iter()? {
        state.consume_fuel(2)?;
        let key = match &attribute {
            Some(name) => item.get_attr(name)?,
            None => item.clone(),
        };
        if seen.insert(sort_key(&key, case)) {
            out.push(item);
        }
    }
    Ok(Value::from(out))
}

fn length(value: &Value) -> Result<usize, Error> {
    match value.len() {
        _ if value.is_undefined() => Ok(0),
        Some(n) => Ok(n),
        None => Err(refused(format!("a {} has no length", value.kind()))),
    }
}

/// `text % value`: a tuple's items, or the value itself.
fn percent(state: &State, text: &str, value: Value) -> Result<Value, Error> {
    state.consume_fuel((text.len() / 16) as u64)?;
    python::moderate(text)?;
    let values: Vec<Value> = if value.is_tuple() { value.try_iter()?.collect() } else { vec![value] };
    let printed = |v: Value| if v.kind() == ValueKind::Seq { python::text(&v).map(Value::from) } else { Ok(v) };
    let values = values.into_iter().map(printed).collect::<Result<Vec<Value>, Error>>()?;
    format(FormatStyle::Printf, text, &values).map(Value::from)
}

/// `left + right` with a `safe` text on the left: what is not safe is escaped.
fn plus(left: &Value, right: &Value) -> Result<Value, Error> {
    match (left.as_str(), right.as_str()) {
        (Some(a), Some(b)) if right.is_safe() => Ok(Value::from_safe_string(format!("{a}{b}"))),
        (Some(a), Some(b)) => Ok(Value::from_safe_string(format!("{a}{}", escaped(b)))),
        _ => Err(refused(format!("a text and a {} cannot be added", right.kind()))),
    }
}

fn string(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() { Ok(value.clone()) } else { python::text(value).map(Value::from) }
}

fn escape(value: &Value) -> Result<Value, Error> {
    if value.is_safe() { Ok(value.clone()) } else { Ok(Value::from_safe_string(escaped(&python::text(value)?))) }
}

/// MarkupSafe's `escape`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `dict(mapping or pairs, **more)`.
fn dict(first: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let mut pairs = Vec::new();
    if let Some(first) = first {
        let map = first.kind() == ValueKind::Map;
        for item in first.try_iter()? {
            pairs.push(if map {
                (item.clone(), first.get_item(&item)?)
            } else {
                (item.get_item_by_index(0)?, item.get_item_by_index(1)?)
            });
        }
    }
    for name in kwargs.args() {
        let value: Value = kwargs.get(name)?;
        pairs.retain(|(key, _)| key.as_str() != Some(name));
        pairs.push((Value::from(name), value));
    }
    Ok(Value::from_pairs(pairs))
}
