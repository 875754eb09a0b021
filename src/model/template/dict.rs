//! JSON as the values of a template. Objects are dictionaries as Python has them: `d.items` is the method, whatever
//! members there are, and `d['items']` the member.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde_json::Value as Json;

/// Attributes of Python's `dict` that a template may see.
const METHODS: [&str; 6] = ["items", "keys", "values", "get", "copy", "fromkeys"];

/// Members, and their names in order.
#[derive(Debug)]
struct Dict {
    names: Vec<Value>,
    members: HashMap<String, Value>,
}

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.members.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if METHODS.contains(&name) {
            return Some(Value::from_object(Method));
        }
        self.members.get(name).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names.clone())
    }
}

/// A method that is not called: a value that is true and little else.
#[derive(Debug)]
struct Method;

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// A template's value for `json`.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Value::from(n),
            (None, Some(n)) => Value::from(n),
            (None, None) => Value::from(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        Json::Object(map) => Value::from_object(Dict {
            names: map.keys().map(|name| Value::from(name.as_str())).collect(),
            members: map.iter().map(|(name, item)| (name.clone(), value(item))).collect(),
        }),
    }
}
