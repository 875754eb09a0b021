//! How Python writes its values, and the methods of its strings, lists and dictionaries that templates call.
//! Semantics: <https://docs.python.org/3/library/stdtypes.html>.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::iterators;

/// Values inside values that are printed; Python's own limit is near.
const DEPTH: usize = 100;

/// A number by Python's `repr`: the shortest digits that read back, with an exponent outside 1e-4 to 1e16.
pub fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(n) = f64::try_from(value.clone()) else { return value.to_string() };
    if n.is_nan() {
        return "nan".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format!("{n:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{mantissa}e{:+03}", exponent.parse::<i32>().unwrap_or(0)),
        None => text,
    }
}

/// `str()`: what `{{ value }}` prints. A list may hold itself twice, and that again: what gets longer than a template may
/// write is refused.
pub fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Number => Ok(number(value)),
        ValueKind::Seq | ValueKind::Map => {
            let mut out = String::new();
            repr(value, 0, &mut out)?;
            Ok(out)
        }
        _ => Ok(value.to_string()),
    }
}

/// `repr()` of what may be inside a list or a dictionary.
fn repr(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > DEPTH || out.len() > super::OUTPUT_LIMIT {
        return Err(refused("a list or dictionary too large to print"));
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter()?.enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                repr(&key, depth + 1, out)?;
                out.push_str(": ");
                repr(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push('}');
        }
        ValueKind::Seq => {
            let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
            out.push(open);
            for (i, item) in value.try_iter()?.enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                repr(&item, depth + 1, out)?;
            }
            if value.is_tuple() && value.len() == Some(1) {
                out.push(',');
            }
            out.push(close);
        }
        _ => out.push_str(&format!("{value:?}")),
    }
    Ok(())
}

