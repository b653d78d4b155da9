use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::sql::effect::Code;

/// Shows the hazards of a statement: `drop_table public.users (formerly public.people) cascade`.
fn shown(assessed: &Assessed) -> Vec<String> {
    let show = |found: &Found| {
        let list = |names: &[ObjectName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut text = found.hazard.to_string();
        if !found.objects.is_empty() {
            write!(text, " {}", list(&found.objects)).expect("a string takes everything");
        }
        if found.before != found.objects {
            write!(text, " (formerly {})", list(&found.before)).expect("a string takes everything");
        }
        if found.cascade {
            text.push_str(" cascade");
        }
        text
    };
    assessed.hazards.iter().map(show).collect()
}

fn corpus(name: &str, text: &str, dialect: Dialect) {
    let mut blocks = text.split("\n\n");
    let head = blocks.next().expect("the file has a head");
    let mut found = vec![head.to_owned()];
    for block in blocks {
        let (titles, sql): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.starts_with("-- "));
        let sql = sql.join("\n");
        let [assessed] =
            assess(std::slice::from_ref(&sql), dialect, &Facts::default()).try_into().expect("one statement");
        let hazards = shown(&assessed);
        let hazards = if hazards.is_empty() { "nothing".to_owned() } else { hazards.join("; ") };
        found.push(format!("{}\n-- => {hazards}\n{sql}", titles[0]));
    }
    let found = found.join("\n\n") + "\n";
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(format!("fixtures/sql/{name}.sql"), &found).expect("the fixture can be written");
    }
    assert_eq!(found, text, "fixtures/sql/{name}.sql");
}

#[test]
fn every_form_of_drizzle_kit_has_the_hazards_written_beside_it() {
    corpus("postgresql", include_str!("../../../fixtures/sql/postgresql.sql"), Dialect::Postgres);
    corpus("mysql", include_str!("../../../fixtures/sql/mysql.sql"), Dialect::MySql);
    corpus("sqlite", include_str!("../../../fixtures/sql/sqlite.sql"), Dialect::Sqlite);
}

#[track_caller]
fn check_all(dialect: Dialect, facts: &Facts, plan: &[(&str, &str)]) {
    let statements: Vec<String> = plan.iter().map(|(sql, _)| (*sql).to_owned()).collect();
    let found = assess(&statements, dialect, facts);
    let found: Vec<(&str, String)> =
        found.iter().map(|assessed| (assessed.sql.as_str(), shown(assessed).join("; "))).collect();
    let expected: Vec<(&str, String)> = plan.iter().map(|(sql, hazards)| (*sql, (*hazards).to_owned())).collect();
    assert_eq!(found, expected);
}

/// Checks the hazards of a plan for PostgreSQL, statement by statement.
#[track_caller]
fn check(plan: &[(&str, &str)]) {
    check_all(Dialect::Postgres, &Facts::default(), plan);
}

