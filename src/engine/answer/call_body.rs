//! Calls of tools in the forms that families write them in, between their markers.

use serde_json::{Map, Value as Json};

/// A call as it is written: an id, where the form has one, the function and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub id: Option<String>,
    pub name: String,
    pub arguments: Json,
}

/// The calls in `body`; `None` if it is in no form that is known, or any call in it is malformed. `tools` say whether an
/// argument that is written without quotes is text.
pub fn calls(body: &str, tools: &[Json]) -> Option<Vec<Call>> {
    let body = body.trim();
    let found = if let Some(values) = json_values(body) {
        values.iter().map(|value| of_json(value, tools)).collect()
    } else if body.contains("<｜tool▁sep｜>") {
        body.split("<｜tool▁call▁begin｜>").skip(1).map(deepseek).collect()
    } else if body.contains("<|tool_call_argument_begin|>") {
        body.split("<|tool_call_begin|>").skip(1).map(kimi).collect()
    } else if body.starts_with("call:") {
        body.split("call:").skip(1).map(gemma).collect()
    } else if body.contains("[ARGS]") {
        body.split("[TOOL_CALLS]").map(mistral).collect()
    } else if body.contains("<function=") {
        elements(body, "<function=", "</function>").map(|text| function_element(text, tools)).collect()
    } else if let Some(at) = body.find("invoke name=") {
        // MiniMax; DeepSeek V3.2 has a prefix before every name.
        let prefix = &body[body[..at].rfind('<')? + 1..at];
        let (open, close) = (format!("<{prefix}invoke name="), format!("</{prefix}invoke>"));
        elements(body, &open, &close).map(|text| invoke_element(text, prefix, tools)).collect()
    } else if body.starts_with('[') {
        pythonic(body)
    } else {
        glm(body, tools).map(|call| vec![call])
    };
    found.filter(|calls: &Vec<Call>| !calls.is_empty())
}

/// One JSON value, a list of them, or several one after the other (also with `;` between).
fn json_values(body: &str) -> Option<Vec<Json>> {
    let mut values = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        if !rest.starts_with(['{', '[']) {
            return None;
        }
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
        match stream.next()?.ok()? {
            Json::Array(items) => values.extend(items),
            value => values.push(value),
        }
        rest = rest[stream.byte_offset()..].trim_start_matches(|c: char| c.is_whitespace() || c == ';' || c == ',');
    }
    Some(values)
}

/// The functions that were given.
fn functions(tools: &[Json]) -> impl Iterator<Item = &Json> {
    tools.iter().map(|t| if t["function"].is_object() { &t["function"] } else { t })
}

fn is_given(name: &str, tools: &[Json]) -> bool {
    functions(tools).any(|f| f["name"] == name)
}

/// What has a name and nothing else may be any data: then the name must be a function's.
fn of_json(value: &Json, tools: &[Json]) -> Option<Call> {
    let id = ["id", "tool_call_id"].iter().find_map(|key| value[*key].as_str().map(str::to_owned));
    let inner = if value["function"].is_object() { &value["function"] } else { value };
    let name = ["name", "tool_name", "function"].iter().find_map(|key| inner[*key].as_str());
    let given = ["arguments", "parameters", "args"].iter().find_map(|key| inner.get(*key));
    match (name, inner.as_object()?) {
        (Some(name), _) => {
            let arguments = match given {
                Some(Json::String(text)) => serde_json::from_str(text).ok()?,
                Some(arguments) => arguments.clone(),
                None if is_given(name, tools) => Json::Object(Map::new()),
                None => return None,
            };
            arguments.is_object().then(|| Call { id, name: name.to_owned(), arguments })
        }
        // Apertus: `{"name": {arguments}}`.
        (None, map) if map.len() == 1 => {
            let (name, arguments) = map.iter().next()?;
            arguments.is_object().then(|| Call { id, name: name.clone(), arguments: arguments.clone() })
        }
        _ => None,
    }
}

