//! Bytes of a file: the range that was asked for, at the hub's pace, with what goes wrong on the way.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::response::Builder;
use axum::http::{HeaderMap, Method, Response};

use super::fault::{At, Fault};
use super::{Shared, header, refusal};

const CHUNK: usize = 256 << 10;
/// Chunks are smaller where the pace is told, so that bytes come evenly.
const PACED_CHUNK: usize = 16 << 10;

/// The range that the headers ask for, of a file of `length` bytes: none is the whole, `Err` lies
/// outside (RFC 9110, section 14).
fn range(headers: &HeaderMap, answer: &Builder, length: u64) -> Result<Option<Range<u64>>, ()> {
    let wanted = header(headers, "range");
    let Some((from, to)) = wanted.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let condition = header(headers, "if-range");
    if !condition.is_empty() && answer.headers_ref().is_none_or(|of| header(of, "etag") != condition) {
        return Ok(None);
    }
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => from..(to + 1).min(length),
        (Ok(from), Err(_)) => from..length,
        (Err(_), Ok(last)) => length.saturating_sub(last)..length,
        _ => return Ok(None),
    };
    if range.start < range.end { Ok(Some(range)) } else { Err(()) }
}

/// Answers with `content`, which is said to have `size_bytes`.
pub async fn answer(
    shared: &Arc<Shared>,
    answer: Builder,
    content: &Bytes,
    size_bytes: u64,
    method: &Method,
    headers: &HeaderMap,
) -> Response<Body> {
    let answer = answer.header("accept-ranges", "bytes").header("content-type", "application/octet-stream");
    if method == Method::HEAD {
        return answer.header("content-length", size_bytes).body(Body::empty()).unwrap();
    }
    let fault = shared.faults.take(At::Bytes);
    if let Some(answer) = fault.as_ref().and_then(refusal::of_fault) {
        return answer;
    }
    let length = content.len() as u64;
    let asked = match range(headers, &answer, length) {
        _ if fault == Some(Fault::RangeRefused) => Err(()),
        _ if fault == Some(Fault::RangeIgnored) => Ok(None),
        Ok(Some(range)) if fault == Some(Fault::OtherRange) => {
            let start = if range.start == 0 { 1 } else { 0 };
            Ok(Some(start..(start + range.end - range.start).min(length)))
        }
        other => other,
    };
    let (status, range) = match asked {
        Err(()) => {
            let answer = answer.status(416).header("content-range", format!("bytes */{length}"));
            return answer.body(Body::empty()).unwrap();
        }
        Ok(None) => (200, 0..length),
        Ok(Some(range)) => (206, range),
    };
    let mut answer = answer.status(status);
    if status == 206 {
        let told = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        answer = answer.header("content-range", told);
    }
    let mut part = content.slice(range.start as usize..range.end as usize);
    match fault {
        Some(Fault::Longer(n)) => part = [&part[..], &vec![b'x'; n as usize]].concat().into(),
        Some(Fault::Corrupt) => {
            let mut bytes = part.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            part = bytes.into();
        }
        _ => {}
    }
    if !matches!(fault, Some(Fault::Short(_))) {
        answer = answer.header("content-length", part.len());
    }
    answer.body(Body::from_stream(stream(Arc::clone(shared), part, fault))).unwrap()
}

/// Counts the answers that are on their way.
struct Sending(Arc<Shared>);

impl Sending {
    fn new(shared: Arc<Shared>) -> Sending {
        let now = shared.sending.fetch_add(1, Ordering::Relaxed) + 1;
        shared.peak.fetch_max(now, Ordering::Relaxed);
        Sending(shared)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Ordering::Relaxed);
    }
}

fn stream(
    shared: Arc<Shared>,
    left: Bytes,
    fault: Option<Fault>,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    let sending = Sending::new(shared);
    futures_util::stream::unfold((sending, left, 0_u64), move |(sending, mut left, sent)| {
        let fault = fault.clone();
        async move {
            let shared = Arc::clone(&sending.0);
            let rate = shared.ways().rate;
            let (slow, end) = match fault {
                Some(Fault::Slow(rate)) => (Some(rate), u64::MAX),
                Some(Fault::Cut(n) | Fault::Short(n) | Fault::Stall(n)) => (None, n),
                _ => (None, u64::MAX),
            };
            let chunk = if rate.is_some() || slow.is_some() { PACED_CHUNK } else { CHUNK };
            let chunk = chunk.min(left.len()).min(usize::try_from(end - sent).unwrap_or(usize::MAX));
            if chunk == 0 {
                if left.is_empty() {
                    return None;
                }
                match fault {
                    Some(Fault::Cut(_)) => {
                        // A pause, or the bytes before the cut never leave the server.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        return Some((Err(std::io::Error::other("cut")), (sending, Bytes::new(), sent)));
                    }
                    Some(Fault::Stall(_)) => std::future::pending().await,
                    _ => return None,
                }
            }
            if let Some(rate) = slow {
                tokio::time::sleep(Duration::from_secs_f64(chunk as f64 / rate as f64)).await;
            }
            if let Some(rate) = rate {
                pace(&shared, chunk, rate).await;
            }
            let bytes = left.split_to(chunk);
            shared.sent_bytes.fetch_add(chunk as u64, Ordering::Relaxed);
            Some((Ok(bytes), (sending, left, sent + chunk as u64)))
        }
    })
}

/// Waits until so many bytes more may leave at `rate` bytes a second over all connections.
async fn pace(shared: &Shared, bytes: usize, rate: u64) {
    let until = {
        let mut next = shared.next.lock().unwrap();
        *next = (*next).max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        *next
    };
    tokio::time::sleep_until(until.into()).await;
}
