//! Through proxies, past them, and over TLS that only a certificate file makes trusted.

use std::path::{Path, PathBuf};

use super::common::hub::Hub;
use super::common::proxy::Proxy;
use super::common::{Home, finish};
use super::{REPO, assert_fails, assert_whole, hub, oai, repo};

/// The authority that signed the certificate of [`Hub::of_tls`].
fn authority() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/tls/ca.pem")
}

fn pull_with(home: &Home, hub: &Hub, environment: &[(&str, &str)]) -> (i32, String, String) {
    finish(oai(home, hub, &["pull", REPO]).envs(environment.iter().copied()))
}

#[test]
fn a_proxy_is_used_unless_no_proxy_names_the_host() {
    let (hub, proxy) = (hub(), Proxy::start());
    let address = format!("http://{}", proxy.address);
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let home = Home::new();
        let (code, _, stderr) = pull_with(&home, &hub, &[(variable, &address)]);
        assert_eq!(code, 0, "{stderr}");
        assert_whole(&home);
        let (asked, through) = (hub.take_log(), proxy.take_log());
        assert_eq!(asked.len(), through.len(), "{variable}: {through:#?}");
    }
    for (variable, hosts) in
        [("NO_PROXY", "127.0.0.1"), ("no_proxy", "example.org, 127.0.0.1"), ("NO_PROXY", "127.0.0.0/8")]
    {
        let home = Home::new();
        assert_eq!(pull_with(&home, &hub, &[("HTTP_PROXY", &address), (variable, hosts)]).0, 0);
        assert!(proxy.take_log().is_empty(), "{variable}={hosts}");
    }
}

#[test]
fn a_proxy_with_a_password_gets_it() {
    let (home, hub, proxy) = (Home::new(), hub(), Proxy::start());
    let (code, _, stderr) = pull_with(&home, &hub, &[("HTTP_PROXY", &format!("http://me:secret@{}", proxy.address))]);
    assert_eq!(code, 0, "{stderr}");
    let log = proxy.take_log();
    // me:secret in base64.
    assert!(!log.is_empty() && log.iter().all(|line| line.ends_with("Basic bWU6c2VjcmV0")), "{log:#?}");
}

#[test]
fn a_proxy_that_is_not_there_is_named_as_a_cause() {
    let (home, hub) = (Home::new(), hub());
    let result = pull_with(&home, &hub, &[("HTTP_PROXY", "http://127.0.0.1:9"), ("OAI_RETRIES", "0")]);
    assert_fails(result, 6, &[&hub.endpoint, "PROXY"]);
    assert!(hub.take_log().is_empty(), "went past the proxy");
}

#[test]
fn certificates_come_from_the_file_that_other_tools_read() {
    let hub = Hub::of_tls(repo());
    let authority = authority().display().to_string();
    for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
        let home = Home::new();
        let (code, _, stderr) = pull_with(&home, &hub, &[(variable, &authority)]);
        assert_eq!(code, 0, "{variable}: {stderr}");
        assert_whole(&home);
    }
    let home = Home::new();
    assert_fails(pull_with(&home, &hub, &[]), 6, &[&hub.endpoint, "certificate", "SSL_CERT_FILE"]);
    for (file, content) in [("none.pem", None), ("bad.pem", Some("not a certificate"))] {
        let path = home.path().join(file);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let result = pull_with(&home, &hub, &[("REQUESTS_CA_BUNDLE", path.to_str().unwrap())]);
        assert!(result.0 != 0 && result.2.contains(file) && result.2.trim_end().lines().count() == 1, "{}", result.2);
    }
}

#[test]
fn tls_goes_through_a_proxy_in_a_tunnel() {
    let (home, hub, proxy) = (Home::new(), Hub::of_tls(repo()), Proxy::start());
    let (authority, address) = (authority().display().to_string(), format!("http://{}", proxy.address));
    let through = [("HTTPS_PROXY", address.as_str()), ("SSL_CERT_FILE", &authority), ("HF_TOKEN", "hf_secret")];
    let (code, _, stderr) = pull_with(&home, &hub, &through);
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&home);
    let log = proxy.take_log();
    assert!(!log.is_empty() && log.iter().all(|line| line.starts_with("CONNECT 127.0.0.1:")), "{log:#?}");
    let home = Home::new();
    assert_eq!(pull_with(&home, &hub, &[&through[..], &[("NO_PROXY", "127.0.0.1")]].concat()).0, 0);
    assert!(proxy.take_log().is_empty());
}
