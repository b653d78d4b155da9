//! Signals and kills at every phase of a run: the right code, the right last sentence, and nothing left behind.
//! What is left in a server is the business of `tests/live/endings.rs`.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::kit::{self, execute, faulty};
use crate::support::processes::{self, MARKER, Signal};
use crate::support::script::{Entry, FaultKind, Mail, Script, Step};
use crate::support::wait::{gone_within, until};
use crate::support::{GRACE, MAYBE, Run, Running, UNCHANGED, fake_kit};

/// Where a run stands when it is hit, and stays.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// drizzle-kit loads its config, and has not handed it over.
    LoadingTheConfig,
    /// drizzle-kit works, and has asked nothing so far.
    Working,
    /// A question is open, and the first key was typed.
    AtAPrompt,
    /// The last question was answered with yes.
    AfterConsent,
}

/// What hits it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    Signal(Signal),
    /// SIGKILL for the program.
    KillPilot,
    /// SIGKILL for the process that the program starts drizzle-kit by.
    KillWarden,
    /// SIGKILL for drizzle-kit.
    KillKit,
}

const BLOWS: [Blow; 6] = [
    Blow::Signal(Signal::TERM),
    Blow::Signal(Signal::INT),
    Blow::Signal(Signal::HUP),
    Blow::KillPilot,
    Blow::KillWarden,
    Blow::KillKit,
];

/// Starts a run and waits until it stands in the phase. drizzle-kit has a child then that left its session and ignores
/// the polite signals.
fn standing(phase: Phase) -> Running {
    let grandchild = Step::Grandchild { keeps_terminal: false };
    let (script, is_there): (Script, fn(&Entry) -> bool) = match phase {
        Phase::LoadingTheConfig => {
            (Script { mail: Mail::Nothing, steps: vec![grandchild, Step::Hang] }, |entry| *entry == Entry::Idle)
        }
        // Without IgnoreSignals the hang-up of the terminal would end it, whoever is killed.
        Phase::Working => (kit::push([Step::IgnoreSignals, grandchild, Step::Hang]), |entry| *entry == Entry::Idle),
        Phase::AtAPrompt => {
            (kit::push([grandchild, faulty(execute(), 1, FaultKind::Deaf)]), |entry| matches!(entry, Entry::Key(_)))
        }
        Phase::AfterConsent => {
            (kit::push([grandchild, Step::Menu(execute()), Step::Hang]), |entry| *entry == Entry::Idle)
        }
    };
    let running = Run::push(&script).spawn();
    running.until_logged(&format!("the fake stands {phase:?}"), is_there);
    running
}

fn hit(running: &Running, blow: Blow) {
    let named = |name: &str| {
        let pids = running.processes().into_iter().filter(|process| process.name == name).map(|process| process.pid);
        // A child has a higher number than its parent, but for the one time that the numbers begin anew.
        pids.min().unwrap_or_else(|| panic!("no {name} among {:#?}", running.processes()))
    };
    let (pid, signal) = match blow {
        Blow::Signal(signal) => (running.pid(), signal),
        Blow::KillPilot => (running.pid(), Signal::KILL),
        Blow::KillWarden => (named("drizzle-reaper"), Signal::KILL),
        Blow::KillKit => (named("fake_kit"), Signal::KILL),
    };
    assert!(processes::signal(pid, signal), "{pid} ended before it was hit");
}

/// Hits a run in a phase with everything there is. That no process is left is checked at every end.
fn check(phase: Phase) {
    let sentence = if phase == Phase::AfterConsent { MAYBE } else { UNCHANGED };
    std::thread::scope(|scope| {
        for blow in BLOWS {
            scope.spawn(move || {
                let running = standing(phase);
                hit(&running, blow);
                let ended = running.finish();
                let (code, closing) = match (blow, phase) {
                    (Blow::Signal(signal), _) => (128 + signal.as_raw(), Some(sentence)),
                    // Nobody is left to say anything.
                    (Blow::KillPilot, _) => (-9, None),
                    (Blow::KillWarden | Blow::KillKit, Phase::AfterConsent) => (6, Some(sentence)),
                    (Blow::KillWarden | Blow::KillKit, _) => (1, Some(sentence)),
                };
                ended.ends(code, closing);
            });
        }
    });
}

#[test]
fn a_run_that_loads_its_config_ends_well() {
    check(Phase::LoadingTheConfig);
}

#[test]
fn a_run_that_works_ends_well() {
    check(Phase::Working);
}

#[test]
fn a_run_at_an_open_prompt_ends_well() {
    check(Phase::AtAPrompt);
}

