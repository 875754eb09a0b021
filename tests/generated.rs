//! `completions/`, `man/` and README's table of architectures are what the program generates. To renew them:
//! `UPDATE=1 cargo test --test generated`.

mod common;

use std::path::Path;

use common::Home;

const SHELLS: [(&str, &str); 5] =
    [("bash", "oai.bash"), ("zsh", "_oai"), ("fish", "oai.fish"), ("powershell", "_oai.ps1"), ("elvish", "oai.elv")];

fn check(path: &str, fresh: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "{} is stale; renew it: UPDATE=1 cargo test --test generated", path.display());
}

#[test]
fn completions_are_fresh() {
    for (shell, file) in SHELLS {
        let (code, script, _) = Home::new().run(&["completions", shell]);
        assert_eq!(code, 0);
        check(&format!("completions/{file}"), &script);
    }
}

#[test]
fn man_pages_are_fresh_and_complete() {
    let home = Home::new();
    let folder = home.path().join("man");
    assert_eq!(home.run(&["man", "--out", folder.to_str().unwrap()]).0, 0);
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in &names {
        check(&format!("man/{name}"), &std::fs::read_to_string(folder.join(name)).unwrap());
    }
    let committed = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("man")).unwrap().count();
    assert_eq!(names.len(), committed, "man/ has pages of commands that are gone: {names:?}");
    let page = home.run(&["man"]).1;
    for words in ["EXIT STATUS", "130", "ENVIRONMENT", "HF_TOKEN", "config.toml"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(home.run(&["man", "ask"]).1.contains("logprobs"));
    assert_eq!(home.run(&["man", "nonsense"]).0, 2);
}

#[test]
fn the_readme_lists_the_architectures() {
    let (code, table, _) = Home::new().run(&["show", "--architectures"]);
    assert_eq!(code, 0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    const LEAD: &str = "This is what `oai show --architectures` prints.\n\n```text\n";
    let (before, rest) = readme.split_once(LEAD).unwrap();
    let (_, after) = rest.split_once("```").unwrap();
    check("README.md", &format!("{before}{LEAD}{table}```{after}"));
}
