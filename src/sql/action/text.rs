//! The text that a block of code puts together and executes.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// What stands for a name or a value that only the server knows.
const SOME_NAME: &str = "%I";
const SOME_VALUE: &str = "%L";

/// Returns the text that an expression makes, as far as its statement can be told: names and values that are quoted in the
/// server cannot be more than that, and `"%I"` and `'%L'` stand for them.
pub(super) fn made_by(expression: &SyntaxNode) -> Option<String> {
    let target = expression.descendants().find(|node| node.kind() == K::TARGET)?;
    let is_only =
        target.parent().is_some_and(|list| list.children().count() == 1) && expression.children().count() == 1;
    text(&target.children().next().filter(|_| is_only)?)
}

fn text(node: &SyntaxNode) -> Option<String> {
    match node.kind() {
        K::LITERAL => ast::Literal::cast(node.clone())?.string_value().map(|value| value.to_string()),
        K::PAREN_EXPR => text(&node.children().next()?),
        K::BIN_EXPR => {
            let parts: Vec<SyntaxNode> = node.children().collect();
            let [left, operator, right] = parts.as_slice() else { return None };
            (operator.text() == "||").then_some(())?;
            Some(text(left)? + &text(right)?)
        }
        K::CALL_EXPR => called(node),
        _ => None,
    }
}

fn called(node: &SyntaxNode) -> Option<String> {
    let function = node.children().next()?;
    let function = function.text().to_string().to_ascii_lowercase();
    let list = node.children().find(|part| part.kind() == K::ARG_LIST)?;
    let arguments: Vec<SyntaxNode> = list.children().filter_map(|argument| argument.children().next()).collect();
    match (function.trim_start_matches("pg_catalog."), arguments.as_slice()) {
        ("quote_ident", [name]) => Some(quoted_name(name)),
        ("quote_literal" | "quote_nullable", [value]) => Some(quoted_value(value)),
        ("format", [template, values @ ..]) => filled(&text(template)?, values),
        _ => None,
    }
}

/// Fills a template of `format`.
fn filled(template: &str, values: &[SyntaxNode]) -> Option<String> {
    let mut made = String::new();
    let mut values = values.iter();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        made.push_str(before);
        let kind = after.chars().next()?;
        match kind {
            '%' => made.push('%'),
            'I' => made.push_str(&quoted_name(values.next()?)),
            'L' => made.push_str(&quoted_value(values.next()?)),
            's' => made.push_str(&text(values.next()?)?),
            // A width or a position.
            _ => return None,
        }
        rest = &after[kind.len_utf8()..];
    }
    Some(made + rest)
}

fn quoted_name(node: &SyntaxNode) -> String {
    let name = text(node).unwrap_or_else(|| SOME_NAME.to_owned());
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_value(node: &SyntaxNode) -> String {
    let value = text(node).unwrap_or_else(|| SOME_VALUE.to_owned());
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use squawk_syntax::SourceFile;

    use super::*;

    fn made(expression: &str) -> Option<String> {
        let tree = SourceFile::parse(&format!("DO $$ BEGIN EXECUTE {expression}; END $$")).syntax_node();
        let block = tree.children().find_map(ast::Do::cast).and_then(|block| block.plpgsql()).expect("it is a block");
        let body = block.syntax();
        made_by(&body.descendants().find(|node| node.kind() == K::PLPGSQL_EXPR).expect("it has an expression"))
    }

    #[test]
    fn quoted_names_and_values_stand_for_themselves() {
        for (expression, text) in [
            ("'DROP TABLE a'", "DROP TABLE a"),
            ("('DROP ' || 'TABLE a')", "DROP TABLE a"),
            ("'DROP TABLE ' || quote_ident(r.name)", "DROP TABLE \"%I\""),
            ("format('DROP TABLE %I.%I', 'my', t)", "DROP TABLE \"my\".\"%I\""),
            ("pg_catalog.format('UPDATE t SET a = %L, b = 5 %% 2', v)", "UPDATE t SET a = '%L', b = 5 % 2"),
            ("format('SELECT %s', 'now()')", "SELECT now()"),
            ("format('a %L', 'it''s')", "a 'it''s'"),
            ("format('a ' || '%I', quote_literal(a))", "a \"'%L'\""),
        ] {
            assert_eq!(made(expression).as_deref(), Some(text), "{expression}");
        }
    }

    #[test]
    fn what_may_be_any_text_is_not_known() {
        for expression in [
            "t",
            "'DROP TABLE ' || t",
            "format('DROP TABLE %s', t)",
            "format(t, 'a')",
            "format('DROP TABLE %1$I', t)",
            "format('DROP TABLE %-10s', 'a')",
            "format('DROP TABLE %I')",
            "lower('DROP TABLE A')",
        ] {
            assert_eq!(made(expression), None, "{expression}");
        }
    }
}
