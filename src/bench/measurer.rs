//! A process that measures, as the one sees it that asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

use super::child::{Reply, Request};
use super::error::Error;
use super::plan::Test;
use super::results::{Row, Setting};

/// What is read of a process's complaints.
const MOST_SAID: u64 = 64 << 10;

/// A process that runs [`super::child::serve`] with one model, for as long as this lives.
pub struct Measurer {
    process: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    /// What it writes to standard error.
    said: Option<JoinHandle<String>>,
}

impl Measurer {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Measurer, Error> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = piped.spawn().map_err(|source| Error::Start { source })?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(requests), Some(replies), Some(errors)) = pipes else {
            return Err(Error::Start { source: std::io::ErrorKind::BrokenPipe.into() });
        };
        let said = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What was read before it fails is what there is.
            let _ = errors.take(MOST_SAID).read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        Ok(Measurer { process, requests, replies: BufReader::new(replies), said: Some(said) })
    }

    /// What it has loaded and on what it runs. The times to the first token are not in it yet.
    pub fn setting(&mut self) -> Result<Setting, Error> {
        match self.ask(&Request::Describe)? {
            Reply::Setting(setting) => Ok(*setting),
            other => Err(unknown(&other)),
        }
    }

    /// Milliseconds from a prompt of `tokens` to the first token after it, without loading.
    pub fn first_token(&mut self, tokens: usize) -> Result<f64, Error> {
        match self.ask(&Request::FirstToken { tokens })? {
            Reply::FirstToken { ms } => Ok(ms),
            other => Err(unknown(&other)),
        }
    }

    /// The same from the start of a new process, with loading.
    pub fn cold_first_token(command: &mut Command, tokens: usize) -> Result<f64, Error> {
        let started = Instant::now();
        Measurer::start(command)?.first_token(tokens)?;
        Ok(1000.0 * started.elapsed().as_secs_f64())
    }

    /// Runs a test; `tell` hears the number of each run that begins.
    pub fn test(&mut self, test: &Test, repetitions: usize, mut tell: impl FnMut(usize)) -> Result<Row, Error> {
        let mut reply = self.ask(&Request::Test { test: *test, repetitions })?;
        loop {
            match reply {
                Reply::Run(number) => tell(number),
                Reply::Row(row) => return Ok(*row),
                other => return Err(unknown(&other)),
            }
            reply = self.reply()?;
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, Error> {
        let mut line = serde_json::to_vec(request).map_err(|e| Error::Unknown(e.to_string()))?;
        line.push(b'\n');
        // One that has ended tells why instead of answering.
        let _ = self.requests.write_all(&line);
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply, Error> {
        let mut line = String::new();
        match self.replies.read_line(&mut line) {
            Ok(n) if n > 0 => serde_json::from_str(&line).map_err(|e| Error::Unknown(e.to_string())),
            _ => Err(self.end()),
        }
    }

    /// Why it ended.
    fn end(&mut self) -> Error {
        let said = self.said.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        match self.process.wait() {
            Err(e) => Error::Died(e.to_string()),
            Ok(status) => match status.code().and_then(|code| u8::try_from(code).ok()) {
                Some(code) if code > 0 => Error::Failed { code, said },
                _ => Error::Died(format!("ended ({status})")),
            },
        }
    }
}

impl Drop for Measurer {
    fn drop(&mut self) {
        // It has nothing to put away.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn unknown(reply: &Reply) -> Error {
    Error::Unknown(format!("{reply:?}"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A process that answers each line of its input with the next of `lines`, and then ends with `code`.
    fn answering(lines: &[&str], code: u8) -> Measurer {
        let lines: String = lines.iter().map(|line| format!("read request; echo '{line}'; ")).collect();
        let script = format!("{lines} echo 'oai: no such thing' >&2; exit {code}");
        Measurer::start(Command::new("sh").args(["-c", &script])).unwrap()
    }

    #[test]
    fn replies_come_back_and_an_end_says_why() {
        let mut measurer = answering(&[r#"{"first_token":{"ms":12.5}}"#], 4);
        assert_eq!(measurer.first_token(8).unwrap(), 12.5);
        match measurer.first_token(8) {
            Err(Error::Failed { code: 4, said }) => assert_eq!(said, "oai: no such thing"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_reply_and_what_dies_is_an_error() {
        assert!(matches!(answering(&["hello"], 0).setting(), Err(Error::Unknown(_))));
        assert!(matches!(answering(&[r#"{"run":1}"#], 0).setting(), Err(Error::Unknown(_))));
        assert!(matches!(answering(&[], 0).setting(), Err(Error::Died(_))));
        let mut killed = Measurer::start(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap();
        let error = killed.setting().unwrap_err().to_string();
        assert!(error.contains("signal: 9"), "{error}");
    }
}