#[test]
fn what_is_not_one_whole_known_statement_is_unclassified() {
    let unknown = [
        "",
        ";",
        "-- DROP TABLE a;",
        "DROP TABLE;",
        "DROP TABLE a; DROP TABLE b;",
        "DROP TABLE a b",
        "DROP TABLE a.b.c;",
        "DROP TABLE \"\";",
        "ALTER TABLE a;",
        "ALTER TABLE a DROP COLUMN;",
        "ALTER TABLE a ADD COLUMN b;",
        "ALTER TABLE ONLY a DROP COLUMN b;",
        "ALTER TABLE a OWNER TO b;",
        "ALTER TABLE a ATTACH PARTITION b FOR VALUES IN (1);",
        "ALTER TABLE a ADD CONSTRAINT b UNIQUE USING INDEX c;",
        "ALTER TABLE a ADD CONSTRAINT b EXCLUDE USING gist (c WITH &&);",
        "ALTER TABLE a ALTER COLUMN b SET STATISTICS 1;",
        "ALTER TABLE a ALTER COLUMN b RESTART;",
        "CREATE TABLE a AS SELECT 1;",
        "CREATE TABLE a (LIKE b);",
        "CREATE TEMP TABLE a (b int);",
        "CREATE TABLE a (b int) INHERITS (c);",
        "CREATE SCHEMA a CREATE TABLE b (c int);",
        "CREATE TYPE a;",
        "CREATE TYPE a AS (b int);",
        "CREATE EXTENSION a;",
        "CREATE FUNCTION a() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;",
        "SELECT drop_everything();",
        "DELETE FROM a WHERE drop_everything();",
        "UPDATE a SET b = 1;",
        "INSERT INTO a SELECT 1;",
        "DO $$ BEGIN DROP TABLE a; END $$;",
        "DO $$ BEGIN DROP TABLE a; EXCEPTION WHEN duplicate_object THEN null; END $$;",
        "DO $$ BEGIN\n CREATE TYPE a AS ENUM('b'); DROP TABLE c;\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
        "DO LANGUAGE plperl $$ BEGIN\n CREATE TYPE a AS ENUM('b');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
        "SET search_path = b;",
        "BEGIN;",
        "COPY a FROM PROGRAM 'x';",
        "\\d a",
        "DROP TABLE U&\"\\0061\";",
        "DROP TABLE 'a';",
        "DROP TABLE $1;",
        "TRUNCATE ONLY a;",
        "DROP DATABASE a;",
        "DROP OWNED BY a;",
        "ALTER ROLE a PASSWORD 'b';",
        "ALTER SEQUENCE a RESTART;",
        "ALTER SEQUENCE a OWNED BY NONE;",
        "EXPLAIN ANALYZE DELETE FROM a;",
        "PREPARE a AS DROP TABLE b;",
        "\u{feff}DROP TABLE a;",
        "DROP TABLE a /* ",
    ];
    for sql in unknown {
        check(&[(sql, "unclassified")]);
    }
}

#[test]
fn names_are_read_as_the_server_reads_them() {
    check(&[
        ("DROP TABLE Users;", "drop_table public.users"),
        ("DROP TABLE \"Users\";", "drop_table public.Users"),
        ("DROP TABLE \"x\"\"; DROP TABLE y; --\";", "drop_table public.\"x\"\"; DROP TABLE y; --\""),
        ("drop table \"a.b\".\"c\"", "drop_table \"a.b\".c"),
        ("/* nested /* comment */ ; */ DROP TABLE a -- b\n, c;", "drop_table public.a, public.c"),
        ("ALTER TABLE a ALTER COLUMN b SET DEFAULT 'c\\', DROP COLUMN d -- '", "drop_column public.a.d"),
        ("ALTER TABLE a ALTER COLUMN b SET DEFAULT E'\\', DROP COLUMN c --'", ""),
        ("ALTER TABLE a ALTER COLUMN b SET DEFAULT $x$', DROP COLUMN c$x$", ""),
        ("DROP TABLE größe, \"日本\"", "drop_table public.größe, public.日本"),
    ]);
}

#[test]
fn a_statement_has_as_many_hazards_as_it_does_things() {
    check(&[
        (
            "ALTER TABLE a DROP COLUMN b CASCADE, DROP c, ADD COLUMN d text NOT NULL UNIQUE REFERENCES e(f) CHECK (d > ''), \
             ALTER g TYPE int USING g::int;",
            "drop_column public.a.b cascade; drop_column public.a.c; add_unique public.a; build_index public.a; \
             add_foreign_key public.a; add_check public.a; add_not_null public.a.d; change_type public.a.g; \
             rewrite_table public.a",
        ),
        ("TRUNCATE a, s.b CASCADE;", "truncate public.a, s.b cascade"),
        ("DROP VIEW v CASCADE;", "drop_view public.v cascade"),
        ("DROP SCHEMA a, b CASCADE;", "drop_schema a, b cascade"),
        ("GRANT SELECT ON s.a TO b;", "grant s.a"),
        ("GRANT a TO b;", "grant a, b"),
        ("REVOKE ALL ON SCHEMA a FROM b;", "revoke a"),
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA a REVOKE SELECT ON TABLES FROM b;", "revoke a"),
        ("ALTER TYPE t RENAME VALUE 'a' TO 'b';", "rename_type public.t"),
        ("ALTER TABLE a NO FORCE ROW LEVEL SECURITY;", "disable_rls public.a"),
    ]);
}

