//! What is told of each process, as text. All of it may come from another program's file, so all is neutralised.

use crate::monitor::Running;
use crate::neutralize::neutralize;
use crate::tui::pulse::{grouped, rate, used_of};
use crate::units;

pub struct Column {
    pub head: &'static str,
    /// The least is shown first when there is little room.
    pub rank: u8,
    /// Numbers end in line.
    pub right: bool,
    /// What does not know, or has no use for it, says nothing.
    pub text: fn(&Running) -> String,
}

pub const MODEL: &str = "MODEL";
pub const PROGRESS: &str = "PROGRESS";

pub const COLUMNS: [Column; 9] = [
    Column { head: "PID", rank: 0, right: true, text: |running| running.pid.to_string() },
    Column { head: "COMMAND", rank: 1, right: false, text: |running| one_line(&running.status.command) },
    Column {
        head: MODEL,
        rank: 3,
        right: false,
        text: |running| one_line(running.status.model.as_deref().unwrap_or("")),
    },
    Column { head: "STATE", rank: 2, right: false, text: |running| one_line(&running.status.state) },
    Column {
        head: "TOK/S",
        rank: 4,
        right: true,
        text: |running| running.status.decode_tokens_per_s.map_or_else(String::new, rate),
    },
    Column { head: "CONTEXT", rank: 8, right: true, text: context },
    Column {
        head: "MEMORY",
        rank: 6,
        right: true,
        text: |running| format!("{:>8}", units::bytes(running.resident_bytes)),
    },
    Column { head: "CPU", rank: 5, right: true, text: |running| format!("{:>4.0} %", running.cpu_percent) },
    Column { head: PROGRESS, rank: 7, right: false, text: progress },
];

/// `chat qwen3:0.6b`.
pub fn title(running: &Running) -> String {
    let model = running.status.model.as_deref().unwrap_or("");
    one_line(&format!("{} {model}", running.status.command)).trim().to_owned()
}

/// What is done of a task, 0 to 1.
pub fn share(running: &Running) -> Option<f64> {
    let (done, total) = (running.status.done?, running.status.total?);
    (total > 0).then(|| (done as f64 / total as f64).min(1.0))
}

/// Rows for a table of text, with their heads.
pub fn plain(running: &[Running]) -> Vec<Vec<String>> {
    let mut rows = vec![COLUMNS.iter().map(|column| column.head.to_owned()).collect()];
    let cell = |column: &Column, running: &Running| {
        let text = (column.text)(running).trim().to_owned();
        if text.is_empty() { "-".to_owned() } else { text }
    };
    rows.extend(running.iter().map(|running| COLUMNS.iter().map(|column| cell(column, running)).collect()));
    rows
}

fn context(running: &Running) -> String {
    match (running.status.context_used, running.status.context_total) {
        (Some(used), Some(total)) => format!("{} of {}", grouped(used), grouped(total)),
        (Some(used), None) => grouped(used),
        _ => String::new(),
    }
}

/// A pull's bytes, and of everything else the share.
fn progress(running: &Running) -> String {
    let Some(share) = share(running) else { return String::new() };
    let percent = format!("{:.0} %", share * 100.0);
    match (running.status.done, running.status.total) {
        (Some(done), Some(total)) if running.status.command == "pull" => {
            format!("{percent}, {}", used_of(done, total).trim_start())
        }
        _ => percent,
    }
}

/// As data that lands in one row.
fn one_line(text: &str) -> String {
    neutralize(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Status;

    #[test]
    fn a_row_says_what_is_known() {
        let status = Status {
            command: "chat".to_owned(),
            model: Some("a\x1b[2J\nb".to_owned()),
            state: "decode".to_owned(),
            decode_tokens_per_s: Some(23.44),
            context_used: Some(1234),
            context_total: Some(32_768),
            ..Status::default()
        };
        let pull = Status {
            command: "pull".to_owned(),
            done: Some(1_200_000_000),
            total: Some(3_000_000_000),
            ..Status::default()
        };
        let rows = plain(&[Running::example(17, status), Running::example(4, pull)]);
        let read = |row: &Vec<String>| row.join("|");
        assert_eq!(read(&rows[1]), "17|chat|a␛[2J b|decode|23.4|1,234 of 32,768|5.1 GB|395 %|-");
        assert_eq!(read(&rows[2]), "4|pull|-|-|-|-|5.1 GB|395 %|40 %, 1.2 of 3.0 GB");
    }

    #[test]
    fn a_task_of_nothing_has_no_share() {
        let of = |done, total| share(&Running::example(1, Status { done, total, ..Status::default() }));
        assert_eq!([of(Some(1), Some(0)), of(None, Some(1)), of(Some(3), Some(2))], [None, None, Some(1.0)]);
    }
}
