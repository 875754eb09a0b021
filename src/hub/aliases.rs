//! The table of short names.

use std::sync::LazyLock;

use serde::Deserialize;

/// A short name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    pub name: String,
    pub repo: String,
    /// Pulled when none is asked for; none where the repository holds safetensors.
    #[serde(rename = "quantization")]
    pub file: Option<String>,
    pub parameters: String,
    pub active: Option<String>,
    pub license: String,
    #[serde(default)]
    pub context: u64,
    #[serde(default)]
    pub kv_bytes_per_token: u64,
    #[serde(default)]
    pub kv_fixed_bytes: u64,
    #[serde(default)]
    pub good_for: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    model: Vec<Alias>,
}

/// All short names, in the table's order.
pub fn aliases() -> &'static [Alias] {
    static TABLE: LazyLock<Vec<Alias>> = LazyLock::new(|| {
        let table: Table = toml::from_str(include_str!("models.toml")).expect("a test parses the table");
        table.model
    });
    &TABLE
}

/// The alias called `name`: `mistral:7b` and `mistral-7b` are the same, and a name without its
/// size (`qwen3`) is the first of that name.
pub fn find(name: &str) -> Option<&'static Alias> {
    let wanted = spelling(name);
    let named = |alias: &&Alias| spelling(&alias.name) == wanted;
    let family = |alias: &&Alias| spelling(&alias.name).strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('-'));
    aliases().iter().find(named).or_else(|| aliases().iter().find(family))
}

fn spelling(name: &str) -> String {
    name.to_lowercase().replace(':', "-")
}

/// Up to three names that look most like `name`, for "did you mean".
pub fn nearest(name: &str) -> Vec<&'static str> {
    let wanted = spelling(name);
    let mut scored: Vec<(usize, &str)> =
        aliases().iter().map(|a| (distance(&wanted, &spelling(&a.name)), a.name.as_str())).collect();
    scored.sort();
    let limit = (wanted.len() / 2).max(2);
    scored.into_iter().take_while(|(distance, _)| *distance <= limit).take(3).map(|(_, name)| name).collect()
}

/// Edits between two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let next = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_people_type_them() {
        assert_eq!(find("mistral-7b").unwrap().name, "mistral-7b");
        assert_eq!(find("mistral:7b").unwrap().name, "mistral-7b");
        assert_eq!(find("Llama3.2:1B").unwrap().name, "llama3.2:1b");
        assert_eq!(find("qwen3").unwrap().name, "qwen3:0.6b");
        assert_eq!(find("all-minilm").unwrap().file, None);
        assert_eq!(find("qwen3-embedding").unwrap().name, "qwen3-embedding:0.6b");
        assert!(find("gpt-9").is_none());
    }

    #[test]
    fn slips_find_their_neighbours() {
        assert_eq!(nearest("mistal-7b").first(), Some(&"mistral-7b"));
        assert!(nearest("zzzzzzzzzz").is_empty());
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