#[test]
fn what_the_plan_created_has_nothing_to_lose() {
    check(&[
        ("CREATE TABLE a (b int);", ""),
        ("CREATE UNIQUE INDEX i ON a (b);", ""),
        ("ALTER TABLE a ADD CONSTRAINT u UNIQUE (b), ADD FOREIGN KEY (b) REFERENCES c(d), ALTER b TYPE text;", ""),
        ("ALTER TABLE a DROP COLUMN b;", ""),
        ("ALTER TABLE a RENAME TO c;", ""),
        ("TRUNCATE c;", ""),
        ("DROP INDEX i;", ""),
        ("DROP TABLE c;", ""),
        ("DROP TABLE c;", "drop_table public.c"),
        ("ALTER TABLE old ADD COLUMN n int DEFAULT 1;", ""),
        ("ALTER TABLE old ALTER COLUMN n SET NOT NULL;", "add_not_null public.old.n"),
        ("ALTER TABLE old ALTER COLUMN n TYPE text;", "rewrite_table public.old"),
        ("ALTER TABLE old DROP COLUMN n;", ""),
        ("CREATE SCHEMA s;", ""),
        ("ALTER TABLE old SET SCHEMA s;", "rename_table public.old"),
        ("DROP TABLE s.old;", "drop_table s.old (formerly public.old)"),
        ("CREATE TYPE t AS ENUM ('a');", ""),
        ("DROP TYPE t;", ""),
    ]);
}

#[test]
fn newness_that_is_not_proved_spares_nothing() {
    check(&[("CREATE TABLE IF NOT EXISTS a (b int);", ""), ("DROP TABLE a;", "drop_table public.a")]);
    check(&[("CREATE OR REPLACE VIEW v AS SELECT 1;", ""), ("ALTER VIEW v RENAME TO w;", "rename_table public.v")]);
    // PostgreSQL drops the old column before it adds the new one.
    check(&[("ALTER TABLE a ADD COLUMN b int, DROP COLUMN b;", "drop_column public.a.b")]);
    check(&[("CREATE TABLE a (b int);", ""), ("DROP TABLE a CASCADE;", "drop_table public.a cascade")]);
    check(&[
        ("CREATE TABLE a (b int);", ""),
        ("SELECT fill_a();", "unclassified"),
        ("DROP TABLE a;", "drop_table public.a"),
    ]);
    check(&[("CREATE TABLE a (b int);", ""), ("ALTER TABLE a DISABLE ROW LEVEL SECURITY;", "disable_rls public.a")]);
    check(&[
        ("CREATE SCHEMA s;", ""),
        ("ALTER TABLE old SET SCHEMA s;", "rename_table public.old"),
        ("DROP SCHEMA s CASCADE;", "drop_schema s cascade"),
    ]);
    check(&[
        ("DO $$ BEGIN\n CREATE TYPE t AS ENUM('a');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;", ""),
        ("DROP TYPE t;", "drop_type public.t"),
    ]);
    check(&[
        ("CREATE TABLE b (c int);", ""),
        ("DROP TABLE b;", ""),
        ("ALTER TABLE a RENAME TO b;", "rename_table public.a"),
        ("DROP TABLE b;", "drop_table public.b (formerly public.a)"),
    ]);
}

#[test]
fn a_drop_after_a_rename_names_both() {
    check(&[
        ("ALTER SCHEMA s RENAME TO t;", "rename_table s"),
        ("ALTER TABLE t.a RENAME COLUMN b TO c;", "rename_column t.a.b (formerly s.a.b)"),
        ("ALTER TABLE t.a RENAME TO d;", "rename_table t.a (formerly s.a)"),
        ("ALTER TABLE t.d SET SCHEMA public;", "rename_table t.d (formerly s.a)"),
        ("ALTER TABLE d DROP COLUMN c;", "drop_column public.d.c (formerly s.a.b)"),
        ("DROP TABLE d;", "drop_table public.d (formerly s.a)"),
        ("CREATE TABLE IF NOT EXISTS d (e int);", ""),
        ("DROP TABLE d;", "drop_table public.d"),
        ("CREATE TABLE t.e (f int);", ""),
        ("DROP TABLE t.e CASCADE;", "drop_table t.e cascade"),
        ("ALTER TYPE t.k RENAME TO l;", "rename_type t.k (formerly s.k)"),
        ("DROP TYPE t.l;", "drop_type t.l (formerly s.k)"),
    ]);
}