/// The texts that follow `open`, up to `close` (which the markers outside may have taken along).
fn elements<'a>(body: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    body.split(open).skip(1).map(move |text| text.split(close).next().unwrap_or_default())
}

fn object(text: &str) -> Option<Json> {
    serde_json::from_str(text.trim()).ok().filter(Json::is_object)
}

/// `function<｜tool▁sep｜>NAME` and a fenced block, or (V3.1) `NAME<｜tool▁sep｜>{...}`.
fn deepseek(text: &str) -> Option<Call> {
    let (before, after) = text.split("<｜tool▁call▁end｜>").next()?.split_once("<｜tool▁sep｜>")?;
    let (name, arguments) = match after.split_once("```json") {
        Some((name, block)) => (name, block.rsplit_once("```")?.0),
        None => (before, after),
    };
    Some(Call { id: None, name: name.trim().to_owned(), arguments: object(arguments)? })
}

/// `functions.NAME:0<|tool_call_argument_begin|>{...}<|tool_call_end|>`.
fn kimi(text: &str) -> Option<Call> {
    let (id, arguments) = text.split("<|tool_call_end|>").next()?.split_once("<|tool_call_argument_begin|>")?;
    let name = id.trim().rsplit_once(':').map_or(id.trim(), |(name, _)| name);
    let name = name.strip_prefix("functions.").unwrap_or(name).to_owned();
    Some(Call { id: Some(id.trim().to_owned()), name, arguments: object(arguments)? })
}

/// `NAME{KEY:VALUE,...}` with texts between `<|"|>` and names without quotes.
fn gemma(text: &str) -> Option<Call> {
    let (name, inside) = text.trim().split_once('{')?;
    let mut json = "{".to_owned();
    for (i, part) in inside.split("<|\"|>").enumerate() {
        if i % 2 == 1 {
            json.push_str(&Json::from(part).to_string());
            continue;
        }
        let mut word = String::new();
        for c in part.chars() {
            match c {
                c if c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+') => word.push(c),
                ':' if !word.is_empty() => json.push_str(&format!("{}:", Json::from(std::mem::take(&mut word)))),
                c => {
                    json.push_str(&std::mem::take(&mut word));
                    json.push(c);
                }
            }
        }
        json.push_str(&word);
    }
    Some(Call { id: None, name: name.trim().to_owned(), arguments: object(&json)? })
}

/// `NAME[ARGS]{...}`, or `NAME[CALL_ID]ID[ARGS]{...}`.
fn mistral(text: &str) -> Option<Call> {
    let (head, arguments) = text.split_once("[ARGS]")?;
    let (name, id) = match head.split_once("[CALL_ID]") {
        Some((name, id)) => (name, Some(id.trim().to_owned())),
        None => (head, None),
    };
    Some(Call { id, name: name.trim().to_owned(), arguments: object(arguments)? })
}

/// `NAME>` and then either `{...}` or elements `<parameter=KEY>VALUE</parameter>`.
fn function_element(text: &str, tools: &[Json]) -> Option<Call> {
    let (name, inside) = text.split_once('>')?;
    let name = name.trim();
    if inside.trim_start().starts_with('{') {
        return Some(Call { id: None, name: name.to_owned(), arguments: object(inside)? });
    }
    let mut arguments = Map::new();
    for parameter in elements(inside, "<parameter=", "</parameter>") {
        let (key, value) = parameter.split_once('>')?;
        let value = value.strip_prefix('\n').unwrap_or(value);
        let value = value.strip_suffix('\n').unwrap_or(value);
        arguments.insert(key.trim().to_owned(), typed(value, name, key.trim(), tools));
    }
    Some(Call { id: None, name: name.to_owned(), arguments: arguments.into() })
}

