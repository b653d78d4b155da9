//! Many prompts in one run, on a machine that has better things to do. Every answer must be right, none by luck.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::kit::{self, APPLIED, execute, faulty, out, rename_column};
use crate::support::script::{Entry, FaultKind, Menu, Step};
use crate::support::{Ran, Random, Run, UNCHANGED};

/// Questions about renames, the policy that answers them, and the answers.
struct Exam {
    questions: Vec<Menu>,
    policy: String,
    answers: Vec<usize>,
}

impl Exam {
    /// Asks about the columns of one table after the other. Some were renamed from one of several, some are new.
    fn new(n_questions: usize) -> Exam {
        let mut dice = Random(0x2545_f491_4f6c_dd1d);
        let mut exam = Exam { questions: Vec::new(), policy: String::new(), answers: Vec::new() };
        let (mut renames, mut creates) = (String::new(), Vec::new());
        for idx in 0..n_questions {
            let table = format!("table_{idx}");
            let olds: Vec<String> = (0..dice.below(9)).map(|old_idx| format!("old_{old_idx}")).collect();
            let answer = usize::try_from(dice.below(olds.len() as u64 + 1)).expect("it is an index");
            match answer.checked_sub(1) {
                Some(old_idx) => renames += &format!("\"{table}.old_{old_idx}\" = \"new_{idx}\"\n"),
                None => creates.push(format!("\"{table}.new_{idx}\"")),
            }
            let olds: Vec<&str> = olds.iter().map(String::as_str).collect();
            exam.questions.push(rename_column(&table, &format!("new_{idx}"), &olds));
            exam.answers.push(answer);
        }
        exam.policy = format!("[renames.columns]\n{renames}[create]\ncolumns = [{}]\n", creates.join(", "));
        exam
    }

    /// Asks all questions, and at last for consent.
    fn sit(self, draw: impl FnMut((usize, Menu)) -> Step) -> Ran {
        let questions = self.questions.into_iter().enumerate().map(draw);
        let script = kit::push(questions.chain([Step::Menu(execute()), out(APPLIED)]));
        under_load(|| Run::push(&script).policy(&self.policy).args(&["--timeout", "5m"]).run())
    }
}

/// Does something while every core is busy with something unimportant.
fn under_load<T>(work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    let n_cores = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..n_cores {
            scope.spawn(|| {
                // On Linux a thread has a priority of its own.
                rustix::process::nice(19).expect("one may always become nicer");
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        // Also a failed check must end the load.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn a_thousand_answers_are_right() {
    let exam = Exam::new(1000);
    let answers = exam.answers.clone();
    let ended = exam.sit(|(_, question)| Step::Menu(question)).ends(0, None);
    assert_eq!(ended.chosen(), [answers, vec![1]].concat());
}

#[test]
fn late_frames_are_waited_for() {
    let exam = Exam::new(60);
    let answers = exam.answers.clone();
    let mut dice = Random(0x9e37_79b9_7f4a_7c15);
    let late = |(_, question)| {
        let ms = 1 + dice.below(150);
        let at = usize::try_from(1 + dice.below(3)).expect("it is small");
        faulty(question, at, FaultKind::Delayed { ms })
    };
    let ended = exam.sit(late).ends(0, None);
    assert_eq!(ended.chosen(), [answers, vec![1]].concat());
}

/// Of the answers before the fault all are right, and at the fault there is none.
#[test]
fn a_lost_or_wrong_frame_stops_the_run_and_spoils_no_answer() {
    let faults = [FaultKind::Dropped, FaultKind::WrongRow, FaultKind::OtherOrder, FaultKind::Erases { more: 2 }];
    thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let exam = Exam::new(40);
                let answers = exam.answers.clone();
                // The first question from the twentieth on that has something to steer for.
                let faulty_idx = 20 + answers[20..].iter().position(|answer| *answer > 1).expect("the dice are fair");
                let ended = exam.sit(|(idx, question)| match idx == faulty_idx {
                    true => faulty(question, 1, fault.clone()),
                    false => Step::Menu(question),
                });
                let ended = ended.ends(4, Some(UNCHANGED)).without_consent();
                assert_eq!(ended.chosen(), answers[..faulty_idx], "{fault:?}\n{ended}");
                let n_asked = ended.log.iter().filter(|entry| matches!(entry, Entry::Asked(_))).count();
                assert_eq!(n_asked, faulty_idx + 1, "{fault:?}\n{ended}");
            });
        }
    });
}
