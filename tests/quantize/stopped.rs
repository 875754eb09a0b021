//! What is stopped, or finds the disk full, leaves nothing behind.

use std::process::Stdio;
use std::time::Instant;

use crate::common::{Home, assert_error, finish};
use crate::model::{files, quantized, write};

/// Kills at moments all over a run: there is the whole file, or none.
#[cfg(unix)]
#[test]
fn a_kill_at_any_moment_leaves_the_whole_file_or_none() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let program = assert_cmd::cargo::cargo_bin("oai");
    let start = || {
        let mut command = std::process::Command::new(&program);
        command.env_clear().env("HOME", home.path()).current_dir(home.path());
        command.args(["quantize", source.to_str().unwrap(), "Q4_K_M", "-o", "out.gguf"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let started = Instant::now();
    assert!(start().wait().unwrap().success());
    let whole_time = started.elapsed();
    let whole = std::fs::read(home.path().join("out.gguf")).unwrap();
    let mut killed = 0;
    for moment in 0..24 {
        let _ = std::fs::remove_file(home.path().join("out.gguf"));
        let mut child = start();
        std::thread::sleep(whole_time * moment / 24);
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        match std::fs::read(home.path().join("out.gguf")) {
            Ok(bytes) => assert!(bytes == whole, "moment {moment}"),
            Err(_) => assert_eq!(files(&home), ["m.gguf"], "moment {moment}"),
        }
    }
    assert!(killed > 4, "{killed}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_is_said_and_the_old_file_stays() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let source = source.to_str().unwrap();
    quantized(&home, &[source, "Q2_K", "-o", "out.gguf"]);
    let before = std::fs::read(home.path().join("out.gguf")).unwrap();
    // A limit on the size of files stands for a full disk: the write fails, and not at its start.
    let mut command = assert_cmd::Command::new("bash");
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin").current_dir(home.path());
    command.args(["-c", "trap '' XFSZ; ulimit -f 800; exec \"$@\"", "bash"]).arg(assert_cmd::cargo::cargo_bin("oai"));
    command.args(["quantize", source, "Q8_0", "-o", "out.gguf", "--force"]);
    assert_error(finish(&mut command), 7, &["out.gguf"]);
    assert_eq!(files(&home), ["m.gguf", "out.gguf"]);
    assert!(std::fs::read(home.path().join("out.gguf")).unwrap() == before);
}
