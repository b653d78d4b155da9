//! Answers questions of drizzle-kit that this version does not know, by the rules that the user wrote for them. Pure.

use toml_edit::Value;

use crate::kit::prompt::Prompt;
use crate::policy::allow::{Allow, layered};
use crate::policy::decide::decision::{Decision, Doubt, Refusal, chosen, doubt};
use crate::policy::edit::string;
use crate::policy::model::{Policy, PromptAnswer, PromptRule, RuleRef};

pub(super) fn unknown(policy: &Policy, prompt: &Prompt) -> Decision {
    let matching: Vec<&PromptRule> =
        policy.prompts.rules.iter().filter(|rule| rule.question.is_match(&prompt.question)).collect();
    let mut decided: Option<(Option<usize>, &RuleRef)> = None;
    for rule in matching {
        let choice = match &rule.answer {
            PromptAnswer::Decline => None,
            PromptAnswer::Choose(choose) => {
                let mut choices = (0..prompt.choices.len()).filter(|&idx| choose.is_match(&prompt.choices[idx]));
                match (choices.next(), choices.next()) {
                    (Some(choice), None) => Some(choice),
                    (None, _) => return doubt(format!("`choose` of {} matches no choice", rule.rule)),
                    (Some(_), Some(_)) => {
                        return doubt(format!("`choose` of {} matches several choices", rule.rule));
                    }
                }
            }
        };
        match decided {
            Some((other, other_rule)) if other != choice => {
                return doubt(format!("{other_rule} and {} give different answers", rule.rule));
            }
            _ => decided = decided.or(Some((choice, &rule.rule))),
        }
    }
    match decided {
        Some((Some(choice), rule)) => chosen(choice, rule.clone()),
        Some((None, rule)) => Decision::Refuse(Refusal {
            what: format!("{rule} declines the question {:?}", prompt.question),
            because: Some(rule.clone()),
            allow: Vec::new(),
        }),
        None => Decision::Unclear(Doubt {
            reason: format!("this version does not know the question {:?}", prompt.question),
            allow: answers(policy, prompt),
        }),
    }
}

/// Returns a `[[prompts]]` rule for each choice of a question, and one that declines it.
fn answers(policy: &Policy, prompt: &Prompt) -> Vec<Allow> {
    let exactly = |text: &str| string(&format!("^{}$", regex::escape(text)));
    let add = |purpose: String, answer: (&str, Value)| {
        Allow::of(policy.source(), &purpose, |draft| {
            let path = layered(policy.prompts.layer.as_deref(), &["prompts"]);
            draft.push_table(&path, &[("question", exactly(&prompt.question)), answer.clone()])
        })
    };
    let unambiguous =
        prompt.choices.iter().filter(|choice| prompt.choices.iter().filter(|other| other == choice).count() == 1);
    let choices = unambiguous.map(|choice| add(format!("to choose {choice:?}"), ("choose", exactly(choice))));
    let decline = add("to decline".to_owned(), ("decline", true.into()));
    choices.chain([decline]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::prompt::Kind;
    use crate::policy::decide::prompt::prompt;
    use crate::policy::decide::testing::{check_in_public, column, names, policy, scope, told};

    #[test]
    fn an_unknown_question_is_answered_by_one_rule_with_one_choice() {
        let asked = |choices: &[&str]| Prompt {
            question: "Is b trigger new?".to_owned(),
            context: Vec::new(),
            printed: String::new(),
            choices: names(choices),
            highlighted: 0,
            kind: Kind::Unknown,
        };
        let rule = |question: &str, answer: &str| format!("[[prompts]]\nquestion = '{question}'\n{answer}\n");
        let yes = rule("trigger", "choose = '^\\+ '");
        let cases = [
            (yes.clone(), "0: p.toml:2 prompts[0]"),
            (rule("trigger", "choose = 'b'"), "unclear: `choose` of p.toml:2 prompts[0] matches several choices"),
            (rule("trigger", "choose = 'x'"), "unclear: `choose` of p.toml:2 prompts[0] matches no choice"),
            (
                rule("trigger", "decline = true"),
                "refused: p.toml:2 prompts[0] declines the question \"Is b trigger new?\"",
            ),
            (format!("{yes}{yes}"), "0: p.toml:2 prompts[0]"),
            (
                format!("{yes}{}", rule("Is", "choose = 'a › b'")),
                "unclear: p.toml:2 prompts[0] and p.toml:5 prompts[1] give different answers",
            ),
            (
                rule("^trigger", "decline = true"),
                r#"unclear: this version does not know the question "Is b trigger new?"
  p.toml, to choose "+ b":
      [[prompts]]
      question = '^Is b trigger new\?$'
      choose = '^\+ b$'
  p.toml, to choose "~ a › b":
      [[prompts]]
      question = '^Is b trigger new\?$'
      choose = '^\~ a › b$'
  p.toml, to decline:
      [[prompts]]
      question = '^Is b trigger new\?$'
      decline = true"#,
            ),
        ];
        for (rules, expected) in cases {
            check_in_public(&rules, &asked(&["+ b", "~ a › b"]), expected);
        }
        let all = rule("", "choose = 'choice 1'");
        let refused = prompt(&policy(&all), &column("full", &["name"]), &scope(&names(&["public"])));
        assert!(matches!(refused, Decision::Refuse(_)), "the question is known: {}", told(&refused));
    }
}
