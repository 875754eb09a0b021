//! What the hub tells in JSON: repositories, their files, who asks.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::{Value, json};

use super::fault::{At, Fault};
use super::refusal::{self, Caller};
use super::repo::{Access, Repo};
use super::{OfHub, Shared, json};

/// The pairs of a query, decoded.
fn query(uri: &Uri) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://hub{uri}")).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// A fault of the metadata: an answer of its own, or a connection that breaks or is silent.
pub async fn fault(shared: &Shared) -> Option<Response<Body>> {
    match shared.faults.take(At::Metadata)? {
        Fault::Stall(_) => std::future::pending().await,
        Fault::Cut(_) => {
            // A promise that is not kept: the client sees the connection break.
            let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("cut"))]);
            Some(Response::builder().header("content-length", 100).body(Body::from_stream(broken)).unwrap())
        }
        other => refusal::of_fault(&other),
    }
}

/// A repository that was renamed is found under its new name.
fn moved(shared: &Shared, name: &str, uri: &Uri) -> Option<Response<Body>> {
    let repos = shared.repos.lock().unwrap();
    let new = repos.values().find(|repo| repo.old_names.iter().any(|old| old == name))?;
    let to = uri.to_string().replacen(name, &new.name, 1);
    Some(Response::builder().status(307).header("location", to).body(Body::empty()).unwrap())
}

pub async fn newest(
    shared: OfHub,
    Path((org, repo)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    info(shared, Path((org, repo, "main".to_owned())), uri, headers).await
}

/// `GET /api/models/ORG/REPO[/revision/REV][?blobs=true]`.
pub async fn info(
    shared: OfHub,
    Path((org, name, revision)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(answer) = fault(&shared).await {
        return answer;
    }
    let name = format!("{org}/{name}");
    if let Some(answer) = moved(&shared, &name, &uri) {
        return answer;
    }
    let repo = match refusal::visible(&shared, &headers, &name, &revision) {
        Ok(repo) => repo,
        Err(answer) => return answer,
    };
    let blobs = query(&uri).contains(&("blobs".to_owned(), "true".to_owned())) && shared.ways().hashes;
    let mut value = summary(&repo);
    value["sha"] = repo.commit.clone().into();
    value["siblings"] = repo
        .files
        .iter()
        .map(|file| {
            let mut sibling = json!({ "rfilename": file.path });
            if blobs {
                sibling["size"] = file.size_bytes.into();
                sibling["blobId"] = file.blob_id().into();
                if file.is_large {
                    let pointer = file.pointer().len();
                    sibling["lfs"] = json!({ "sha256": file.hash, "size": file.size_bytes, "pointerSize": pointer });
                }
            }
            sibling
        })
        .collect();
    json(&value)
}

/// What lists and pages have in common.
fn summary(repo: &Repo) -> Value {
    let mut value = json!({
        "id": repo.name,
        "modelId": repo.name,
        "author": repo.name.split('/').next(),
        "private": repo.access == Access::Private,
        "gated": if repo.access == Access::Gated { json!("manual") } else { json!(false) },
        "disabled": repo.access == Access::Disabled,
    });
    for (key, of_page) in repo.page.as_object().into_iter().flatten() {
        value[key] = of_page.clone();
    }
    value
}

/// `GET /api/models/ORG/REPO/tree/REV?recursive=true`, in pages that a `Link` header connects.
pub async fn tree(
    shared: OfHub,
    Path((org, name, revision)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(answer) = fault(&shared).await {
        return answer;
    }
    let repo = match refusal::visible(&shared, &headers, &format!("{org}/{name}"), &revision) {
        Ok(repo) => repo,
        Err(answer) => return answer,
    };
    let asked = query(&uri);
    let cursor = asked.iter().find(|(name, _)| name == "cursor").and_then(|(_, n)| n.parse().ok()).unwrap_or(0);
    let page = shared.ways().page;
    let entries: Value = repo.files[cursor..]
        .iter()
        .take(page)
        .map(|file| {
            let mut entry =
                json!({ "type": "file", "oid": file.blob_id(), "size": file.size_bytes, "path": file.path });
            if file.is_large {
                let pointer = file.pointer().len();
                entry["lfs"] = json!({ "oid": file.hash, "size": file.size_bytes, "pointerSize": pointer });
            }
            entry
        })
        .collect();
    let mut answer = json(&entries);
    let next = cursor + page;
    if next < repo.files.len() {
        let to = format!("<{}{}?recursive=true&cursor={next}>; rel=\"next\"", shared.endpoint, uri.path());
        answer.headers_mut().insert("link", to.parse().unwrap());
    }
    answer
}

/// `GET /api/models?search=WORDS&filter=TAG&limit=N`: a name must have every word, most downloads first.
pub async fn search(shared: OfHub, uri: Uri, headers: HeaderMap) -> Response<Body> {
    if let Some(answer) = fault(&shared).await {
        return answer;
    }
    let caller = match refusal::caller(&headers) {
        Ok(caller) => caller,
        Err(answer) => return answer,
    };
    let asked = query(&uri);
    let all =
        |key: &str| asked.iter().filter(|(name, _)| name == key).map(|(_, v)| v.to_lowercase()).collect::<Vec<_>>();
    let words: Vec<String> =
        all("search").iter().flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let has_tag = |repo: &Repo, tag: &str| {
        let tags = repo.page["tags"].as_array().into_iter().flatten().any(|t| t == tag);
        tags || repo.page["pipeline_tag"] == tag
    };
    let repos = shared.repos.lock().unwrap().clone();
    let mut found: Vec<&Repo> = repos
        .values()
        .filter(|repo| repo.access != Access::Private || caller == Caller::Tester)
        .filter(|repo| words.iter().all(|word| repo.name.to_lowercase().contains(word)))
        .filter(|repo| all("filter").iter().flat_map(|tags| tags.split(',')).all(|tag| has_tag(repo, tag)))
        .filter(|repo| all("pipeline_tag").iter().all(|tag| repo.page["pipeline_tag"] == tag.as_str()))
        .collect();
    found.sort_by_key(|repo| std::cmp::Reverse(repo.page["downloads"].as_u64()));
    let limit = all("limit").first().and_then(|n| n.parse().ok()).unwrap_or(1000);
    json(&found.into_iter().take(limit).map(summary).collect())
}

pub async fn whoami(shared: OfHub, headers: HeaderMap) -> Response<Body> {
    if let Some(answer) = fault(&shared).await {
        return answer;
    }
    match refusal::caller(&headers) {
        Ok(Caller::Nobody) => refusal::no_credentials(),
        Ok(Caller::Tester) => json(&json!({ "type": "user", "name": "tester" })),
        Ok(Caller::Stranger) => json(&json!({ "type": "user", "name": "stranger" })),
        Err(answer) => answer,
    }
}
