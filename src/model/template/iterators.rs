//! What Python has for results that are no lists: generators, which are read once, and views of dictionaries. Neither
//! can be indexed or written as JSON, and a template that tries is refused there, or sees nothing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use minijinja::filters;
use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// A generator over values that are known already.
#[derive(Debug)]
struct Generator(Mutex<std::vec::IntoIter<Value>>);

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let this = Arc::clone(self);
        Enumerator::Iter(Box::new(std::iter::from_fn(move || {
            this.0.lock().unwrap_or_else(PoisonError::into_inner).next()
        })))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<generator object>")
    }
}

/// `dict.items()`, `dict.keys()` or `dict.values()`.
#[derive(Debug)]
struct View {
    name: &'static str,
    items: Vec<Value>,
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = super::python::text(&Value::from(self.items.clone())).map_err(|_| fmt::Error)?;
        write!(f, "{}({items})", self.name)
    }
}

/// Values that are read once.
pub fn generator(items: Vec<Value>) -> Value {
    Value::from_object(Generator(Mutex::new(items.into_iter())))
}

/// The view that the method `name` of `map` gives.
pub fn view(map: &Value, name: &str) -> Result<Value, Error> {
    let keys = map.try_iter()?;
    Ok(Value::from_object(match name {
        "keys" => View { name: "dict_keys", items: keys.collect() },
        "values" => View { name: "dict_values", items: keys.map(|key| map.get_item(&key)).collect::<Result<_, _>>()? },
        _ => {
            let pair = |key: Value| {
                let value = map.get_item(&key)?;
                Ok(Value::from(minijinja::value::Tuple::from([key, value])))
            };
            View { name: "dict_items", items: keys.map(pair).collect::<Result<_, Error>>()? }
        }
    }))
}

/// What a loop goes over, until its time is up.
#[derive(Debug)]
struct Watched {
    items: Vec<Value>,
    until: Instant,
}

impl Object for Watched {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let until = self.until;
        Enumerator::Iter(Box::new(self.items.clone().into_iter().map(move |item| match Instant::now() > until {
            true => Value::from(Error::new(ErrorKind::OutOfFuel, "it takes too long")),
            false => item,
        })))
    }
}

/// The list of a `{% for %}`, which ends in an error at `until`. Jinja2 stops at `None`; minijinja takes it for an empty
/// list.
pub fn watched(value: &Value, until: Instant) -> Result<Value, Error> {
    if value.is_none() {
        return Err(Error::new(ErrorKind::InvalidOperation, "None cannot be iterated over"));
    }
    Ok(Value::from_object(Watched { items: value.try_iter()?.collect(), until }))
}

/// Whether a value is one of these.
pub fn is_transient(value: &Value) -> bool {
    value.downcast_object_ref::<Generator>().is_some() || value.downcast_object_ref::<View>().is_some()
}

/// The filters that give generators.
pub fn add(env: &mut Environment) {
    type Args = Rest<ValueOrKwargs>;
    env.add_filter("map", |state: &mut State, value: Value, args: Args| {
        filters::map(state, value, args).map(generator)
    });
    env.add_filter("select", |state: &mut State, value: Value, test: Option<String>, args: Args| {
        filters::select(state, value, test.map(Into::into), args).map(generator)
    });
    env.add_filter("reject", |state: &mut State, value: Value, test: Option<String>, args: Args| {
        filters::reject(state, value, test.map(Into::into), args).map(generator)
    });
    env.add_filter("selectattr", |state: &mut State, value: Value, name: String, test: Option<String>, args: Args| {
        filters::selectattr(state, value, name.into(), test.map(Into::into), args).map(generator)
    });
    env.add_filter("rejectattr", |state: &mut State, value: Value, name: String, test: Option<String>, args: Args| {
        filters::rejectattr(state, value, name.into(), test.map(Into::into), args).map(generator)
    });
}
