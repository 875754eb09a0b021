//! What is nobody's business: who the user is.

use serde_json::Value;

use crate::config::Settings;

/// Texts that are not shown, and what is shown for each.
pub struct Private {
    home: Option<String>,
    user: Option<String>,
    token: Option<String>,
}

impl Private {
    pub fn of(settings: &Settings) -> Private {
        let home = settings.paths.home.as_ref().map(|home| home.display().to_string());
        let named = settings.surrounding(&["USER", "LOGNAME", "USERNAME"]).map(|(_, name)| name.to_owned());
        let of_home = settings.paths.home.as_ref().and_then(|home| home.file_name());
        Private {
            home: home.filter(|home| home.len() > 1),
            user: named.or_else(|| of_home.map(|name| name.to_string_lossy().into_owned())),
            token: settings.hub_token.clone(),
        }
    }

    /// `~/x` for a path at home; elsewhere `USER` for a folder named like the user.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()) {
            text = text.replace(token.as_str(), "***");
        }
        if let Some(home) = &self.home {
            text = replaced(&text, home, "~", |next| !next.is_alphanumeric());
        }
        if let Some(user) = self.user.as_ref().filter(|user| user.len() > 1) {
            for separator in ['/', '\\'] {
                let ends = |next: char| next == separator || next.is_whitespace() || ":,;)\"'".contains(next);
                text = replaced(&text, &format!("{separator}{user}"), &format!("{separator}USER"), ends);
            }
        }
        without_passwords(&text)
    }

    /// The same for every text in a value.
    pub fn hide_all(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.hide(&text)),
            Value::Array(all) => all.into_iter().map(|value| self.hide_all(value)).collect(),
            Value::Object(all) => all.into_iter().map(|(key, value)| (key, self.hide_all(value))).collect(),
            other => other,
        }
    }
}

/// `part` replaced where it ends as a part of a path does.
fn replaced(text: &str, part: &str, with: &str, ends: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(part) {
        let (before, after) = (&rest[..at], &rest[at + part.len()..]);
        out.push_str(before);
        out.push_str(if after.chars().next().is_none_or(&ends) { with } else { part });
        rest = after;
    }
    out + rest
}

/// Addresses may name a user and a password before the host: `http://me:secret@proxy:3128`.
fn without_passwords(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let host = after.find(|c: char| c.is_whitespace() || "/?#,\"'".contains(c)).unwrap_or(after.len());
        rest = match after[..host].rfind('@') {
            Some(at) => {
                out.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    // Of a proxy without a scheme.
    if out.is_empty() && !rest.contains(char::is_whitespace) && rest.contains('@') && rest.contains(':') {
        return rest.rfind('@').map_or(String::new(), |at| format!("***{}", &rest[at..]));
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named() {
        let text = |text: &str| Some(text.to_owned());
        let private = Private { home: text("/home/ada"), user: text("ada"), token: text("hf_abc") };
        for (shown, expected) in [
            ("/home/ada/.cache", "~/.cache"),
            ("/home/ada", "~"),
            ("/home/adam/x", "/home/adam/x"),
            ("/data/ada/models: 3", "/data/USER/models: 3"),
            ("/data/adapters", "/data/adapters"),
            ("token hf_abc is wrong", "token *** is wrong"),
            ("http://me:pw@proxy:3128/", "http://***@proxy:3128/"),
            ("http://me:p@w@proxy, https://hub/a@b", "http://***@proxy, https://hub/a@b"),
            ("me:pw@proxy:3128", "***@proxy:3128"),
            ("AMD EPYC @ 2.6 GHz: fast", "AMD EPYC @ 2.6 GHz: fast"),
            (r"C:\Users\ada\x", r"C:\Users\USER\x"),
        ] {
            assert_eq!(private.hide(shown), expected);
        }
        let hidden = private.hide_all(serde_json::json!({ "a": ["/home/ada", 1], "b": "hf_abc" }));
        assert_eq!(hidden, serde_json::json!({ "a": ["~", 1], "b": "***" }));
        let nobody = Private { home: None, user: None, token: None };
        assert_eq!(nobody.hide("/home/ada"), "/home/ada");
    }
}