#[test]
fn each_object_has_its_own_name_from_before() {
    check(&[
        ("ALTER TABLE a RENAME TO b;", "rename_table public.a"),
        ("TRUNCATE b, c CASCADE;", "truncate public.b, public.c (formerly public.a, public.c) cascade"),
    ]);
}

#[test]
fn foreign_keys_that_are_added_are_told_by_the_names_from_before() {
    let plan = [
        "ALTER TABLE a RENAME TO b;",
        "CREATE TABLE n (x int REFERENCES b, FOREIGN KEY (x) REFERENCES s.c(d));",
        "DO $$ BEGIN\n ALTER TABLE b ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES n(x);\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
        "ALTER TABLE e ADD COLUMN x int REFERENCES b(x);",
    ]
    .map(str::to_owned);
    let assessed = assess(&plan, Dialect::Postgres, &Facts::default());
    let show = |reference: &Reference| {
        let is_new = if reference.is_from_new { "new " } else { "" };
        format!("{is_new}{} to {}", reference.from, reference.to)
    };
    let shown: Vec<Vec<String>> =
        assessed.iter().map(|statement| statement.references.iter().map(show).collect()).collect();
    let expected: [&[&str]; 4] = [
        &[],
        &["new public.n to public.a", "new public.n to s.c"],
        &["public.a to public.n"],
        &["public.e to public.a"],
    ];
    assert_eq!(shown, expected);
}

#[test]
fn an_enum_that_is_built_again_takes_its_columns_with_it() {
    let away = "ALTER TABLE \"a\" ALTER COLUMN \"c\" SET DATA TYPE text;";
    let back = "ALTER TABLE \"a\" ALTER COLUMN \"c\" SET DATA TYPE \"public\".\"x\" USING \"c\"::\"public\".\"x\";";
    let drop = "DROP TYPE \"public\".\"x\";";
    let create = "CREATE TYPE \"public\".\"x\" AS ENUM('a');";
    let default = "ALTER TABLE \"a\" ALTER COLUMN \"c\" SET DEFAULT 'a'::\"public\".\"x\";";
    let enum_and_table = "recreate_enum public.x; rewrite_table public.a";
    check(&[
        (away, enum_and_table),
        (drop, "recreate_enum public.x"),
        (create, ""),
        (default, ""),
        (back, enum_and_table),
    ]);
    let change = "change_type public.a.c; rewrite_table public.a";
    // Without the way back, the column stays text.
    check(&[(away, change), (drop, "recreate_enum public.x"), (create, "")]);
    check(&[(away, change), (drop, "drop_type public.x")]);
    check(&[(drop, "recreate_enum public.x"), (create, ""), (back, change)]);
    let by_words = "ALTER TABLE a ALTER COLUMN c TYPE x USING lower(c)::x;";
    check(&[(away, change), (drop, "recreate_enum public.x"), (create, ""), (by_words, change)]);
    let cascade = "DROP TYPE \"public\".\"x\" CASCADE;";
    check(&[(away, change), (cascade, "drop_type public.x cascade"), (create, ""), (back, change)]);
    let rename = "ALTER TABLE a RENAME COLUMN c TO d;";
    check(&[
        (away, change),
        (drop, "recreate_enum public.x"),
        (create, ""),
        (rename, "rename_column public.a.c"),
        (back, change),
    ]);
    let elsewhere = "CREATE TYPE \"auth\".\"x\" AS ENUM('a');";
    check(&[(away, change), (drop, "drop_type public.x"), (elsewhere, ""), (back, change)]);
}

#[test]
fn a_column_whose_enum_is_built_again_comes_with_the_new_values() {
    let plan = |labels: &str| {
        [
            "ALTER TABLE a RENAME TO b;".to_owned(),
            "ALTER TABLE b ALTER COLUMN c SET DATA TYPE text;".to_owned(),
            "DROP TYPE x;".to_owned(),
            format!("CREATE TYPE x AS ENUM({labels});"),
            "ALTER TABLE b ALTER COLUMN c SET DATA TYPE x USING c::x;".to_owned(),
        ]
    };
    let labels = |text: &str, expected: &[&str]| {
        let assessed = assess(&plan(text), Dialect::Postgres, &Facts::default());
        let changed = assessed.iter().flat_map(|statement| &statement.changes).filter_map(|change| match change {
            Change::ChangeType { column, rebuilt, labels, .. } => Some((column, rebuilt, labels)),
            _ => None,
        });
        let (column, of) = (ObjectName::new(["public", "a", "c"]), Some(ObjectName::new(["public", "x"])));
        let labels = Some(expected.iter().map(|label| (*label).to_owned()).collect());
        assert_eq!(changed.collect::<Vec<_>>(), [(&column, &of, &None), (&column, &of, &labels)], "{text}");
    };
    labels("'a', 'it''s', 'x, y'", &["a", "it's", "x, y"]);
    // What is not read fits no row.
    labels("'a', E'b'", &[]);
}

