//! Recordings of real drizzle-kits: what is read from them does not depend on how the bytes are cut on their way.

use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use drizzle_pilot::kit::replay::{Observation, Observer};
use drizzle_pilot::term::Screen;
use drizzle_pilot::term::screen::{Event, Text};
use drizzle_pilot::term::transcript::{Piece, ReadError, Reader};

use crate::support::{Ran, Run, UNCHANGED};

fn transcripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts")
}

/// Returns the recordings of a folder of versions, or of one version.
fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() && !path.ends_with("hostile") {
            found.extend(recordings(&path));
        } else if path.extension().is_some_and(|extension| extension == "cast") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A recording, as the terminal got it.
struct Recording {
    columns: NonZeroU16,
    pieces: Vec<Vec<u8>>,
}

impl Recording {
    fn read(path: &Path) -> Result<Recording, ReadError> {
        let reader = Reader::open(BufReader::new(File::open(path)?))?;
        let columns = u16::try_from(reader.header.width).ok().and_then(NonZeroU16::new);
        let mut pieces = Vec::new();
        for piece in reader {
            if let Piece::Output(text) = piece? {
                pieces.push(text.into_bytes());
            }
        }
        Ok(Recording { pieces, columns: columns.expect("a terminal has a width") })
    }

    /// Reads the recording in pieces: what happened, what it means, and the text at its end.
    fn observe<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Vec<Observation>, Text) {
        let mut screen = Screen::with_columns(self.columns).coloured();
        let mut observer = Observer::default();
        let (mut events, mut observations) = (Vec::new(), Vec::new());
        for piece in pieces {
            screen.feed(piece, |event| {
                observations.extend(observer.on(event.clone()));
                events.push(event);
            });
        }
        // These come once per piece.
        events.retain(|event| !matches!(event, Event::Frame(_) | Event::Progress(_)));
        (events, observations, screen.take_text())
    }
}

/// Cuts before and after every byte that one asks for.
fn cut(bytes: &[u8], is_place: impl Fn(u8) -> bool) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| is_place(*byte)) {
        let (before, from) = rest.split_at(place);
        let (at, after) = from.split_at(1);
        pieces.extend([before, at].into_iter().filter(|piece| !piece.is_empty()));
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn check(path: &Path) -> Vec<Observation> {
    let recording = Recording::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let all = recording.pieces.concat();
    let whole = recording.observe([all.as_slice()]);
    let escape = |byte| byte == 0x1b;
    let inside_a_character = |byte| (0x80..0xc0).contains(&byte);
    let end_of_a_row = |byte| matches!(byte, b'\r' | b'\n');
    // Byte by byte, unless that were more pieces than one wants to wait for.
    let small = 1 + all.len() / 8_192;
    let mut ways: Vec<(&str, Vec<&[u8]>)> = vec![
        ("as recorded", recording.pieces.iter().map(Vec::as_slice).collect()),
        ("in small pieces", all.chunks(small).collect()),
    ];
    if small == 1 {
        ways.push(("around every escape", cut(&all, escape)));
        ways.push(("inside of every character", cut(&all, inside_a_character)));
        ways.push(("between CR and LF", cut(&all, end_of_a_row)));
    }
    for (way, pieces) in ways {
        let cut = recording.observe(pieces);
        let differ = cut.0.iter().zip(&whole.0).find(|(cut, whole)| cut != whole);
        assert_eq!(differ, None, "{} {way}", path.display());
        assert!(cut == whole, "{} {way}", path.display());
    }
    let (_, observations, text) = whole;
    assert!(text.is_intact(), "{}: {text:#?}", path.display());
    observations
}

#[test]
fn recordings_are_read_the_same_wherever_they_are_cut() {
    let recordings = recordings(&transcripts());
    assert!(!recordings.is_empty(), "no recording in {}: run scripts/record", transcripts().display());
    let mut n_prompts = 0;
    for path in &recordings {
        let observations = check(path);
        for observation in &observations {
            assert!(!matches!(observation, Observation::Doubted(_)), "{}: {observations:#?}", path.display());
            n_prompts += usize::from(matches!(observation, Observation::Asked(_)));
        }
    }
    assert!(n_prompts > 0, "no recording has a prompt");
}

/// Returns the dialect of a project, by the name that drizzle's config has for it.
fn dialect(project: &Path) -> &'static str {
    let config = std::fs::read_to_string(project.join("drizzle.config.ts")).unwrap_or_default();
    if config.contains("dialect: 'sqlite'") { "sqlite" } else { "postgresql" }
}

