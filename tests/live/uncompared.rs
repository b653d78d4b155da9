//! What drizzle-kit's push does not compare is compared: a push that leaves a difference says so, and `check --push` finds it.

use std::time::Duration;

use drizzle_pilot::db::Connection;
use drizzle_pilot::db::inspect::hiding;

use crate::NEWEST;
use crate::support::{Database, Project, Ran};

/// Things of which drizzle-kit's push compares no more than the name.
const HIDING: &str = "
import { sql } from 'drizzle-orm';
import { check, index, integer, pgPolicy, pgTable, pgView, text } from 'drizzle-orm/pg-core';

export const t = pgTable('t', { id: integer('id').notNull(), name: text('name'),
    lower: text('lower').generatedAlwaysAs(sql`lower(name)`) },
  (t) => [
    pgPolicy('mine', { for: 'select', using: sql`id = 1` }),
    check('positive', sql`id > 0`),
    index('large').on(t.id).where(sql`id > 10`),
    index('by_name').using('btree', sql`lower(${t.name})`),
  ]);
export const v = pgView('v').as((query) => query.select().from(t));
";

/// What makes each of them another one, the name, and a part of either definition.
const OTHERS: [(&str, &str, [&str; 2]); 5] = [
    ("ALTER POLICY mine ON t USING (id = 2)", "policy public.t.mine", ["using=(id = 1)", "using=(id = 2)"]),
    (
        "ALTER TABLE t DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (id > 1)",
        "constraint public.t.positive",
        ["CHECK ((id > 0))", "CHECK ((id > 1))"],
    ),
    (
        "DROP INDEX large; CREATE INDEX large ON t (id) WHERE id > 20",
        "index public.large",
        ["WHERE (id > 10)", "WHERE (id > 20)"],
    ),
    (
        "DROP INDEX by_name; CREATE INDEX by_name ON t (upper(name))",
        "index public.by_name",
        ["lower(name)", "upper(name)"],
    ),
    (
        "DROP VIEW v; CREATE VIEW v AS SELECT id, name, lower FROM t WHERE id > 1",
        "view public.v",
        ["FROM public.t;", "WHERE (t.id > 1)"],
    ),
];

fn pushed(schema: &str) -> (Database, Project) {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema(schema);
    project.policy("[hazards]\naccess = 'approve'\n");
    project.pilot(&["push", "--apply", "transaction"]).run().expect(0);
    (database, project)
}