/// Says what the statements of a plan do to the catalog.
fn changes(plan: &[&str]) -> Vec<Vec<Change>> {
    let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
    assess(&plan, Dialect::Postgres, &Facts::default()).into_iter().map(|assessed| assessed.changes).collect()
}

#[test]
fn what_the_plan_itself_has_made_is_not_asked_of_the_catalog() {
    let none: [Change; 0] = [];
    let made = changes(&[
        "CREATE TYPE mood AS ENUM('a');",
        "CREATE TABLE IF NOT EXISTS posts (id integer, m mood);",
        "ALTER TABLE posts ADD CONSTRAINT p FOREIGN KEY (id) REFERENCES posts(id);",
        "CREATE TABLE logs (id integer);",
        "ALTER TABLE logs DROP COLUMN id;",
        "DROP TABLE logs;",
    ]);
    let [_, posts, refers, _, dropped, gone] = made.as_slice() else { panic!("{made:#?}") };
    let words = |change: &Change| matches!(change, Change::UseType { of, .. } if of.text == "mood");
    assert!(!posts.iter().any(words), "{posts:#?}");
    assert!(!refers.iter().any(|change| matches!(change, Change::Refer { .. })), "{refers:#?}");
    assert_eq!([dropped.as_slice(), gone.as_slice()], [&none, &none]);
}

#[test]
fn what_a_statement_does_is_said_by_the_names_from_before_the_plan() {
    let made = changes(&[
        "ALTER TABLE users RENAME TO people;",
        "ALTER TABLE people DROP COLUMN name CASCADE;",
        "CREATE TABLE users (id integer);",
    ]);
    let name = ObjectName::new(["public", "users", "name"]);
    let drop = Change::Drop { kind: Kind::Column, name, reach: Reach::Cascade, if_exists: false };
    assert_eq!(made[1], [drop]);
    // The name is that of another table by now, and the catalog says which.
    let users = ObjectName::new(["public", "users"]);
    assert_eq!(made[0][0], Change::Rename { kind: Kind::Table, name: users.clone() });
    assert_eq!(made[2][0], Change::Create { kind: Kind::Table, name: users });
}

#[test]
fn code_that_runs_for_rows_is_told_with_the_statement_that_runs_it() {
    let code = |sql: &str| {
        let changes = changes(&[sql]);
        let code = changes[0].iter().filter_map(|change| match change {
            Change::Run { code } => Some(code.clone()),
            _ => None,
        });
        code.collect::<Vec<_>>()
    };
    let function =
        |schema: Option<&str>, name: &str| Code::Function { schema: schema.map(str::to_owned), name: name.to_owned() };
    let of_type = |name: &str| Code::Type(ObjectName::new(["public", name]));
    let add = |rest: &str| code(&format!("ALTER TABLE t ADD COLUMN c {rest};"));
    assert_eq!(
        add("integer DEFAULT shop.f(g(1))"),
        [of_type("integer"), function(Some("shop"), "f"), function(None, "g")]
    );
    assert_eq!(add("integer GENERATED ALWAYS AS (f(a)) STORED"), [of_type("integer"), function(None, "f")]);
    assert_eq!(
        code("ALTER TABLE t ADD CONSTRAINT c CHECK (a === b AND extract(epoch FROM d) > 1);"),
        [Code::Operator("===".to_owned()), Code::Operator(">".to_owned())]
    );
    assert_eq!(code("ALTER TABLE t ADD CONSTRAINT c CHECK (f(a)) NOT VALID;"), []);
    assert_eq!(code("CREATE INDEX i ON t (f(a)) WHERE g(b);"), [function(None, "f"), function(None, "g")]);
    assert_eq!(
        code("ALTER TABLE t ALTER COLUMN a SET DATA TYPE d USING f(a)::e;"),
        [of_type("d"), function(None, "f"), of_type("e")]
    );
    assert_eq!(
        code("CREATE MATERIALIZED VIEW v AS (SELECT f(a) FROM w);"),
        [function(None, "f"), Code::Relation(ObjectName::new(["public", "w"]))]
    );
    // These run nothing for now.
    for sql in [
        "CREATE MATERIALIZED VIEW v AS (SELECT f(a) FROM w) WITH NO DATA;",
        "CREATE VIEW v AS (SELECT f(a) FROM w);",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT f();",
        "CREATE TABLE n (a integer DEFAULT f() CHECK (g(a)));",
        "CREATE POLICY p ON t USING (f(a));",
    ] {
        assert_eq!(code(sql), [], "{sql}");
    }
}

