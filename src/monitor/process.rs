//! Which process a number means: numbers are given anew, so a process is told by its start too.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, Signal, System};

/// Why a process was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    #[error("process {pid} is gone already")]
    Gone { pid: u32 },
    #[error("process {pid} cannot be stopped by this user")]
    Refused { pid: u32 },
    #[error("process {pid}: this system has no way to ask a process to stop")]
    Unsupported { pid: u32 },
}

/// When process `pid` started: on Linux in clock ticks since boot, which no change of the clock moves; elsewhere in
/// seconds since 1970. `None` where there is no such process, or only its exit code is left.
pub fn started(pid: u32) -> Option<u64> {
    if pid == 0 || i32::try_from(pid).is_err() {
        return None;
    }
    #[cfg(target_os = "linux")]
    return started_of(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    #[cfg(not(target_os = "linux"))]
    return look_up(pid).process(Pid::from_u32(pid)).map(sysinfo::Process::start_time);
}

/// Of the line of `/proc/PID/stat` (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>). A program's name may
/// hold anything, and ends at the last bracket.
#[cfg(target_os = "linux")]
fn started_of(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    // Field 22, counted from 1; the state is the third.
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(started)
}

/// Within which processes' numbers mean something: other machines, containers and boots have their own.
pub fn place() -> String {
    #[cfg(target_os = "linux")]
    {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        format!("{} {}", boot.trim(), namespace.display())
    }
    #[cfg(not(target_os = "linux"))]
    System::host_name().unwrap_or_default()
}

/// Asks the process `pid` that started at `start` to end (SIGTERM).
pub fn stop(pid: u32, start: u64) -> Result<(), StopError> {
    let system = look_up(pid);
    let process = system.process(Pid::from_u32(pid)).filter(|_| started(pid) == Some(start));
    match process.ok_or(StopError::Gone { pid })?.kill_with(Signal::Term) {
        Some(true) => Ok(()),
        Some(false) => Err(StopError::Refused { pid }),
        None => Err(StopError::Unsupported { pid }),
    }
}

fn look_up(pid: u32) -> System {
    let mut system = System::new();
    let pids = [Pid::from_u32(pid)];
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, ProcessRefreshKind::nothing());
    system
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_start_is_read_behind_any_name() {
        let rest = "S 1 2 3 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 7 0 4711 100 200";
        assert_eq!(started_of(&format!("42 (a) b (c)) {rest}\n")), Some(4711));
        assert_eq!(started_of(&format!("42 (oai) {}", rest.replacen('S', "Z", 1))), None, "only its exit code is left");
        assert_eq!(started_of("42 (oai) S 1 2"), None);
        assert_eq!(started_of(""), None);
    }

    #[test]
    fn only_a_process_that_is_there_started() {
        let me = std::process::id();
        assert_eq!(started(me), started(me));
        assert!(started(me).is_some());
        // As a signed number these would mean groups of processes.
        assert_eq!((started(0), started(u32::MAX)), (None, None));
    }

    #[test]
    #[cfg(unix)]
    fn the_process_that_was_meant_is_stopped_and_no_other() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let start = started(pid).unwrap();
        assert_eq!(stop(pid, start + 1), Err(StopError::Gone { pid }));
        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(stop(pid, start), Ok(()));
        assert!(!child.wait().unwrap().success());
        assert_eq!(stop(pid, start), Err(StopError::Gone { pid }));
    }
}
