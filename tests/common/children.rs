//! Runs the cases of a test in child processes, so that one that crashes or hangs is named and the others go on.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Tells a child which cases are its own, as `first..last`.
const CASES: &str = "SENTENCE_EMBEDDER_TEST_CASES";

/// What a child writes before each case.
const MARK: &str = "\ncase ";

/// Longest that one case may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Children at once.
const CHILDREN: usize = 2;

/// Runs `case` for `0..count`. `test` is the name of the calling test, which each child runs by itself.
///
/// A case fails by a panic, by ending its process, or by taking longer than [`PATIENCE`].
pub fn each_case(test: &str, count: usize, case: impl Fn(usize)) {
    if let Ok(range) = env::var(CASES) {
        let (first, last) = range.split_once("..").unwrap();
        for index in first.parse().unwrap()..last.parse().unwrap() {
            println!("{MARK}{index}");
            case(index);
        }
        println!("{MARK}{last}");
        return;
    }
    let next = Mutex::new(0);
    let failures = Mutex::new(Vec::new());
    let share = count.div_ceil(CHILDREN * 4).max(1);
    thread::scope(|scope| {
        for _ in 0..CHILDREN {
            scope.spawn(|| {
                loop {
                    let first = {
                        let mut next = next.lock().unwrap();
                        *next += share;
                        *next - share
                    };
                    if first >= count {
                        break;
                    }
                    run_range(test, first, (first + share).min(count), &failures);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Runs one child after the other, each from the case after the one that the last child failed on.
fn run_range(test: &str, mut first: usize, last: usize, failures: &Mutex<Vec<String>>) {
    while first < last {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(CASES, format!("{first}..{last}"))
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let said = thread::spawn(move || {
            let mut said = Vec::new();
            stderr.read_to_end(&mut said).map(|_| said)
        });
        let (reached, hung) = follow(&mut child, first);
        let status = child.wait().unwrap();
        if status.success() && reached == last {
            return;
        }
        let said = String::from_utf8_lossy(&said.join().unwrap().unwrap()).into_owned();
        let end: Vec<&str> = said.lines().rev().take(12).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        let how = if hung {
            "hangs".to_owned()
        } else {
            format!("ended its process: {status}")
        };
        let failure = format!("case {reached} {how}\n{}", end.join("\n"));
        eprintln!("{failure}");
        failures.lock().unwrap().push(failure);
        first = reached + 1;
    }
}

/// The last case that the child began, and whether it had to be killed there.
fn follow(child: &mut Child, first: usize) -> (usize, bool) {
    let (sender, lines) = mpsc::channel();
    let stdout = child.stdout.take().unwrap();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(index) = line.strip_prefix(MARK.trim_start()) {
                sender.send(index.parse().unwrap_or_default()).ok();
            }
        }
    });
    let mut reached = first;
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(index) => reached = index,
            Err(RecvTimeoutError::Disconnected) => return (reached, false),
            Err(RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                return (reached, true);
            }
        }
    }
}
