//! `/ORG/REPO/resolve/REV/PATH`: where a file's bytes are, and what the hub knows of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, Response};

use super::fault::At;
use super::refusal::{self, Refusal};
use super::repo::{Repo, RepoFile};
use super::{OfHub, Shared, api, body, network};

type Place = Path<(String, String, String, String)>;

/// The file, if the caller may have it.
fn find(shared: &Shared, headers: &HeaderMap, place: &Place) -> Result<(Repo, RepoFile), Refusal> {
    let Path((org, name, revision, path)) = place;
    let repo = refusal::visible(shared, headers, &format!("{org}/{name}"), revision)?;
    refusal::opened(shared, headers, &repo)?;
    let file = repo.find(path).cloned().ok_or_else(refusal::no_entry)?;
    Ok((repo, file))
}

/// Large files lie in the content network, small ones in a cache of the hub's own.
pub async fn resolve(shared: OfHub, place: Place, method: Method, headers: HeaderMap) -> Response<Body> {
    let fault = match method {
        Method::HEAD => api::fault(&shared).await,
        _ => shared.faults.take(At::Resolve).and_then(|fault| refusal::of_fault(&fault)),
    };
    if let Some(answer) = fault {
        return answer;
    }
    let (repo, file) = match find(&shared, &headers, &place) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let answer = Response::builder().header("x-repo-commit", &repo.commit).header("accept-ranges", "bytes");
    let quoted = format!("\"{}\"", file.hash);
    if file.is_large && shared.ways().network {
        return answer
            .status(302)
            .header("location", network::sign(&shared, &file))
            .header("x-linked-etag", quoted)
            .header("x-linked-size", file.size_bytes)
            .header("x-xet-hash", "a".repeat(64))
            .header("content-type", "text/plain; charset=utf-8")
            .body(Body::from("Found. Redirecting"))
            .unwrap();
    }
    if file.is_large {
        let answer = answer.header("etag", &quoted).header("x-linked-etag", &quoted);
        let answer = answer.header("x-linked-size", file.size_bytes);
        return body::answer(&shared, answer, &file.content, file.size_bytes, &method, &headers).await;
    }
    let to: Vec<String> = file.path.split('/').map(encode).collect();
    let to =
        format!("/api/resolve-cache/models/{}/{}/{}?etag=%22{}%22", repo.name, repo.commit, to.join("/"), file.hash);
    answer.status(307).header("location", to).header("etag", quoted).body(Body::from("Temporary Redirect")).unwrap()
}

pub async fn small(shared: OfHub, place: Place, method: Method, headers: HeaderMap) -> Response<Body> {
    let (repo, file) = match find(&shared, &headers, &place) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let answer = Response::builder().header("x-repo-commit", &repo.commit).header("etag", format!("\"{}\"", file.hash));
    let shared: Arc<Shared> = shared.0;
    body::answer(&shared, answer, &file.content, file.size_bytes, &method, &headers).await
}

/// A segment of a path, percent-encoded.
fn encode(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    segment.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
