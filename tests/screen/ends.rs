//! However a chat ends or stops, the terminal is as it was before, and the conversation is on disk.

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// A shell that writes the line's settings down before and after `oai chat guide`. It leads the session, not `oai`: with
/// its leader a terminal is set anew.
const SHELL: &str = "stty -a >before; sh -c 'echo $$ >pid; exec oai chat guide'; code=$?; stty -a >after; \
                     echo ended with $code; exit $code";

fn start(home: &Home) -> (Terminal, Pid) {
    let mut terminal = Terminal::shell(home, SHELL, &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_for("nothing you type leaves this machine");
    assert!(terminal.is_taken());
    (terminal, pid(home))
}

/// The process of the chat.
fn pid(home: &Home) -> Pid {
    let pid = std::fs::read_to_string(home.path().join("pid")).unwrap();
    Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}

fn settings(home: &Home, when: &str) -> String {
    std::fs::read_to_string(home.path().join(when)).unwrap()
}

/// The terminal is as it was before, and shows the shell's screen.
#[track_caller]
fn assert_restored(terminal: &Terminal) {
    assert!(!terminal.is_taken());
    let screen = terminal.screen.screen();
    assert!(!screen.hide_cursor());
    assert_eq!((screen.fgcolor(), screen.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
    assert!(!screen.contents().contains("nothing you type"), "{}", screen.contents());
    let text = String::from_utf8_lossy(&terminal.raw).into_owned();
    let last = |sequence: &str| text.rfind(sequence).unwrap_or_else(|| panic!("no {sequence:?}"));
    for (on, off) in [("\x1b[22;2t", "\x1b[23;2t"), ("\x1b[6 q", "\x1b[0 q"), ("\x1b[?1006h", "\x1b[?1006l")] {
        assert!(last(on) < last(off), "{off:?}");
    }
}

/// What `end` does to a chat with one answer ends it with `code`.
#[track_caller]
fn ends(code: u32, end: impl Fn(&mut Terminal, Pid)) {
    let home = Home::new();
    let (mut terminal, pid) = start(&home);
    ask(&mut terminal, "how do I pull a model", "oai pull NAME");
    end(&mut terminal, pid);
    assert_eq!(terminal.end(), code, "{}", terminal.text());
    assert!(terminal.text().contains(&format!("ended with {code}")), "{}", terminal.text());
    assert_restored(&terminal);
    assert_eq!(settings(&home, "before"), settings(&home, "after"));
    let talk = last_conversation(&home);
    assert!(talk.contains("how do I pull a model") && talk.contains("oai pull NAME"), "{talk}");
}

#[test]
fn ctrl_d_leaves() {
    ends(0, |terminal, _| terminal.send("\x04"));
}

#[test]
fn ctrl_c_twice_leaves() {
    ends(0, |terminal, _| {
        terminal.send("half a question\x03");
        terminal.wait_without("half a question");
        terminal.send("\x03");
        terminal.wait_for("Ctrl-C again leaves");
        terminal.send("\x03");
    });
}

#[test]
fn a_command_leaves() {
    ends(0, |terminal, _| terminal.send("/quit\r"));
}

#[test]
fn signals_end_it_with_their_number() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        ends(code, |_, pid| kill_process(pid, signal).unwrap());
    }
}

#[test]
fn a_signal_amid_an_answer_keeps_what_came_of_it() {
    let home = Home::new();
    let numbers: Vec<String> = (0..3_000).map(|n| format!("n{n} ")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    write_parrot(&home, &numbers);
    let script = SHELL.replace("chat guide", "chat ./parrot.gguf");
    let mut terminal = Terminal::shell(&home, &script, &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_for("nothing you type leaves this machine");
    terminal.send("count\r");
    terminal.wait_for("n20 ");
    kill_process(pid(&home), Signal::TERM).unwrap();
    assert_eq!(terminal.end(), 143);
    assert_restored(&terminal);
    assert_eq!(settings(&home, "before"), settings(&home, "after"));
    let talk = last_conversation(&home);
    assert!(talk.contains("count") && talk.contains("n0 n1 n2") && !talk.contains("n2999"), "{talk}");
}

#[test]
fn settings_of_a_line_tell_a_chat_that_was_killed() {
    // What the other tests compare would show a terminal that is not restored.
    let home = Home::new();
    let (mut terminal, pid) = start(&home);
    kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(terminal.end(), 137);
    assert_ne!(settings(&home, "before"), settings(&home, "after"));
    assert!(terminal.is_taken());
}

#[test]
fn a_closed_terminal_ends_it_and_the_conversation_is_kept() {
    let home = Home::new();
    let mut terminal = guide(&home);
    ask(&mut terminal, "how do I pull a model", "oai pull NAME");
    terminal.close();
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = terminal.child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.exit_code(), 129);
    let talk = last_conversation(&home);
    assert!(talk.contains("how do I pull a model") && talk.contains("oai pull NAME"), "{talk}");
}

/// A shell with job control, and a chat in it.
fn job(home: &Home) -> Terminal {
    let environment = &[QUIET[0], ("PS1", "prompt> ")];
    let script = "exec bash --norc --noprofile --noediting -i";
    let mut terminal = Terminal::shell(home, script, &Setup { environment, ..Setup::default() });
    terminal.wait_for("prompt>");
    terminal.send("stty -a >before; (echo $BASHPID >pid; exec oai chat guide)\r");
    terminal.wait_for("nothing you type leaves this machine");
    ask(&mut terminal, "how do I pull a model", "oai pull NAME");
    terminal
}

/// The shell waits for a command: its prompt is the last that came, wherever the cursor was.
#[track_caller]
fn wait_for_prompt(terminal: &mut Terminal) {
    let end = Instant::now() + PATIENCE;
    while terminal.screen.screen().alternate_screen() || !terminal.raw.ends_with(b"prompt> ") {
        terminal.take_in(Duration::from_millis(50));
        assert!(Instant::now() < end, "no prompt on:\n{}", terminal.text());
    }
}

fn suspended_and_continued(stop: impl Fn(&mut Terminal, Pid)) {
    let home = Home::new();
    let mut terminal = job(&home);
    stop(&mut terminal, pid(&home));
    terminal.wait_for("Stopped");
    wait_for_prompt(&mut terminal);
    assert_restored(&terminal);
    terminal.send("stty -a >after; echo settings $((40 + 2))\r");
    terminal.wait_for("settings 42");
    assert_eq!(settings(&home, "before"), settings(&home, "after"));
    terminal.send("fg\r");
    terminal.wait_until("the chat again", |screen| {
        screen.alternate_screen() && screen.contents().contains("oai pull NAME")
    });
    assert!(terminal.is_taken());
    ask(&mut terminal, "how do I list models", "oai list");
    terminal.send("\x04");
    // What is typed while the chat ends may be forgotten, as reports of the mouse are.
    wait_for_prompt(&mut terminal);
    terminal.send("echo code $?; stty -a >after; echo settings $((40 + 4))\r");
    terminal.wait_for("settings 44");
    terminal.wait_for("code 0");
    assert_restored(&terminal);
    assert_eq!(settings(&home, "before"), settings(&home, "after"));
    terminal.send("exit\r");
    terminal.end();
}

#[test]
fn a_suspended_chat_leaves_the_terminal_to_the_shell_and_comes_back() {
    suspended_and_continued(|terminal, _| terminal.send("\x1a"));
}

#[test]
fn a_suspension_from_outside_is_no_different() {
    suspended_and_continued(|_, pid| kill_process(pid, Signal::TSTP).unwrap());
}

#[test]
fn a_chat_that_was_stopped_without_warning_draws_anew() {
    let home = Home::new();
    let mut terminal = job(&home);
    kill_process(pid(&home), Signal::STOP).unwrap();
    terminal.wait_for("Stopped");
    // The shell's terminal is as the chat left it; this resets it.
    terminal.send("printf '\\033c'\r");
    wait_for_prompt(&mut terminal);
    terminal.send("fg\r");
    terminal.wait_until("the chat again", |screen| {
        screen.alternate_screen() && screen.bracketed_paste() && screen.contents().contains("oai pull NAME")
    });
    ask(&mut terminal, "how do I list models", "oai list");
    terminal.send("\x04");
    wait_for_prompt(&mut terminal);
    terminal.send("echo code $?\r");
    terminal.wait_for("code 0");
}

#[test]
fn a_suspended_chat_can_be_ended() {
    let home = Home::new();
    let mut terminal = job(&home);
    terminal.send("\x1a");
    terminal.wait_for("Stopped");
    wait_for_prompt(&mut terminal);
    let pid = pid(&home);
    terminal.send("kill %1\r");
    let end = Instant::now() + PATIENCE;
    while rustix::process::test_kill_process(pid).is_ok() {
        terminal.take_in(Duration::from_millis(20));
        assert!(Instant::now() < end, "it does not end:\n{}", terminal.text());
    }
    terminal.send("\r");
    terminal.wait_for("Exit 143");
    assert_restored(&terminal);
    let talk = last_conversation(&home);
    assert!(talk.contains("oai pull NAME"), "{talk}");
}

#[test]
fn where_nobody_could_continue_it_a_chat_does_not_stop() {
    // It leads its session itself, as in a container.
    let home = Home::new();
    let mut terminal = guide(&home);
    terminal.send("\x1a");
    // It gives the terminal back and takes it again.
    terminal.wait_for_bytes("\x1b[?1049l");
    terminal.wait_until("the chat again", |screen| screen.alternate_screen() && screen.contents().contains("F1 keys"));
    ask(&mut terminal, "how do I list models", "oai list");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
}

/// Threads with large stacks, and address space for only some of them: at one of these limits the standard library finds
/// no place for a thread that cannot be done without, and panics.
#[cfg(target_os = "linux")]
#[test]
fn a_panic_restores_the_terminal_and_leaves_a_report() {
    const STACK_GIB: u64 = 4;
    let mut panics = 0;
    for threads in 1..12 {
        let home = Home::new();
        let limit_kib = ((threads * STACK_GIB) << 20) + (2 << 20);
        let script = format!("ulimit -v {limit_kib}; {SHELL}");
        let stack = (STACK_GIB << 30).to_string();
        let environment = &[QUIET[0], ("RUST_MIN_STACK", stack.as_str())];
        let mut terminal = Terminal::shell(&home, &script, &Setup { environment, ..Setup::default() });
        terminal.wait_until("a chat or its end", |screen| {
            ["ended with", "F1 keys"].iter().any(|words| screen.contents().contains(words))
        });
        if terminal.text().contains("F1 keys") {
            terminal.send("\x04");
        }
        let code = terminal.end();
        assert!(!terminal.is_taken(), "{threads} threads");
        assert_eq!(settings(&home, "before"), settings(&home, "after"), "{threads} threads: {}", terminal.text());
        let shown = terminal.text().replace('\n', "");
        if shown.contains("internal error") && String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h") {
            panics += 1;
            assert_restored(&terminal);
            assert_eq!(code, 1);
            let files =
                std::fs::read_dir(home.path().join(".local/share/oai")).unwrap().map(|file| file.unwrap().path());
            let report = files.into_iter().find(|path| path.to_string_lossy().contains("panic-")).unwrap();
            assert!(shown.contains(report.file_name().unwrap().to_str().unwrap()), "{shown}");
            let report = std::fs::read_to_string(report).unwrap();
            assert!(report.contains("failed to spawn thread"), "{report}");
        }
        if code == 0 {
            break;
        }
    }
    assert!(panics > 0, "nothing panicked");
}

#[test]
fn where_no_screen_can_be_shown_the_chat_is_line_by_line() {
    let home = Home::new();
    let mut terminal = Terminal::start_with(
        &home,
        &["chat", "guide"],
        &Setup { environment: &[("TERM", "dumb")], ..Setup::default() },
    );
    terminal.wait_for("Ctrl-D leaves");
    assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"));
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
}