#[test]
fn a_run_after_consent_ends_well() {
    check(Phase::AfterConsent);
}

/// Until drizzle-kit is about to be started, a signal ends the program as the kernel does it: there is nothing to bring
/// down, and a file that cannot be read to its end must not make it deaf.
#[test]
fn a_signal_before_anything_is_started_ends_the_program_at_once() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // What starts the tests may have them ignore signals, as nohup and a shell's `&` do, and the program would inherit that.
        let as_usual = "exec env --default-signal=HUP,INT,TERM \"$0\" \"$@\"";
        let run = Run::push(&kit::push([])).args(&["--policy", "slow.toml"]).after(as_usual);
        let policy = run.path("slow.toml");
        mknodat(CWD, &policy, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("the folder is ours");
        let running = run.spawn();
        // Opening a pipe for writing waits until somebody reads it.
        let writer = OpenOptions::new().write(true).open(&policy).expect("the pipe is ours");
        processes::signal(running.pid(), signal);
        let ended = running.finish();
        drop(writer);
        assert_eq!((ended.code, ended.log.len()), (-signal.as_raw(), 0), "{ended}");
    }
}

/// From the first thing on that must be brought down, none is lost. (Each run is hit somewhere in the milliseconds in
/// which drizzle-kit is started.)
#[test]
fn a_signal_right_after_the_first_thing_is_made_brings_all_down() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP].into_iter().cycle().take(30) {
        let running = Run::push(&kit::push([Step::Hang])).spawn();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !running.has_begun() && Instant::now() < deadline {
            std::thread::yield_now(); // a pause would be longer than what is to be hit
        }
        processes::signal(running.pid(), signal);
        // That no folder and no process is left is checked at every end.
        running.finish().ends(128 + signal.as_raw(), Some(UNCHANGED));
    }
}

/// A shell that became the program by `exec` leaves it a child of its own, which is not ours to end.
#[test]
fn a_child_from_before_the_run_is_left_alone() {
    let inherits = "env -u DRIZZLE_PILOT_TEST_RUN sleep 600 >/dev/null 2>&1 & echo $! >sleeper";
    let run = Run::push(&kit::push([Step::IgnoreSignals, Step::Hang])).after(inherits);
    let sleeper = run.path("sleeper");
    let running = run.spawn();
    running.until_logged("the fake hangs", |entry| *entry == Entry::Idle);
    let sleeper = std::fs::read_to_string(sleeper).expect("the shell has written it");
    hit(&running, Blow::KillWarden);
    running.finish().ends(1, Some(UNCHANGED));
    let sleeper = sleeper.trim().parse().expect("it is a process id");
    assert!(processes::signal(sleeper, Signal::KILL), "the child of the shell was ended");
}

/// Where no terminal hangs up, the kernel still tells the reaper that its starter died.
#[test]
fn the_warden_does_not_outlive_its_starter() {
    let marker = format!("{}-reaper", std::process::id());
    let mut starter = Command::new("sh")
        .args(["-c", "\"$0\" __reaper $$ sleep 600 & wait", env!("CARGO_BIN_EXE_drizzle-pilot")])
        .env(MARKER, &marker)
        .stdin(Stdio::null())
        .spawn()
        .expect("there is a shell");
    until("the reaper has started its command", || {
        processes::of_run(&marker).iter().any(|process| process.name == "sleep")
    });
    starter.kill().and_then(|()| starter.wait()).expect("the shell is our child");
    gone_within(GRACE, "a process", || processes::of_run(&marker));
}

/// … and it looks whether that happened before it could be told.
#[test]
fn the_warden_starts_nothing_for_a_starter_that_is_gone() {
    let nobody = i32::MAX.to_string();
    let reaper =
        Command::new(env!("CARGO_BIN_EXE_drizzle-pilot")).args(["__reaper", &nobody, "echo", "started"]).output();
    let reaper = reaper.expect("the program is built");
    let said = String::from_utf8_lossy(&reaper.stderr);
    assert_eq!((reaper.status.code(), reaper.stdout.as_slice()), (Some(126), &b""[..]), "{said}");
    assert!(said.contains("the starting process is gone"), "{said}");
}

/// A bug of ours closes the terminal on its way, and what ran in it ends, deaf and in a session of its own or not.
#[test]
fn a_panic_leaves_no_process() {
    let marker = format!("{}-panic", std::process::id());
    let ended = Command::new(fake_kit()).arg("--panic").env(MARKER, &marker).output().expect("the fake is built");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("the child sleeps"), "{said}");
    gone_within(GRACE, "a process", || processes::of_run(&marker));
}
