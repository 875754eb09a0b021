//! `oai history` through the real binary.

mod common;

use common::{Home, assert_error};
use serde_json::{Value, json};

/// A home with two conversations: 1 about the sky, 2 about rust, the newer one.
fn home() -> Home {
    let home = Home::new();
    let talks = [
        ("sky", "Why is the sky blue?", "Because of *scattering*. 空は青い。 \u{1b}[31m"),
        ("rust", "What is Rust?", "A language:\n\n```rust\nfn main() {}\n```\n"),
    ];
    for (name, question, answer) in talks {
        let messages = json!([{"role": "user", "content": question}, {"role": "assistant", "content": answer}]);
        let path = home.path().join(format!("{name}.json"));
        std::fs::write(&path, json!({"model": "guide", "messages": messages}).to_string()).unwrap();
        succeed(&home, &["history", "import", path.to_str().unwrap()]);
    }
    home
}

/// Standard output and standard error of a command that succeeds.
#[track_caller]
fn succeed(home: &Home, args: &[&str]) -> (String, String) {
    let (code, stdout, stderr) = home.run(args);
    assert_eq!(code, 0, "{stderr}");
    (stdout, stderr)
}

fn listed(home: &Home, args: &[&str]) -> Vec<Value> {
    let all = [&["history", "--json"], args].concat();
    serde_json::from_str(&succeed(home, &all).0).unwrap()
}

#[test]
fn without_conversations_the_list_says_so() {
    let home = Home::new();
    let (stdout, stderr) = succeed(&home, &["history"]);
    assert!(stdout.is_empty() && stderr.contains("no conversations yet"), "{stderr}");
    assert_eq!(listed(&home, &[]), Vec::<Value>::new());
}

#[test]
fn conversations_are_listed_the_newest_first() {
    let home = home();
    let titles: Vec<String> = listed(&home, &[]).iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect();
    assert_eq!(titles, ["What is Rust?", "Why is the sky blue?"]);
    assert_eq!(listed(&home, &["-n", "1"]).len(), 1);
    let (table, _) = succeed(&home, &["history"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("ID") && lines[1].contains("What is Rust?"), "{table}");
    assert!(lines[1].contains("guide"), "{table}");
}

#[test]
fn words_are_found_where_they_were_said() {
    let home = home();
    let (table, _) = succeed(&home, &["history", "search", "scatter"]);
    assert!(table.contains("Why is the sky blue?") && !table.contains("Rust"), "{table}");
    assert!(succeed(&home, &["history", "search", "青い"]).0.contains("sky"));
    let hits: Vec<Value> =
        serde_json::from_str(&succeed(&home, &["history", "search", "--json", "what", "rust"]).0).unwrap();
    assert!(!hits.is_empty() && hits.iter().all(|hit| hit["session"]["id"] == 2), "{hits:?}");
    let (stdout, stderr) = succeed(&home, &["history", "search", "nowhere"]);
    assert!(stdout.is_empty() && stderr.contains("nothing was found"), "{stderr}");
}

#[test]
fn a_conversation_is_shown_and_commands_no_terminal() {
    let home = home();
    let (markdown, _) = succeed(&home, &["history", "show", "1"]);
    assert!(
        markdown.contains("*scattering*") && markdown.contains("␛[31m") && !markdown.contains('\x1b'),
        "{markdown}"
    );
    let (html, _) = succeed(&home, &["history", "show", "--html", "last"]);
    assert!(html.contains("<html") && html.contains("fn main") && !html.contains("http://"), "{html}");
    let session: Value = serde_json::from_str(&succeed(&home, &["history", "show", "--json", "1"]).0).unwrap();
    assert_eq!(session["nodes"].as_array().unwrap().len(), 2, "{session}");
    assert_error(home.run(&["history", "show", "7"]), 2, &["7"]);
    assert_error(home.run(&["history", "show", "nonsense"]), 2, &["nonsense"]);
}

#[test]
fn what_is_exported_can_be_imported() {
    let home = home();
    let path = |name: &str| home.path().join(name).display().to_string();
    for name in ["talk.md", "talk.html", "talk.json"] {
        let (_, stderr) = succeed(&home, &["history", "export", "1", &path(name)]);
        assert!(stderr.contains(name), "{stderr}");
    }
    assert_error(home.run(&["history", "export", "2", &path("talk.md")]), 2, &["talk.md", "--force"]);
    assert!(std::fs::read_to_string(path("talk.md")).unwrap().contains("sky"));
    succeed(&home, &["history", "export", "--force", "2", &path("talk.md")]);
    assert!(std::fs::read_to_string(path("talk.md")).unwrap().contains("Rust"));
    assert_error(home.run(&["history", "export", "1", &path("talk.doc")]), 2, &["talk.doc", ".html"]);
    assert_error(home.run(&["history", "export", "1", &path("nowhere/talk.md")]), 7, &["nowhere"]);

    succeed(&home, &["history", "import", &path("talk.json")]);
    let all = listed(&home, &[]);
    assert_eq!(all.len(), 3);
    assert_eq!(all.iter().filter(|one| one["title"] == "Why is the sky blue?").count(), 2, "{all:?}");
    std::fs::write(path("bad.json"), "{\"model\": 3}").unwrap();
    assert_error(home.run(&["history", "import", &path("bad.json")]), 7, &["bad.json"]);
    assert_error(home.run(&["history", "import", &path("gone.json")]), 7, &["gone.json"]);
}

#[test]
fn a_name_and_tags_are_given_and_taken() {
    let home = home();
    succeed(&home, &["history", "rename", "1", "colours of the sky"]);
    assert!(succeed(&home, &["history", "show", "colours"]).0.contains("scattering"));
    assert_error(home.run(&["history", "rename", "1", "last"]), 2, &["last"]);
    assert_error(home.run(&["history", "rename", "1", "2"]), 2, &["2"]);
    succeed(&home, &["history", "rename", "1", ""]);
    assert!(listed(&home, &[]).iter().any(|one| one["title"] == "Why is the sky blue?"));

    succeed(&home, &["history", "tag", "1", "nature", "physics"]);
    succeed(&home, &["history", "untag", "1", "nature"]);
    let tagged = listed(&home, &["--tag", "physics"]);
    assert!(tagged.len() == 1 && tagged[0]["tags"] == json!(["physics"]), "{tagged:?}");
    assert!(succeed(&home, &["history"]).0.contains("TAGS"));
    assert!(listed(&home, &["--tag", "nature"]).is_empty());
    assert_error(home.run(&["history", "untag", "1", "nature"]), 2, &["nature"]);
}

#[test]
fn what_is_deleted_is_gone_from_the_disk() {
    let home = home();
    assert_error(home.run(&["history", "rm", "1"]), 2, &["Why is the sky blue?", "-y"]);
    // All are understood before any is deleted.
    assert_error(home.run(&["history", "rm", "-y", "1", "77"]), 2, &["77"]);
    assert_eq!(listed(&home, &[]).len(), 2);
    let (_, stderr) = succeed(&home, &["history", "rm", "-y", "1"]);
    assert!(stderr.contains("Why is the sky blue?"), "{stderr}");
    assert_eq!(listed(&home, &[]).len(), 1);
    assert_error(home.run(&["history", "show", "1"]), 2, &["1"]);
    for entry in std::fs::read_dir(home.path().join(".local/share/oai")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(10).any(|window| window == b"scattering"));
    }
    succeed(&home, &["history", "rm", "-y", "last"]);
    assert!(listed(&home, &[]).is_empty());
}
