//! Refusals in the hub's words: a status, `X-Error-Code` and `X-Error-Message`.

use axum::body::Body;
use axum::http::{HeaderMap, Response};

use super::fault::Fault;
use super::repo::{Access, Repo};
use super::{STRANGER, Shared, TOKEN, header};

pub type Refusal = Response<Body>;

fn refusal(status: u16, code: &str, message: &str) -> Refusal {
    let mut answer = Response::builder().status(status).header("x-error-message", message);
    if !code.is_empty() {
        answer = answer.header("x-error-code", code);
    }
    answer
        .header("content-type", "application/json")
        .body(Body::from(serde_json::json!({ "error": message }).to_string()))
        .unwrap()
}

/// Whose token came; a token that is nobody's is refused everywhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Caller {
    Nobody,
    Tester,
    Stranger,
}

pub fn caller(headers: &HeaderMap) -> Result<Caller, Refusal> {
    match header(headers, "authorization").strip_prefix("Bearer ") {
        None if !headers.contains_key("authorization") => Ok(Caller::Nobody),
        Some(TOKEN) => Ok(Caller::Tester),
        Some(STRANGER) => Ok(Caller::Stranger),
        _ => Err(refusal(401, "", "Invalid credentials in Authorization header")),
    }
}

/// The repository at a revision, for one who may see it.
pub fn visible(shared: &Shared, headers: &HeaderMap, name: &str, revision: &str) -> Result<Repo, Refusal> {
    let caller = caller(headers)?;
    let repo = shared.repos.lock().unwrap().get(name).cloned();
    let repo = repo.filter(|repo| repo.access != Access::Private || caller == Caller::Tester);
    let Some(repo) = repo else {
        return Err(match caller {
            // Nobody learns which names are taken.
            Caller::Nobody => refusal(401, "RepoNotFound", "Invalid username or password."),
            _ => refusal(404, "RepoNotFound", "Repository not found"),
        });
    };
    if repo.access == Access::Disabled {
        return Err(refusal(403, "", "Access to this resource is disabled."));
    }
    if !repo.knows(revision) {
        return Err(refusal(404, "RevisionNotFound", &format!("Invalid rev id: {revision}")));
    }
    Ok(repo)
}

/// Whether the caller may have the files of a repository that is visible.
pub fn opened(shared: &Shared, headers: &HeaderMap, repo: &Repo) -> Result<(), Refusal> {
    let restricted = format!("Access to model {} is restricted", repo.name);
    match (repo.access, caller(headers)?) {
        (Access::Gated, Caller::Nobody) => {
            let message = "You must have access to it and be authenticated to access it. Please log in.";
            Err(refusal(401, "GatedRepo", &format!("{restricted}. {message}")))
        }
        (Access::Gated, Caller::Stranger) => {
            let page = format!("{}/{}", shared.endpoint, repo.name);
            let message = format!("you are not in the authorized list. Visit {page} to ask for access.");
            Err(refusal(403, "GatedRepo", &format!("{restricted} and {message}")))
        }
        _ => Ok(()),
    }
}

pub fn no_entry() -> Refusal {
    refusal(404, "EntryNotFound", "Entry not found")
}

pub fn no_credentials() -> Refusal {
    refusal(401, "", "Invalid credentials in Authorization header")
}

/// An answer that a fault makes by itself, without the file.
pub fn of_fault(fault: &Fault) -> Option<Refusal> {
    let page = |answer: axum::http::response::Builder| {
        let page = "<!DOCTYPE html><html>\n<body>Not what you asked for</body></html>";
        answer.header("content-type", "text/html; charset=utf-8").body(Body::from(page)).unwrap()
    };
    let answer = Response::builder();
    match fault {
        Fault::Status(status) => Some(page(answer.status(*status))),
        Fault::RetryAfter(status, when) => Some(page(answer.status(*status).header("retry-after", when))),
        Fault::Page => Some(page(answer)),
        Fault::Redirect(to) => Some(answer.status(302).header("location", to).body(Body::empty()).unwrap()),
        _ => None,
    }
}