/// Returns the sentences of the findings.
fn found(ran: &Ran) -> Vec<String> {
    let findings = ran.report["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().map(|finding| finding["sentence"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_a_push_leaves_as_it_is_is_named() {
    let (database, project) = pushed(HIDING);
    let check = ["check", "--push", "--migrations", "."];
    assert_eq!(found(&project.pilot(&check).run().expect(0)), Vec::<String>::new());
    let ran = project.pilot(&["push"]).run().expect(0).never_says("does not see");
    assert_eq!(ran.report["warnings"].as_array().map(Vec::len), Some(0), "{ran}");
    drop(project.pilot(&["next"]).run().expect(0).says(&["matches the schema files"]));

    for (differs, ..) in OTHERS {
        database.sql(differs);
    }
    let before = database.state();
    let ran = project.pilot(&["push"]).run().expect(0).says(&["5 differences"]);
    let warnings = ran.report["warnings"].to_string();
    let sentences = found(&project.pilot(&check).run().expect(2));
    assert_eq!(sentences.len(), OTHERS.len(), "{sentences:#?}");
    for (_, object, definitions) in OTHERS {
        let is_whole = |text: &str| text.contains(object) && definitions.iter().all(|part| text.contains(part));
        assert!(warnings.contains(object), "{object}: {ran}");
        assert!(sentences.iter().any(|sentence| is_whole(sentence)), "{object}: {sentences:#?}");
    }
    let next = project.pilot(&["next"]).run().expect(2);
    drop(next.says(&["unpushed", "policy public.t.mine"]).never_says("matches the schema files"));
    assert_eq!(database.state(), before);
}

/// Beside a statement that a push would execute, and after it was executed.
#[test]
fn what_is_pending_is_not_told_twice() {
    let (database, project) = pushed(HIDING);
    database.sql("ALTER POLICY mine ON t USING (id = 2); ALTER TABLE t ALTER COLUMN name SET NOT NULL");
    let sentences = found(&project.pilot(&["check", "--push", "--migrations", "."]).run().expect(2));
    let [pending, policy] = sentences.as_slice() else { panic!("{sentences:#?}") };
    assert!(pending.contains("DROP NOT NULL"), "{pending}");
    assert!(policy.contains("policy public.t.mine"), "{policy}");
    for arguments in [&["push", "--apply", "transaction"][..], &["push"]] {
        let ran = project.pilot(arguments).run().expect(0).says(&["1 difference", "policy public.t.mine"]);
        assert_eq!(ran.report["warnings"].as_array().map(Vec::len), Some(1), "{ran}");
    }
}

/// A table of somebody else's, of which the schema files describe a part.
#[test]
fn what_the_config_leaves_out_is_missed_only_where_it_is_not_there() {
    let (database, project) = pushed(
        "import { pgSchema } from 'drizzle-orm/pg-core';
         export const a = pgTable('a', { id: integer('id') });
         export const shop = pgSchema('shop');
         export const users = shop.table('users', { id: integer('id').primaryKey() });",
    );
    database.sql("ALTER TABLE shop.users ENABLE ROW LEVEL SECURITY, ADD COLUMN mail text");
    project.config(
        "export default { dialect: 'postgresql', schema: './schema.ts', schemaFilter: ['public'],
           dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    let check = ["check", "--push", "--migrations", "."];
    assert_eq!(found(&project.pilot(&check).run().expect(0)), Vec::<String>::new());
    database.sql("DROP TABLE shop.users");
    let sentences = found(&project.pilot(&check).run().expect(2));
    assert!(sentences.iter().any(|it| it.contains("table shop.users: missing")), "{sentences:#?}");
    assert!(sentences.iter().all(|it| it.contains("shop.users")), "{sentences:#?}");
}

/// Where no scratch can be made, what could not be compared is said.
#[test]
fn what_cannot_be_compared_is_no_agreement() {
    let (database, project) = pushed(HIDING);
    let role = database.value("SELECT current_database() || '_small'");
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x'; ALTER TABLE t OWNER TO {role}; ALTER VIEW v OWNER TO {role}"
    ));
    let mut url = database.url();
    url.set_username(&role).and_then(|()| url.set_password(Some("x"))).expect("the URL has a host");
    project.policy("[hazards]\naccess = 'approve'\n[scratch]\nstart = 'never'\n");
    let ran = project.pilot(&["push"]).env("DATABASE_URL", url.as_str()).run();
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    drop(ran.expect(0).says(&["drizzle-pilot could not", "may not create a database"]));
}

/// What drizzle-kit compares whole costs no second comparison.
#[test]
fn what_may_hide_a_difference_is_known() {
    const WHOLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, name text NOT NULL UNIQUE, of integer REFERENCES t);
        CREATE INDEX i ON t (name DESC, of); CREATE EXTENSION pg_buffercache";
    const IN_PART: [&str; 16] = [
        "CREATE VIEW v AS SELECT 1",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE POLICY p ON t USING (true)",
        "ALTER TABLE t FORCE ROW LEVEL SECURITY",
        "ALTER TABLE t ADD CHECK (id > 0)",
        "ALTER TABLE t ADD UNIQUE (of) DEFERRABLE",
        "ALTER TABLE t ADD FOREIGN KEY (of) REFERENCES t NOT VALID",
        "ALTER TABLE t ADD FOREIGN KEY (of) REFERENCES t MATCH FULL",
        "ALTER TABLE t ADD g integer GENERATED ALWAYS AS (id) STORED",
        "ALTER TABLE t ADD c text COLLATE \"C\"",
        "CREATE INDEX n ON t (lower(name))",
        "CREATE INDEX n ON t (name) WHERE of > 0",
        "CREATE INDEX n ON t (name text_pattern_ops)",
        "CREATE INDEX n ON t (name) WITH (fillfactor = 50)",
        "CREATE INDEX n ON t (name) INCLUDE (of)",
        "CREATE INDEX n ON t (name); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'n'::regclass",
    ];
    let database = Database::create();
    let connection =
        Connection::to(&database.dsn(), "drizzle-pilot-test", "").expect("the system has a runtime to give");
    let may_hide = || hiding::may_hide(&connection, Duration::from_secs(60)).expect("the laboratory answers");
    database.sql(WHOLE);
    assert!(!may_hide());
    for sql in IN_PART {
        database.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        database.sql(&format!("{}; {sql}", WHOLE.replace("CREATE EXTENSION pg_buffercache", "")));
        assert!(may_hide(), "{sql}");
    }
}