/// Methods that minijinja's own Python methods lack or have otherwise; the rest goes to those.
pub fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    // Most methods read their text or list once.
    let size = value.as_str().map(|s| s.len() / 16).or_else(|| value.len()).unwrap_or(0);
    state.consume_fuel(size as u64)?;
    let own = match value.kind() {
        ValueKind::String => string_method(state, value.as_str().unwrap_or_default(), name, args)?,
        ValueKind::Seq => list_method(value, name, args)?,
        ValueKind::Map if name == "copy" => Some(value.clone()),
        ValueKind::Map if matches!(name, "items" | "keys" | "values") => {
            let () = from_args(args)?;
            Some(iterators::view(value, name)?)
        }
        ValueKind::Number => number_method(value, name),
        _ => None,
    };
    match own {
        Some(result) => Ok(result),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

fn refused(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn number_method(value: &Value, name: &str) -> Option<Value> {
    match name {
        "is_integer" => f64::try_from(value.clone()).ok().map(|n| Value::from(n.fract() == 0.0)),
        "bit_length" => i128::try_from(value.clone()).ok().map(|n| Value::from(128 - n.unsigned_abs().leading_zeros())),
        _ => None,
    }
}

fn list_method(value: &Value, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match name {
        "index" => {
            let (wanted,): (&Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == *wanted);
            at.map(|at| Some(Value::from(at))).ok_or_else(|| refused(format!("{wanted:?} is not in the list")))
        }
        "copy" => Ok(Some(value.clone())),
        _ => Ok(None),
    }
}

fn string_method(state: &State, s: &str, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let list = |items: Vec<&str>| Value::from(items.into_iter().map(Value::from).collect::<Vec<_>>());
    Ok(Some(match name {
        "split" | "rsplit" => {
            let (separator, at_most) = split_arguments(args)?;
            let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
            let right = name == "rsplit";
            match separator.as_deref() {
                Some("") => return Err(refused("empty separator")),
                Some(separator) if right => {
                    let mut parts: Vec<&str> = s.rsplitn(at_most.saturating_add(1), separator).collect();
                    parts.reverse();
                    list(parts)
                }
                Some(separator) => list(s.splitn(at_most.saturating_add(1), separator).collect()),
                None if right => list(split_words_from_right(s, at_most)),
                None => list(split_words(s, at_most)),
            }
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            if separator.is_empty() {
                return Err(refused("empty separator"));
            }
            let parts = match (name, s.split_once(separator), s.rsplit_once(separator)) {
                ("partition", Some((a, b)), _) | ("rpartition", _, Some((a, b))) => [a, separator, b],
                ("partition", ..) => [s, "", ""],
                _ => ["", "", s],
            };
            Value::from(Tuple::new(parts.into_iter().map(Value::from).collect()))
        }
        "startswith" | "endswith" => {
            let (wanted, start, end): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
            let part = part(s, start, end).map_or("", |(_, part)| part);
            let fits = |text: &Value| -> Result<bool, Error> {
                let text = text.as_str().ok_or_else(|| refused(format!("{name} takes a text or a tuple of texts")))?;
                Ok(if name == "startswith" { part.starts_with(text) } else { part.ends_with(text) })
            };
            if wanted.is_tuple() {
                let mut any = false;
                for text in wanted.try_iter()? {
                    any = any || fits(&text)?;
                }
                Value::from(any)
            } else {
                Value::from(fits(wanted)?)
            }
        }
        "find" | "index" | "rfind" | "rindex" | "count" => {
            let (wanted, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
            let inside = part(s, start, end);
            if name == "count" {
                let count = match inside {
                    Some((_, part)) if wanted.is_empty() => part.chars().count() + 1,
                    Some((_, part)) => part.matches(wanted).count(),
                    None => 0,
                };
                return Ok(Some(Value::from(count)));
            }
            let found = inside.and_then(|(skipped, part)| {
                let at = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
                Some(skipped + part[..at?].chars().count())
            });
            match found {
                Some(at) => Value::from(at),
                None if name.ends_with("index") => return Err(refused("substring not found")),
                None => Value::from(-1),
            }
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let mut out = String::new();
            for (i, item) in items.try_iter()?.enumerate() {
                let item =
                    item.as_str().ok_or_else(|| refused(format!("join: item {i} is a {}, no text", item.kind())))?;
                state.consume_fuel(((s.len() + item.len()) / 64) as u64)?;
                if i > 0 {
                    out.push_str(s);
                }
                out.push_str(item);
            }
            Value::from(out)
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = s.split_at(usize::from(s.starts_with(['+', '-'])));
            let missing = width.saturating_sub(s.chars().count());
            Value::from(format!("{sign}{}{digits}", fill(state, missing, '0')?))
        }
        "center" | "ljust" | "rjust" => {
            let (width, with): (usize, Option<&str>) = from_args(args)?;
            let mut with = with.unwrap_or(" ").chars();
            let (Some(with), None) = (with.next(), with.next()) else {
                return Err(refused("the fill character must be exactly one character long"));
            };
            let missing = width.saturating_sub(s.chars().count());
            let left = match name {
                "ljust" => 0,
                "rjust" => missing,
                // CPython's rounding.
                _ => missing / 2 + (missing & width & 1),
            };
            Value::from(format!("{}{s}{}", fill(state, left, with)?, fill(state, missing - left, with)?))
        }
        "removeprefix" | "removesuffix" => {
            let (affix,): (&str,) = from_args(args)?;
            let rest = if name == "removeprefix" { s.strip_prefix(affix) } else { s.strip_suffix(affix) };
            Value::from(rest.unwrap_or(s))
        }
        "expandtabs" => {
            let (size,): (Option<usize>,) = from_args(args)?;
            Value::from(expand_tabs(state, s, size.unwrap_or(8))?)
        }
        "splitlines" => {
            let (keep, kwargs): (Option<bool>, Kwargs) = from_args(args)?;
            let keep = keep.unwrap_or(false) || kwargs.get::<Option<bool>>("keepends")?.unwrap_or(false);
            list(lines(s, keep))
        }
        "swapcase" | "casefold" => {
            let () = from_args(args)?;
            let swapped = s
                .chars()
                .map(|c| if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() });
            Value::from(if name == "casefold" { s.to_lowercase().replace('ß', "ss") } else { swapped.collect() })
        }
        "isdecimal" | "isdigit" => {
            let () = from_args(args)?;
            // Superscripts are digits but not decimal; other numbers (fractions, Roman) are neither.
            let superscript = |c: char| matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉');
            let digit = |c: char| c.is_ascii_digit() || is_decimal(c) || (name == "isdigit" && superscript(c));
            Value::from(!s.is_empty() && s.chars().all(digit))
        }
        "istitle" => {
            let () = from_args(args)?;
            Value::from(is_title(s))
        }
        "title" => {
            let () = from_args(args)?;
            Value::from(title(s))
        }
        // minijinja's, within bounds.
        "format" => {
            moderate(s)?;
            return Ok(None);
        }
        "isidentifier" => {
            let () = from_args(args)?;
            let first = s.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
            Value::from(first && s.chars().all(|c| c.is_alphanumeric() || c == '_'))
        }
        _ => return Ok(None),
    }))
}

/// `sep` and `maxsplit`, by position or by name.
fn split_arguments(args: &[Value]) -> Result<(Option<String>, i64), Error> {
    let (separator, at_most, kwargs): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = match separator {
        Some(separator) => Some(separator),
        None => kwargs.get::<Option<Value>>("sep")?,
    };
    let at_most = match at_most {
        Some(n) => n,
        None => kwargs.get::<Option<i64>>("maxsplit")?.unwrap_or(-1),
    };
    kwargs.assert_all_used()?;
    match separator.filter(|s| !s.is_none()) {
        None => Ok((None, at_most)),
        Some(text) => match text.as_str() {
            Some(text) => Ok((Some(text.to_owned()), at_most)),
            None => Err(refused(format!("a text is split by a text, not by a {}", text.kind()))),
        },
    }
}

fn split_words(s: &str, at_most: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = s.trim_start();
    while !rest.is_empty() && words.len() < at_most {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    if !rest.is_empty() {
        words.push(rest);
    }
    words
}

fn split_words_from_right(s: &str, at_most: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = s.trim_end();
    while !rest.is_empty() && words.len() < at_most {
        let start = rest.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8());
        words.push(&rest[start..]);
        rest = rest[..start].trim_end();
    }
    if !rest.is_empty() {
        words.push(rest);
    }
    words.reverse();
    words
}

/// `s[start:end]` in characters, with the number of characters before it; `None` where `start` is past the end.
fn part(s: &str, start: Option<i64>, end: Option<i64>) -> Option<(usize, &str)> {
    if start.is_none() && end.is_none() {
        return Some((0, s));
    }
    let length = s.chars().count() as i64;
    let place = |at: i64| if at < 0 { (length + at).max(0) } else { at };
    let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)).min(length));
    if start > end {
        return None;
    }
    let byte = |at: i64| s.char_indices().nth(at as usize).map_or(s.len(), |(byte, _)| byte);
    Some((start as usize, &s[byte(start)..byte(end)]))
}

