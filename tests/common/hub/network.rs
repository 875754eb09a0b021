//! The content network: a store of bytes behind signed addresses that knows nothing of hubs. It
//! has an ETag of its own, no commit, and refuses tokens.

use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Response;

use super::repo::RepoFile;
use super::{OfHub, Shared, body};

/// An address that was given out.
pub struct Signed {
    path: String,
    content: Bytes,
    size_bytes: u64,
    since: Instant,
    uses: usize,
}

/// An address for a file, good for as long as the hub's ways say.
pub fn sign(shared: &Shared, file: &RepoFile) -> String {
    let path = format!("/xet-bridge/{}", file.hash);
    let mut signed = shared.signed.lock().unwrap();
    let (content, size_bytes) = (file.content.clone(), file.size_bytes);
    signed.push(Signed { path: path.clone(), content, size_bytes, since: Instant::now(), uses: 0 });
    format!("{}{path}?X-Amz-Expires=3600&X-Amz-Signature={}&x-id=GetObject", shared.network, signed.len() - 1)
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>");
    Response::builder().status(status).header("content-type", "application/xml").body(Body::from(xml)).unwrap()
}

pub async fn answer(shared: OfHub, request: Request) -> Response<Body> {
    // The token is for the hub alone; two kinds of permission at once are an error here.
    if request.headers().contains_key("authorization") {
        return refusal(400, "InvalidArgument");
    }
    let found = {
        let query = request.uri().query().unwrap_or_default();
        let number = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Signature="));
        let mut signed = shared.signed.lock().unwrap();
        let ways = shared.ways();
        let signed = number.and_then(|number| number.parse().ok()).and_then(|number: usize| signed.get_mut(number));
        signed.filter(|signed| signed.path == request.uri().path()).and_then(|signed| {
            signed.uses += 1;
            let good = signed.uses <= ways.uses && signed.since.elapsed() < ways.lives;
            good.then(|| (signed.content.clone(), signed.size_bytes))
        })
    };
    let Some((content, size_bytes)) = found else { return refusal(403, "AccessDenied") };
    let answer = Response::builder().header("etag", "\"of-the-network\"");
    body::answer(&shared, answer, &content, size_bytes, request.method(), request.headers()).await
}
