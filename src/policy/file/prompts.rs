//! Reads `[[prompts]]`. Pure.

use regex::Regex;
use toml::Spanned;

use crate::policy::file::format::PromptEntry;
use crate::policy::file::reader::Reader;
use crate::policy::model::{Policy, PromptAnswer, PromptRule, Prompts};

/// Puts the rules of the file or of a profile in place of those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, prompts: Option<&[Spanned<PromptEntry>]>) {
    let Some(prompts) = prompts else { return };
    let rules = prompts.iter().enumerate();
    let rules = rules.filter_map(|(prompt_idx, prompt)| rule(reader, prompt_idx, prompt)).collect();
    policy.prompts = Prompts { rules, layer: reader.layer.clone() };
}

fn rule(reader: &mut Reader<'_>, prompt_idx: usize, prompt: &Spanned<PromptEntry>) -> Option<PromptRule> {
    let rule = reader.rule(&format!("prompts[{prompt_idx}]"), prompt.span());
    let entry = prompt.get_ref();
    let question = regex(reader, &entry.question);
    let answer = match (&entry.choose, &entry.decline) {
        (Some(choose), None) => regex(reader, choose).map(PromptAnswer::Choose),
        (None, Some(decline)) if *decline.get_ref() => Some(PromptAnswer::Decline),
        (None, _) | (Some(_), Some(_)) => {
            reader.problem(entry.question.span(), "a rule for a question needs either `choose` or `decline = true`");
            None
        }
    };
    Some(PromptRule { question: question?, answer: answer?, rule })
}

fn regex(reader: &mut Reader<'_>, text: &Spanned<String>) -> Option<Regex> {
    match Regex::new(text.get_ref()) {
        Ok(regex) => Some(regex),
        Err(error) => {
            // The last line says what is wrong; those above draw the expression again.
            let message = error.to_string();
            let reason = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
            reader.problem(text.span(), format!("this is not a regular expression: {reason}"));
            None
        }
    }
}