/// Runs `replay` on a recording. The policy is a file, or the built-in one.
fn replay(path: &Path, policy: Option<&Path>, dialect: &str) -> Ran {
    let run =
        Run::new(&["replay"]).args(&[path.to_str().expect("the repository has plain names"), "--dialect", dialect]);
    match policy {
        Some(policy) => run.args(&["--policy", policy.to_str().expect("the repository has plain names")]).run(),
        None => run.run(),
    }
}

/// `scripts/record` notes for each recording the project, the policy and the exit code.
#[test]
fn a_replay_decides_as_the_run_that_was_recorded() {
    for path in recordings(&transcripts()) {
        let folder = path.parent().expect("a recording is in the folder of its version");
        let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap_or_default();
        let name = path.file_name().and_then(|name| name.to_str()).expect("the repository has plain names");
        let row = index.lines().find_map(|row| row.strip_prefix(name)?.strip_prefix('\t'));
        let Some(row) = row else {
            // Recorded by hand: the keys are somebody's, and the built-in policy may refuse any of them.
            let ended = replay(&path, None, "postgresql");
            // Most show no statements, and without them there is no consent.
            let unread = ["did not show the statements", "the statements cannot be separated"];
            let is_unread = ended.code == 4 && unread.iter().any(|why| ended.stderr.contains(why));
            assert!([0, 2, 3].contains(&ended.code) || is_unread, "{}\n{ended}", path.display());
            continue;
        };
        let [project, policy, code] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{name}: {row:?}") };
        let project = transcripts().join("../projects").join(project);
        let ended = replay(&path, (policy != "built-in").then(|| project.join(policy)).as_deref(), dialect(&project));
        // A replay sees the questions. What the database said afterwards is not asked again.
        let expected = if matches!(code, "3" | "4") { code } else { "0" };
        assert_eq!(ended.code.to_string(), expected, "{}\n{ended}", path.display());
        if expected == "0" {
            ended.says(&["each decided as in the recording"]);
        }
    }
}

/// Edited copies of recordings: the title of each says what was done to it.
#[test]
fn a_hostile_recording_is_not_believed() {
    let hostile = transcripts().join("hostile");
    let policy = tempfile::NamedTempFile::new().expect("there is a temporary folder");
    std::fs::write(policy.path(), "renames.otherwise = \"create\"\nhazards.data_loss = \"approve\"\n")
        .expect("it is ours");
    let check = |name: &str, code: i32, says: &str| {
        let ended = replay(&hostile.join(name), Some(policy.path()), "postgresql");
        let ended = ended.ends(code, Some(UNCHANGED)).says(&[says]);
        assert!(!ended.stdout.contains("recorded "), "{name}\n{ended}");
    };
    check("torn.cast", 4, "the prompt has 4 rows, but 3 were seen");
    check("erases-too-much.cast", 4, "the prompt has 5 rows, but 4 were seen");
    check("no-highlight.cast", 4, "does not show a list with exactly one highlighted choice");
    check("two-highlights.cast", 4, "does not show a list with exactly one highlighted choice");
    check("other-name.cast", 4, "the question and the first choice name different things");
    check("unknown-question.cast", 4, "the kind of object is unknown");
    check("cursor-in-name.cast", 4, "control sequences that could forge the screen");
    check("return-in-name.cast", 4, "control sequences that could forge the screen");
    check("shows-cursor-in-name.cast", 4, "the prompt has 4 rows, but 1 were seen");
    check("line-end-in-name.cast", 4, "a choice is not a rename to the new name");
    check("wiped-warning.cast", 4, "control sequences that could forge the screen");
    check("warning-without-button.cast", 4, "the warning and its button disagree");
    check("button-says-more.cast", 4, "did not show the statements");
    check("unique-two-readings.cast", 4, "the constraint and its table cannot be determined");
    assert_eq!(recordings(&hostile).len(), 14, "every hostile recording is in the list above");
}

/// A run does not answer such a question either (rule 10).
#[test]
fn a_question_after_text_that_was_not_kept_whole_is_not_decided() {
    let recorded = std::fs::read_to_string(transcripts().join("0.31.11/rename_column.cast")).expect("it is there");
    let (header, events) = recorded.split_once('\n').expect("the header is a line");
    let check = |n_lines: usize, code: i32, says: &str| {
        let path = tempfile::NamedTempFile::new().expect("there is a temporary folder");
        let long = format!("{header}\n[0.0,\"o\",\"{}\"]\n{events}", "x\\r\\n".repeat(n_lines));
        std::fs::write(path.path(), long).expect("it is ours");
        drop(replay(path.path(), None, "postgresql").ends(code, Some(UNCHANGED)).says(&[says]));
    };
    check(1, 3, "refused by the policy");
    check(1 << 18, 4, "the output before the question is too long to read completely");
}
