//! Who may have what: tokens, gated and private repositories, and whom a token is shown to.

use super::common::hub::{Access, At, Fault, Hub, STRANGER, TOKEN};
use super::common::{Home, finish};
use super::{FILE, REPO, assert_fails, assert_nameless, assert_whole, hub, oai, pull, pull_whole, repo, run};

fn hub_of(access: Access) -> Hub {
    Hub::of(repo().access(access))
}

fn pull_with(home: &Home, hub: &Hub, token: &str) -> (i32, String, String) {
    finish(oai(home, hub, &["pull", REPO]).env("HF_TOKEN", token))
}

#[test]
fn a_private_repository_opens_with_a_token() {
    let (home, hub) = (Home::new(), hub_of(Access::Private));
    assert_fails(pull(&home, &hub), 6, &[REPO, "oai login"]);
    assert_fails(pull_with(&home, &hub, STRANGER), 6, &[REPO, "oai login"]);
    assert_fails(pull_with(&home, &hub, "hf_wrong"), 6, &["401", "oai login"]);
    assert_eq!(pull_with(&home, &hub, TOKEN).0, 0);
    assert_whole(&home);
}

#[test]
fn a_gated_repository_says_where_to_accept_its_terms() {
    let (home, hub) = (Home::new(), hub_of(Access::Gated));
    let page = format!("{}/{REPO}", hub.endpoint);
    assert_fails(pull(&home, &hub), 6, &[&page, "accept its terms", "oai login"]);
    assert_fails(pull_with(&home, &hub, STRANGER), 6, &[&page, "accept its terms", "account"]);
    assert_nameless(&home);
    assert_eq!(pull_with(&home, &hub, TOKEN).0, 0);
    assert_whole(&home);
}

#[test]
fn what_was_taken_down_and_what_never_was() {
    let home = Home::new();
    assert_fails(pull(&home, &hub_of(Access::Disabled)), 6, &[REPO, "taken down"]);
    let hub = hub();
    // Anonymous, the hub does not say whether a name is private or not there at all.
    assert_fails(run(&home, &hub, &["pull", "org/nothing"]), 6, &["knows no org/nothing", "oai login"]);
    let known = finish(oai(&home, &hub, &["pull", "org/nothing"]).env("HF_TOKEN", TOKEN));
    assert_fails(known, 6, &["knows no org/nothing"]);
    // A model's page is there, its file is gone.
    hub.fault(At::Resolve, Fault::Status(404), 99);
    assert_fails(pull(&home, &hub), 6, &[FILE, REPO]);
}

#[test]
fn login_keeps_a_token_that_the_hub_knows() {
    let (home, hub) = (Home::new(), hub_of(Access::Private));
    let file = home.path().join(".cache/huggingface/token");
    let login = |token: &str| finish(oai(&home, &hub, &["login"]).write_stdin(token.to_owned()));
    assert_fails(login("hf_wrong\n"), 6, &["token"]);
    assert!(!file.exists(), "a wrong token is not kept");
    let (code, stdout, stderr) = login(&format!("  {TOKEN}\n"));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("tester"), "{stderr}");
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "a token is shown");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), TOKEN);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    pull_whole(&home, &hub);

    let (code, _, stderr) = run(&home, &hub, &["logout"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!file.exists());
    assert_fails(run(&Home::new(), &hub, &["pull", REPO]), 6, &["oai login"]);
    assert_eq!(run(&home, &hub, &["logout"]).0, 0, "to log out twice is no error");
}

#[test]
#[cfg(unix)]
fn login_closes_a_file_that_others_could_read() {
    use std::os::unix::fs::PermissionsExt;
    let (home, hub) = (Home::new(), hub());
    let file = home.path().join(".cache/huggingface/token");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "hf_old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(finish(oai(&home, &hub, &["login"]).write_stdin(TOKEN)).0, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), TOKEN);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn login_offline_keeps_the_token_unchecked() {
    let (home, hub) = (Home::new(), hub());
    let (code, _, stderr) = finish(oai(&home, &hub, &["login", "--offline"]).write_stdin("hf_any"));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(std::fs::read_to_string(home.path().join(".cache/huggingface/token")).unwrap().trim(), "hf_any");
    assert!(hub.take_log().is_empty());
    let (code, _, stderr) = finish(oai(&home, &hub, &["login"]).write_stdin(""));
    assert_ne!(code, 0, "nothing is no token");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
}

#[test]
fn a_token_goes_to_the_hub_alone() {
    let (home, hub) = (Home::new(), hub());
    assert_eq!(pull_with(&home, &hub, TOKEN).0, 0);
    let log = hub.take_log();
    assert!(log.iter().any(|asked| asked.host == "network"), "{log:#?}");
    assert!(log.iter().all(|asked| asked.authorized == (asked.host == "hub")), "{log:#?}");
}

#[test]
fn a_token_does_not_follow_a_redirect_to_another_hub() {
    // The other hub has the file, and something else under its name.
    let right = hub();
    let wrong = Hub::of(super::Repo::new(REPO).file(FILE, super::common::noise(super::WEIGHTS.len() as u64, 7)));
    for (other, is_right) in [(&right, true), (&wrong, false)] {
        let (home, hub) = (Home::new(), hub());
        let to = format!("{}/{REPO}/resolve/main/{FILE}", other.endpoint);
        hub.fault(At::Resolve, Fault::Redirect(to), super::common::hub::ALWAYS);
        let result = pull_with(&home, &hub, TOKEN);
        if is_right {
            assert_eq!(result.0, 0, "{}", result.2);
            assert_whole(&home);
        } else {
            assert_fails(result, 6, &[FILE, "hash"]);
            assert_nameless(&home);
        }
        let log = other.take_log();
        assert!(!log.is_empty() && log.iter().all(|asked| !asked.authorized), "{log:#?}");
    }
}
