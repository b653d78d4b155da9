//! Schemas that a service owns, and that migrations name without making them: stubs of what they name. Pure.

use std::collections::BTreeSet;

use regex::RegexBuilder;

/// A schema of a service, and the statements that make a stub of it.
struct Service {
    schema: &'static str,
    stub: &'static str,
}

/// Those of Supabase and of Neon. Roles are not among them: they belong to the server.
const SERVICES: &[Service] = &[
    Service { schema: "auth", stub: include_str!("services/auth.sql") },
    Service { schema: "neon_auth", stub: include_str!("services/neon_auth.sql") },
    Service { schema: "realtime", stub: include_str!("services/realtime.sql") },
    Service { schema: "storage", stub: include_str!("services/storage.sql") },
];

/// Returns the stubs that statements need: of the schemas that they name and do not make, and that the database has.
pub(super) fn stubs(statements: &[String], schemas: &BTreeSet<String>) -> Vec<&'static str> {
    let has = |pattern: String| {
        let pattern = RegexBuilder::new(&pattern).case_insensitive(true).build().expect("the pattern is one");
        statements.iter().any(|statement| pattern.is_match(statement))
    };
    let needed = SERVICES.iter().filter(|Service { schema, .. }| {
        schemas.contains(*schema)
            && has(format!(r#"(^|[^\w".])"?{schema}"?\s*\."#))
            && !has(format!(r#"\bcreate\s+schema\s+(if\s+not\s+exists\s+)?"?{schema}"?(\W|$)"#))
    });
    needed.map(|service| service.stub).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_is_made_of_what_is_named_and_there_and_not_made() {
        let n = |statement: &str, schemas: &[&str]| {
            stubs(&[statement.to_owned()], &schemas.iter().map(|&name| name.to_owned()).collect()).len()
        };
        let reference = r#"ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES "auth"."users"("id")"#;
        assert_eq!(n(reference, &["auth", "storage"]), 1);
        assert_eq!(n("CREATE POLICY p ON storage.objects USING (owner = auth.uid())", &["auth", "storage"]), 2);
        assert_eq!(n(reference, &["public"]), 0);
        assert_eq!(n(&format!("CREATE SCHEMA \"auth\"; {reference}"), &["auth"]), 0);
        assert_eq!(n(&format!("create schema if not exists auth; {reference}"), &["auth"]), 0);
        assert_eq!(n("SELECT neon_auth.x, my.auth, public.auth.a", &["auth", "neon_auth"]), 1);
    }
}