fn fill(state: &State, n: usize, with: char) -> Result<String, Error> {
    state.consume_fuel((n / 16) as u64)?;
    Ok(std::iter::repeat_n(with, n).collect())
}

fn expand_tabs(state: &State, s: &str, size: usize) -> Result<String, Error> {
    let mut out = String::new();
    let mut column = 0;
    for c in s.chars() {
        match c {
            '\t' if size > 0 => {
                let n = size - column % size;
                out.push_str(&fill(state, n, ' ')?);
                column += n;
            }
            '\t' => {}
            c => {
                out.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(out)
}

/// Lines by all of Python's line ends.
fn lines(s: &str, keep: bool) -> Vec<&str> {
    let ends =
        |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut out = Vec::new();
    let mut rest = s;
    while let Some(at) = rest.find(ends) {
        let mut length = rest[at..].chars().next().map_or(1, char::len_utf8);
        if rest[at..].starts_with("\r\n") {
            length = 2;
        }
        out.push(&rest[..if keep { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        out.push(rest);
    }
    out
}

/// Decimal digits of other scripts come in blocks of ten; `char::to_digit` knows ASCII alone.
fn is_decimal(c: char) -> bool {
    const ZEROS: [u32; 12] = [0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xe50, 0x0ed0, 0xff10];
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&(c as u32)))
}

/// Upper case after whatever is no letter, lower case elsewhere.
fn title(s: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in s.chars() {
        if inside {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphabetic();
    }
    out
}

/// Refuses a format with a width or precision that only serves to fill memory.
pub fn moderate(format: &str) -> Result<(), Error> {
    let wide = format.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 4);
    if wide { Err(refused("a format with a width over 9999")) } else { Ok(()) }
}

/// Upper case where a word begins, lower case elsewhere.
fn is_title(s: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for c in s.chars() {
        if c.is_uppercase() && inside || c.is_lowercase() && !inside {
            return false;
        }
        inside = c.is_uppercase() || c.is_lowercase();
        any = any || inside;
    }
    any
}