/// `"NAME">` and elements `<parameter name="KEY">VALUE</parameter>`, each name after `prefix`.
fn invoke_element(text: &str, prefix: &str, tools: &[Json]) -> Option<Call> {
    let (name, inside) = text.split_once('>')?;
    let name = name.trim().trim_matches('"');
    let mut arguments = Map::new();
    let (open, close) = (format!("<{prefix}parameter name="), format!("</{prefix}parameter>"));
    for parameter in elements(inside, &open, &close) {
        let (attributes, value) = parameter.split_once('>')?;
        let key = attributes.trim_start_matches('"').split('"').next()?;
        let text = attributes.contains("string=\"true\"");
        arguments.insert(key.to_owned(), if text { value.into() } else { typed(value, name, key, tools) });
    }
    Some(Call { id: None, name: name.to_owned(), arguments: arguments.into() })
}

/// `NAME` and then `<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>` pairs.
fn glm(body: &str, tools: &[Json]) -> Option<Call> {
    let name = body.split("<arg_key>").next()?.trim();
    if !is_given(name, tools) {
        return None;
    }
    let mut arguments = Map::new();
    for pair in body.split("<arg_key>").skip(1) {
        let (key, rest) = pair.split_once("</arg_key>")?;
        let value = rest.split_once("<arg_value>")?.1.split_once("</arg_value>")?.0;
        arguments.insert(key.trim().to_owned(), typed(value, name, key.trim(), tools));
    }
    Some(Call { id: None, name: name.to_owned(), arguments: arguments.into() })
}

/// A value without quotes: text where the tool's schema says so or it is not JSON.
fn typed(value: &str, function: &str, parameter: &str, tools: &[Json]) -> Json {
    let mut function = functions(tools).filter(|f| f["name"] == function);
    let kind = function.next().map(|f| &f["parameters"]["properties"][parameter]["type"]);
    if kind.is_some_and(|kind| kind == "string") {
        return value.into();
    }
    serde_json::from_str(value.trim()).unwrap_or_else(|_| value.into())
}

/// `[name(key=value, ...), ...]` with Python's literals.
fn pythonic(body: &str) -> Option<Vec<Call>> {
    let mut reader = Python { rest: body };
    let mut calls = Vec::new();
    reader.sign('[')?;
    loop {
        let name = reader.name()?;
        reader.sign('(')?;
        let mut arguments = Map::new();
        while reader.sign(')').is_none() {
            let key = reader.name()?;
            reader.sign('=')?;
            arguments.insert(key, reader.value(0)?);
            let _ = reader.sign(',');
        }
        calls.push(Call { id: None, name, arguments: arguments.into() });
        if reader.sign(',').is_none() {
            reader.sign(']')?;
            return reader.rest.trim().is_empty().then_some(calls);
        }
    }
}

struct Python<'a> {
    rest: &'a str,
}

impl Python<'_> {
    fn sign(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(sign)?;
        Some(())
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
        self.rest = &rest[end..];
        (end > 0).then(|| rest[..end].to_owned())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let rest = self.rest.trim_start();
        self.rest = rest;
        match rest.chars().next()? {
            _ if depth > 50 => None,
            quote @ ('\'' | '"') => self.text(quote).map(Json::from),
            open @ ('[' | '(') => {
                self.sign(open)?;
                let close = if open == '[' { ']' } else { ')' };
                let mut items = Vec::new();
                while self.sign(close).is_none() {
                    items.push(self.value(depth + 1)?);
                    let _ = self.sign(',');
                }
                Some(items.into())
            }
            '{' => {
                self.sign('{')?;
                let mut map = Map::new();
                while self.sign('}').is_none() {
                    let key = self.value(depth + 1)?.as_str()?.to_owned();
                    self.sign(':')?;
                    map.insert(key, self.value(depth + 1)?);
                    let _ = self.sign(',');
                }
                Some(map.into())
            }
            _ => {
                let end = rest.find([',', ')', ']', '}']).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                self.rest = after;
                match word.trim() {
                    "True" | "true" => Some(true.into()),
                    "False" | "false" => Some(false.into()),
                    "None" | "null" => Some(Json::Null),
                    number => serde_json::from_str(number).ok().filter(Json::is_number),
                }
            }
        }
    }

    fn text(&mut self, quote: char) -> Option<String> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(out);
                }
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    other => out.push(other),
                },
                c => out.push(c),
            }
        }
        None
    }
}
