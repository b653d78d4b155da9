//! Says what is wrong with a policy file, with the line that it is about. Pure.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// The text is not a policy. Shows every problem with its line.
#[derive(Debug, thiserror::Error)]
#[error("{rendered}")]
pub struct Invalid {
    /// What is wrong, from the top of the file to its end.
    pub(crate) problems: Vec<Problem>,
    rendered: String,
}

/// One thing that is wrong in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What is wrong.
    pub(crate) message: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The column, counted from 1 in characters.
    pub(crate) column: usize,
    /// What to do about the error.
    pub(crate) hint: Option<String>,
    span: Range<usize>,
    /// The other place that matters, with what it is.
    also: Option<(Range<usize>, &'static str)>,
}

impl Invalid {
    pub(super) fn new(path: &str, text: &str, mut problems: Vec<Problem>) -> Invalid {
        problems.sort_by_key(|problem| problem.span.start);
        Invalid { rendered: rendered(path, text, &problems), problems }
    }
}

impl Problem {
    pub(super) fn new(text: &str, span: Range<usize>, message: String) -> Problem {
        let (line, column) = position(text, span.start);
        Problem { message, line, column, hint: None, span, also: None }
    }

    pub(super) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    pub(super) fn also(&mut self, span: Range<usize>, label: &'static str) {
        self.also = Some((span, label));
    }
}

/// Returns the line and the column of a byte, both counted from 1.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn rendered(path: &str, text: &str, problems: &[Problem]) -> String {
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    let reports = problems.iter().map(|problem| {
        let mut snippet =
            Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(problem.span.clone()));
        if let Some((span, label)) = &problem.also {
            snippet = snippet.annotation(AnnotationKind::Context.span(span.clone()).label(*label));
        }
        let hint = problem.hint.as_ref().map(|hint| Level::HELP.with_name("hint").message(hint));
        renderer.render(&[Level::ERROR.primary_title(&problem.message).element(snippet).elements(hint)])
    });
    reports.collect::<Vec<_>>().join("\n\n")
}