#[test]
fn a_primary_key_is_known_by_its_name_or_from_the_catalog() {
    let facts = Facts { primary_keys: vec![ObjectName::new(["public", "a", "key"])], ..Facts::default() };
    let plan = |hazards| ("ALTER TABLE a DROP CONSTRAINT key;", hazards);
    check_all(Dialect::Postgres, &facts, &[plan("drop_primary_key public.a")]);
    check_all(Dialect::Postgres, &Facts::default(), &[plan("drop_constraint public.a.key")]);
    check_all(
        Dialect::Postgres,
        &facts,
        &[
            ("ALTER TABLE a RENAME TO b;", "rename_table public.a"),
            ("ALTER TABLE b DROP CONSTRAINT key;", "drop_primary_key public.b (formerly public.a)"),
        ],
    );
}

#[test]
fn a_table_that_is_built_anew_is_one_change_of_it() {
    let sqlite = |plan: &[(&str, &str)]| check_all(Dialect::Sqlite, &Facts::default(), plan);
    let (create, copy, drop, rename) = (
        "CREATE TABLE `__new_users` (`id` integer PRIMARY KEY NOT NULL);",
        "INSERT INTO `__new_users`(\"id\") SELECT \"id\" FROM `users`;",
        "DROP TABLE `users`;",
        "ALTER TABLE `__new_users` RENAME TO `users`;",
    );
    sqlite(&[
        ("PRAGMA foreign_keys=OFF;", ""),
        (create, ""),
        (copy, ""),
        (drop, "rebuild_table public.users"),
        (rename, ""),
        // It is the same table, and dropping it is a drop.
        (drop, "drop_table public.users"),
        ("PRAGMA foreign_keys=ON;", ""),
        ("PRAGMA writable_schema=ON;", "unclassified"),
    ]);
    sqlite(&[
        ("DELETE FROM `users`;", "delete_rows public.users"),
        (create, ""),
        (drop, "rebuild_table public.users; delete_rows public.users"),
        (rename, ""),
    ]);
    // drizzle-kit before 0.25.
    sqlite(&[
        ("ALTER TABLE `users` RENAME TO `__old_push_users`;", ""),
        ("CREATE TABLE `users` (`id` integer PRIMARY KEY NOT NULL);", ""),
        ("INSERT INTO \"users\" SELECT * FROM \"__old_push_users\";", ""),
        ("DROP TABLE `__old_push_users`;", "rebuild_table public.users"),
    ]);
    let (dropped, renamed) = ("drop_table public.users", "rename_table public.__new_users");
    // Another table is dropped, filled, or renamed; something stands between; some rows are left out.
    let other = "INSERT INTO `__new_users`(\"id\") SELECT \"id\" FROM `posts`;";
    sqlite(&[(create, ""), (other, ""), (drop, dropped), (rename, renamed)]);
    let other = "ALTER TABLE `__new_users` RENAME TO `people`;";
    sqlite(&[(create, ""), (copy, ""), (drop, dropped), (other, renamed)]);
    let index = "CREATE INDEX `i` ON `posts` (`a`);";
    sqlite(&[(create, ""), (copy, ""), (index, "build_index public.posts"), (drop, dropped), (rename, renamed)]);
    let some = "INSERT INTO `__new_users`(\"id\") SELECT \"id\" FROM `users` WHERE id > 1;";
    sqlite(&[(create, ""), (some, "unclassified"), (drop, dropped), (rename, renamed)]);
    sqlite(&[(create, ""), (copy, ""), (drop, dropped)]);
}

