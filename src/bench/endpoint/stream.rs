//! An answer as it arrives: server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), each a
//! chunk of a completion or of a chat, timed.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use super::Error;
use super::client::{Client, said};

/// The bytes of an event; no token is so long.
const MOST_EVENT: usize = 1 << 20;
/// After the last event the body ends, and the connection can be used again, or it is given up.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// What a server counted.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Usage {
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Usage {
    /// Tokens of the prompt that were not read, because the server knew them from before.
    pub fn cached_tokens(&self) -> Option<u64> {
        self.prompt_tokens_details.as_ref()?.cached_tokens
    }
}

/// An answer that came to its end.
#[derive(Debug)]
pub struct Answer {
    /// Of each event with text, since the request was sent; one at least.
    pub arrivals: Vec<Duration>,
    pub usage: Option<Usage>,
}

/// Of a chunk, what counts here.
#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    text: Option<String>,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

impl Choice {
    /// Whether it brings something to read; the first of a chat only says who speaks.
    fn has_text(&self) -> bool {
        let delta = self.delta.as_ref().map(|delta| [&delta.content, &delta.reasoning_content, &delta.reasoning]);
        let texts = delta.into_iter().flatten().chain([&self.text]);
        texts.flatten().any(|text| !text.is_empty())
    }
}

/// Reads an answer to its end, which it must say: a connection that just ends is a broken one.
pub async fn read(client: &Client, mut response: Response, sent: Instant) -> Result<Answer, Error> {
    let url = || client.url().to_owned();
    let (mut events, mut answer) = (Events::default(), Answer { arrivals: Vec::new(), usage: None });
    let (mut seen, mut finished, mut done) = (0, false, false);
    while !done {
        let bytes = match response.chunk().await {
            Ok(bytes) => bytes,
            Err(e) if e.is_timeout() || seen == 0 => return Err(client.broken(&e)),
            Err(e) => return Err(broken(url(), seen, &crate::hub::http::root_cause(&e))),
        };
        let arrived = sent.elapsed();
        let ended = bytes.is_none();
        let complete = match bytes {
            Some(bytes) => events.push(&bytes),
            None => events.finish(),
        };
        for data in complete {
            if data == b"[DONE]" {
                done = true;
                continue;
            }
            let chunk: Chunk = serde_json::from_slice(&data).map_err(|e| client.malformed(&e))?;
            if let Some(error) = chunk.error {
                let said = said(&serde_json::json!({ "error": error })).unwrap_or_else(|| "it says no more".to_owned());
                return Err(Error::Failed { url: url(), said });
            }
            let choices = chunk.choices.unwrap_or_default();
            seen += 1;
            if choices.iter().any(Choice::has_text) {
                answer.arrivals.push(arrived);
            }
            finished |= choices.iter().any(|choice| choice.finish_reason.as_ref().is_some_and(|why| !why.is_empty()));
            // Some count in every event; the last one has it all.
            answer.usage = chunk.usage.or(answer.usage);
        }
        if events.pending() > MOST_EVENT {
            return Err(client.malformed(&"an event does not end"));
        }
        if ended && !done && seen == 0 {
            return Err(client.malformed(&"it is no stream of events"));
        }
        if ended && !done && !finished {
            return Err(broken(url(), seen, "it ended in the middle"));
        }
        done |= ended;
    }
    let _ = tokio::time::timeout(END_PATIENCE, async { while let Ok(Some(_)) = response.chunk().await {} }).await;
    if answer.arrivals.is_empty() { Err(Error::Empty { url: url() }) } else { Ok(answer) }
}

fn broken(url: String, events: usize, reason: &str) -> Error {
    Error::Broken { url, events, reason: reason.to_owned() }
}

/// Puts events together from bytes, however the network cut them.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The last byte was a carriage return, so that a line feed belongs to it.
    returned: bool,
}

impl Events {
    /// The data of each event that `bytes` complete.
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        for byte in bytes {
            let follows_return = std::mem::replace(&mut self.returned, *byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => complete.extend(self.end_line()),
                byte => self.line.push(*byte),
            }
        }
        complete
    }

    /// At the end of the stream: what an empty line would have completed. The standard drops it; some servers leave
    /// that line out.
    fn finish(&mut self) -> Vec<Vec<u8>> {
        self.end_line().into_iter().chain(self.data.take()).collect()
    }

    /// A line has ended; an empty one ends an event.
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        // Comments, names and numbers of events say nothing here.
        let value = line.strip_prefix(b"data:")?;
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
        None
    }

    /// Bytes of the event that is not complete.
    fn pending(&self) -> usize {
        self.line.len() + self.data.as_ref().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hello\n\ndata: {\"a\":\"ü€𝄞\"}\n\nevent: x\r\ndata:1\r\ndata: 2\r\n\r\nid: 3\rdata:  y\r\rdata: [DONE]";

    fn texts(events: Vec<Vec<u8>>) -> Vec<String> {
        events.into_iter().map(|data| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        for size in 1..=STREAM.len() {
            let mut events = Events::default();
            let mut found: Vec<Vec<u8>> = STREAM.as_bytes().chunks(size).flat_map(|bytes| events.push(bytes)).collect();
            found.extend(events.finish());
            assert_eq!(texts(found), ["{\"a\":\"ü€𝄞\"}", "1\n2", " y", "[DONE]"], "cut every {size} bytes");
        }
    }

    #[test]
    fn only_chunks_with_something_to_read_count() {
        for (json, counts) in [
            (r#"{"text":"a"}"#, true),
            (r#"{"text":"","finish_reason":"length"}"#, false),
            (r#"{"delta":{"role":"assistant","content":null}}"#, false),
            (r#"{"delta":{"content":"a"}}"#, true),
            (r#"{"delta":{"reasoning_content":"a"}}"#, true),
            (r#"{"delta":{"reasoning":"a"}}"#, true),
            (r#"{}"#, false),
        ] {
            assert_eq!(serde_json::from_str::<Choice>(json).unwrap().has_text(), counts, "{json}");
        }
    }
}