#[test]
fn a_column_that_libsql_defines_anew_keeps_its_rows() {
    let turso = |plan: &[(&str, &str)]| check_all(Dialect::Turso, &Facts::default(), plan);
    turso(&[
        (
            "ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" text NOT NULL DEFAULT 'x';",
            "change_type public.u.a; add_not_null public.u.a",
        ),
        (
            "ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" integer REFERENCES o(b) ON DELETE cascade;",
            "change_type public.u.a; add_foreign_key public.u",
        ),
        ("ALTER TABLE `u` ALTER COLUMN \"a\" TO \"b\" text;", "change_type public.u.a; rename_column public.u.a"),
        ("ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" text; DROP TABLE u", "unclassified"),
        ("ALTER TABLE `u` ALTER COLUMN \"a\" TO", "unclassified"),
    ]);
    // With drizzle-kit's dialect `sqlite` it may be libSQL as well; SQLite itself takes it for an error.
    let text = "ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" text;";
    check_all(Dialect::Sqlite, &Facts::default(), &[(text, "change_type public.u.a")]);
}

#[test]
fn what_other_servers_read_in_their_own_way_is_unclassified() {
    for sql in [
        "/*!50003 DROP TABLE a */",
        "DELETE FROM a WHERE sleep(1);",
        "DELETE a FROM a JOIN b;",
        "INSERT INTO a SELECT f(b) FROM c;",
        "CREATE TABLE a AS SELECT 1;",
        "CREATE TABLE a LIKE b;",
        "CREATE TEMPORARY TABLE a (b int);",
        "DROP DATABASE a;",
        "ALTER TABLE a ORDER BY b;",
        "LOCK TABLES a WRITE;",
        "SELECT $$; DROP TABLE b; $$",
        "CALL a();",
        "DROP TABLE a; DROP TABLE b",
    ] {
        check_all(Dialect::MySql, &Facts::default(), &[(sql, "unclassified")]);
    }
}

#[test]
fn what_is_nested_too_deeply_is_unclassified() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", ""), ("CASE WHEN ", ""), ("ARRAY[", "]"), ("1 + ", "")] {
        let deep = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        let sql = format!("ALTER TABLE a ALTER COLUMN b SET DEFAULT {deep};");
        for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
            check_all(dialect, &Facts::default(), &[(&sql, "unclassified")]);
        }
    }
    let values = (0..20_000).map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
    check(&[(&format!("CREATE TYPE t AS ENUM ({values});"), "")]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_stops_it(sql in "([;'\"$`()\\\\/*-]|[a-zé]|\\PC|ALTER |TABLE |DROP |CREATE |\\$\\$|E'|U&\"|--|/\\*|\\*/){0,40}") {
        for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::SingleStore, Dialect::Sqlite, Dialect::Turso] {
            prop_assert_eq!(assess(std::slice::from_ref(&sql), dialect, &Facts::default()).len(), 1);
        }
    }

    #[test]
    fn a_statement_with_a_syntax_error_is_unclassified(
        statement in 0..SOME.len(),
        at in 0usize..200,
        junk in "[)(]|\\)\\(|[0-9][a-z]\\.\\.|;;x|'|\"|@@ \\(",
    ) {
        let sql = SOME[statement];
        let at = at % (sql.len() + 1);
        prop_assume!(sql.is_char_boundary(at) && !is_quoted(sql, at));
        let broken = format!("{} {junk} {}", &sql[..at], &sql[at..]);
        let found = assess(std::slice::from_ref(&broken), Dialect::Postgres, &Facts::default());
        prop_assert_eq!(shown(&found[0]), ["unclassified"], "{}", broken);
    }
}

/// Statements without a place that takes anything.
const SOME: [&str; 4] = [
    "DROP TABLE \"a\", b CASCADE",
    "ALTER TABLE a RENAME COLUMN \"b\" TO c",
    "ALTER TYPE t SET SCHEMA \"s\"",
    "TRUNCATE TABLE a, b",
];

fn is_quoted(sql: &str, at: usize) -> bool {
    sql[..at].matches('"').count() % 2 == 1
}
