//! Tells whether statements stay inside the database in which they are run: a database of a server shares roles, files,
//! settings, other databases and background workers with all others.
//!
//! A list of what is understood: a kind of statement, a volatile function, an extension or a language that is not in it leaves
//! the database, as far as anybody knows. What a function does counts where something may run it, not where it is created.

mod function;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use squawk_syntax::SyntaxKind as K;

use crate::sql::dialect::Dialect;
use crate::sql::script;
use function::{CREATABLE, EXTENSIONS};
use reader::{Deed, Reader, Shared, is_guarded};

pub use function::Function;

/// A statement whose effect leaves the database, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaves {
    /// Which of the queries has it.
    pub query_idx: usize,
    /// Where it begins there, in bytes.
    pub at: usize,
    pub why: String,
    /// A role is created that the server does not have.
    pub role: Option<String>,
}

/// What the server has to be asked about some queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Names that are called like functions.
    pub functions: BTreeSet<String>,
    pub roles: BTreeSet<String>,
}

/// Whose server it is that the statements run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Server {
    /// Others have databases and roles on it.
    #[default]
    Shared,
    /// It was given for this: roles may be made on it.
    Given,
    /// It exists for these statements alone.
    Own,
}

/// What the server knows of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub server: Server,
    /// Why a function of PostgreSQL or of an extension may leave the database; those that stay are not here.
    pub leaving: BTreeMap<String, String>,
    pub roles: BTreeSet<String>,
    /// The extensions of the database that is compared.
    pub extensions: BTreeSet<String>,
}

/// A statement of a query.
struct Statement {
    query_idx: usize,
    place: Range<usize>,
    /// It creates a role, and nothing else.
    is_role: bool,
    deeds: Vec<Deed>,
}

/// Queries, as they were read.
pub struct Confined {
    statements: Vec<Statement>,
    queries: Vec<String>,
}

impl Confined {
    /// Reads queries, each of which may hold several statements.
    pub fn read(queries: &[String]) -> Confined {
        let mut statements = Vec::new();
        for (query_idx, query) in queries.iter().enumerate() {
            let script = script::read(query, Dialect::Postgres);
            for stated in &script.statements {
                let mut reader = Reader { deeds: Vec::new(), depth: 0 };
                let tree = script.tree_of(stated);
                if let Some(tree) = &tree {
                    reader.statement(tree);
                }
                let is_role =
                    tree.is_some_and(|tree| matches!(tree.kind(), K::CREATE_ROLE | K::CREATE_USER | K::CREATE_GROUP));
                statements.push(Statement { query_idx, place: stated.place.clone(), is_role, deeds: reader.deeds });
            }
            for fault in &script.faults {
                let deeds = vec![Deed::Leaves(format!("it cannot be read ({})", fault.why))];
                statements.push(Statement { query_idx, place: fault.at..fault.at, is_role: false, deeds });
            }
        }
        statements.sort_by_key(|statement| (statement.query_idx, statement.place.start));
        Confined { statements, queries: queries.to_vec() }
    }

    /// Returns what the server has to be asked.
    pub fn asks(&self) -> Asked {
        fn collect(deeds: &[Deed], asked: &mut Asked) {
            for deed in deeds {
                match deed {
                    Deed::Calls(name) | Deed::Watches(name) | Deed::Mentions(name) => {
                        asked.functions.insert(name.clone());
                    }
                    Deed::CreatesRole(name) => drop(asked.roles.insert(name.clone())),
                    Deed::Defines(_, deeds) => collect(deeds, asked),
                    Deed::Leaves(_)
                    | Deed::Shares(..)
                    | Deed::Writes(_)
                    | Deed::Shows(..)
                    | Deed::CreatesExtension(_) => {}
                }
            }
        }
        let mut asked = Asked::default();
        self.statements.iter().for_each(|statement| collect(&statement.deeds, &mut asked));
        asked
    }

    /// Returns the queries without what creates roles that the server has: that would only fail, and makes nothing in the database.
    ///
    /// # Errors
    /// With the first statement whose effect leaves the database, or may.
    pub fn within(&self, known: &Known) -> Result<Vec<String>, Leaves> {
        let mut defined: BTreeMap<&str, Vec<&[Deed]>> = BTreeMap::new();
        for statement in &self.statements {
            define(&statement.deeds, &mut defined);
        }
        let mut shown: Vec<(&str, &[String])> = Vec::new();
        for statement in &self.statements {
            shows(&statement.deeds, &mut shown);
        }
        let judge = Judge { known, defined, exposing: exposing(&shown) };
        let mut queries = self.queries.clone();
        let mut watching: Vec<&str> = Vec::new();
        for Statement { query_idx, place, is_role, deeds } in &self.statements {
            let leaves = |why: String, role: Option<&String>| Leaves {
                query_idx: *query_idx,
                at: place.start,
                why,
                role: role.cloned(),
            };
            for deed in deeds {
                if let Deed::CreatesRole(role) = deed
                    && judge.refuses_role(role)
                {
                    let why = format!("a role belongs to the whole server, which has none named {role:?}");
                    return Err(leaves(why, Some(role)));
                }
                if let Some(why) = judge.leaves(deed, &mut BTreeSet::new()) {
                    return Err(leaves(why, None));
                }
                match deed {
                    Deed::Watches(name) => watching.push(name),
                    Deed::Writes(_) => {
                        let run =
                            watching.iter().find_map(|name| Some((name, judge.called(name, &mut BTreeSet::new())?)));
                        if let Some((name, why)) = run {
                            return Err(leaves(format!("it writes rows, and a trigger may run {name}(): {why}"), None));
                        }
                    }
                    _ => {}
                }
            }
            if *is_role && makes_no_role(deeds, known) {
                let blank: String =
                    queries[*query_idx][place.clone()].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
                // Whatever stands behind it keeps its line.
                queries[*query_idx].replace_range(place.clone(), &padded(&blank, place.len()));
            }
        }
        Ok(queries)
    }
}

/// Tells whether the one role that a statement creates is there already.
fn makes_no_role(deeds: &[Deed], known: &Known) -> bool {
    deeds.iter().any(|deed| matches!(deed, Deed::CreatesRole(role) if known.roles.contains(role)))
}

/// Makes a blank text as long as what it replaces.
fn padded(blank: &str, n_bytes: usize) -> String {
    format!("{blank}{}", " ".repeat(n_bytes - blank.len()))
}

fn define<'a>(deeds: &'a [Deed], defined: &mut BTreeMap<&'a str, Vec<&'a [Deed]>>) {
    for deed in deeds {
        if let Deed::Defines(name, deeds) = deed {
            defined.entry(name).or_default().push(deeds);
            define(deeds, defined);
        }
    }
}

/// Collects the views, with the names that each of them mentions.
fn shows<'a>(deeds: &'a [Deed], shown: &mut Vec<(&'a str, &'a [String])>) {
    for deed in deeds {
        match deed {
            Deed::Shows(view, names) => shown.push((view, names)),
            Deed::Defines(_, deeds) => shows(deeds, shown),
            _ => {}
        }
    }
}

/// Returns the views through which a guarded catalog might be written, also through other views.
fn exposing<'a>(shown: &[(&'a str, &'a [String])]) -> BTreeSet<&'a str> {
    let mut exposing: BTreeSet<&str> = BTreeSet::new();
    loop {
        let is_exposed = |name: &String| is_guarded(name) || exposing.contains(name.as_str());
        // A view mentions its own name.
        let more: Vec<&str> = shown
            .iter()
            .filter(|(view, names)| !exposing.contains(view) && names.iter().any(is_exposed))
            .map(|(view, _)| *view)
            .collect();
        if more.is_empty() {
            return exposing;
        }
        exposing.extend(more);
    }
}

struct Judge<'a> {
    known: &'a Known,
    defined: BTreeMap<&'a str, Vec<&'a [Deed]>>,
    exposing: BTreeSet<&'a str>,
}

impl<'a> Judge<'a> {
    /// Says why a deed may leave the database. Rows that are written are looked at by the caller.
    fn leaves(&self, deed: &'a Deed, seen: &mut BTreeSet<&'a str>) -> Option<String> {
        match deed {
            Deed::Leaves(why) => Some(why.clone()),
            Deed::Shares(shared, why) => match (self.known.server, shared) {
                (Server::Own, _) | (Server::Given, Shared::Roles) => None,
                (Server::Shared, _) | (Server::Given, Shared::Databases) => Some(why.clone()),
            },
            Deed::Calls(name) => self.called(name, seen),
            Deed::Mentions(name) => self.own(name, seen),
            Deed::CreatesRole(name) if self.refuses_role(name) => {
                Some("it creates a role, which belongs to the whole server".to_owned())
            }
            Deed::CreatesExtension(name) => {
                let is_known = EXTENSIONS.contains(&name.as_str()) || CREATABLE.contains(&name.as_str());
                (!is_known && !self.known.extensions.contains(name))
                    .then(|| format!("the extension {name:?} is unknown, and the database does not have it"))
            }
            Deed::Writes(names) => names
                .iter()
                .any(|name| self.exposing.contains(name.as_str()))
                .then(|| "it writes through a view to a catalog that is not for this database alone".to_owned()),
            Deed::CreatesRole(_) | Deed::Watches(_) | Deed::Shows(..) | Deed::Defines(..) => None,
        }
    }

    fn refuses_role(&self, name: &str) -> bool {
        self.known.server == Server::Shared && !self.known.roles.contains(name)
    }

    /// Says why a call of this name may leave the database.
    fn called(&self, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Option<String> {
        self.known.leaving.get(name).cloned().or_else(|| self.own(name, seen))
    }

    /// Says why a function that the queries make may leave the database.
    fn own(&self, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Option<String> {
        if !seen.insert(name) {
            return None;
        }
        let all = self.defined.get(name)?;
        let why = all.iter().flat_map(|deeds| deeds.iter()).find_map(|deed| self.leaves(deed, seen))?;
        Some(format!("{name}() {}", within_function(&why)))
    }
}

/// Words a reason as that of a function.
fn within_function(why: &str) -> String {
    format!("may have effects outside the database: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server says: a few functions, a role and an extension.
    fn known() -> Known {
        let function = |name, is_volatile, extension| Function { name, is_volatile, extension };
        let functions = [
            function("pg_read_file", true, None),
            function("pg_terminate_backend", true, None),
            function("lo_export", true, None),
            function("nextval", true, None),
            function("lower", false, None),
            function("dblink_exec", true, Some("dblink")),
            function("uuid_generate_v4", true, Some("uuid-ossp")),
            function("schedule", true, Some("pg_cron")),
            function("crosstab", false, Some("tablefunc")),
        ];
        let leaving = functions.iter().filter_map(|function| Some((function.name.to_owned(), function.leaves()?)));
        Known {
            server: Server::Shared,
            leaving: leaving.collect(),
            roles: ["here".to_owned()].into(),
            extensions: ["dblink".to_owned()].into(),
        }
    }

    fn confine(queries: &[&str]) -> Result<Vec<String>, Leaves> {
        let queries: Vec<String> = queries.iter().map(|&query| query.to_owned()).collect();
        Confined::read(&queries).within(&known())
    }

    #[track_caller]
    fn leaves(queries: &[&str], query_idx: usize, says: &str) {
        let found = confine(queries).expect_err(&format!("{queries:#?}"));
        assert!(found.query_idx == query_idx && found.why.contains(says), "{queries:#?}: {found:?}");
    }

    #[test]
    fn letters_beyond_ascii_are_read_like_others() {
        for sql in ["CREATE TYPE e AS ENUM('ü', '世', 'é ')", "SELECT 'ß' AS ü", "COMMENT ON TABLE ü IS '🐘'"] {
            confine(&[sql]).expect(sql);
        }
        leaves(&["SELECT U&'d\\0061t'"], 0, "escapes");
    }

    #[test]
    fn what_acts_on_the_server_leaves_the_database() {
        for sql in [
            "CREATE ROLE gone",
            "CREATE USER gone PASSWORD 'x'",
            "CREATE GROUP gone",
            "ALTER ROLE here NOLOGIN",
            "ALTER USER here SET work_mem = '1GB'",
            "ALTER GROUP here ADD USER there",
            "DROP ROLE IF EXISTS here",
            "DROP OWNED BY here",
            "REASSIGN OWNED BY here TO there",
            "GRANT here TO there",
            "REVOKE here FROM there",
            "GRANT CONNECT ON DATABASE shop TO here",
            "GRANT SET ON PARAMETER work_mem TO here",
            "ALTER SYSTEM SET work_mem = '1GB'",
            "ALTER DATABASE shop SET work_mem = '1GB'",
            "ALTER DATABASE shop OWNER TO here",
            "CREATE DATABASE other",
            "DROP DATABASE other",
            "CREATE TABLESPACE t LOCATION '/t'",
            "ALTER TABLESPACE t OWNER TO here",
            "COMMENT ON ROLE here IS 'a'",
            "COMMENT ON DATABASE shop IS 'a'",
            "SECURITY LABEL ON ROLE here IS 'a'",
            "COPY t TO PROGRAM 'rm -r /'",
            "COPY t FROM '/etc/passwd'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "LOAD 'auto_explain'",
            "CHECKPOINT",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
            "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
            "CREATE USER MAPPING FOR here SERVER s",
            "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b",
            "CREATE FOREIGN TABLE f (a int) SERVER s",
            "CREATE EXTENSION pg_cron",
            "CREATE EXTENSION IF NOT EXISTS \"plpython3u\"",
            "CREATE LANGUAGE plperlu",
            "PREPARE TRANSACTION 'x'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f'",
            "DO LANGUAGE plperl 'x'",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT pg_catalog . \"pg_read_file\" /* a */ ('x')",
            "INSERT INTO t SELECT * FROM pg_read_file('x')",
            "ALTER TABLE t ADD COLUMN a text DEFAULT pg_read_file('x')",
            "CREATE VIEW v AS SELECT pg_read_file('x')",
            "SELECT dblink_exec('dbname=other', 'DROP TABLE t')",
            "SELECT cron.schedule('a', '* * * * *', 'DELETE FROM t')",
            "SELECT crosstab('SELECT pg_terminate_backend(1)')",
            "EXPLAIN ANALYZE SELECT pg_terminate_backend(1)",
            "PREPARE p AS SELECT pg_terminate_backend(1)",
            "WITH a AS (SELECT pg_terminate_backend(1)) SELECT * FROM a",
            "CREATE SCHEMA s CREATE VIEW v AS SELECT pg_read_file('x')",
            "UPDATE pg_database SET datallowconn = false",
            "UPDATE pg_catalog.pg_authid SET rolcanlogin = false",
            "LOCK TABLE pg_database",
            "REINDEX SYSTEM shop",
            "SET standard_conforming_strings = off",
            "SELECT set_config('standard_' || 'conforming_strings', 'off', false)",
            "SET allow_system_table_mods = on",
            "SELECT U&\"pg\\005fread_file\"('x')",
            "SELECT 'a",
            "NOT SQL AT ALL",
        ] {
            assert!(confine(&[sql]).is_err(), "{sql}");
        }
    }

    #[test]
    fn blocks_are_read_to_their_ends() {
        for (sql, says) in [
            ("DO $$ BEGIN CREATE ROLE gone; EXCEPTION WHEN duplicate_object THEN null; END $$", "role"),
            ("DO $$ BEGIN IF true THEN ALTER ROLE here NOLOGIN; END IF; END $$", "ALTER ROLE"),
            ("DO $$ BEGIN PERFORM pg_terminate_backend(1); END $$", "pg_terminate_backend"),
            ("DO $$ DECLARE a text := pg_read_file('x'); BEGIN NULL; END $$", "pg_read_file"),
            ("DO $$ DECLARE a text; BEGIN a := pg_read_file('x'); END $$", "pg_read_file"),
            ("DO $$ BEGIN FOR r IN SELECT pg_read_file('x') LOOP NULL; END LOOP; END $$", "pg_read_file"),
            ("DO $$ BEGIN EXECUTE 'ALTER ROLE here ' || 'NOLOGIN'; END $$", "ALTER ROLE"),
            ("DO $$ BEGIN EXECUTE format('ALTER ROLE %I NOLOGIN', a); END $$", "ALTER ROLE"),
            ("DO $$ BEGIN EXECUTE format('SELECT %I()', a); END $$", "built on the server"),
            ("DO $$ BEGIN EXECUTE a; END $$", "built on the server"),
            ("DO $$ BEGIN EXECUTE 'DO ''BEGIN EXECUTE a; END'''; END $$", "built on the server"),
            ("DO $$ BEGIN NONSENSE; END $$", "cannot be read"),
        ] {
            leaves(&["SELECT 1", sql], 1, says);
        }
    }

    #[test]
    fn a_function_counts_where_it_may_run() {
        let role = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE here NOLOGIN; RETURN NEW; END $$";
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()";
        let beside = ["COMMENT ON FUNCTION f() IS 'a'", "GRANT EXECUTE ON FUNCTION f() TO here", "DROP FUNCTION f()"];
        assert_eq!(confine(&[&[role, trigger], &beside[..]].concat()).map(|all| all.len()), Ok(5));
        leaves(&[role, trigger, "INSERT INTO b VALUES (1)"], 2, "ALTER ROLE");
        leaves(&[role, trigger, "DO $$ BEGIN DELETE FROM b; END $$"], 2, "a trigger may run f()");
        for uses in [
            "SELECT f()",
            "SELECT public.f()",
            "CALL f()",
            "CREATE TABLE c (a int DEFAULT f())",
            "CREATE INDEX i ON c (f(a))",
            "SELECT a.f FROM a",
            "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
            "CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int)",
            "CREATE CAST (text AS c) WITH FUNCTION f(text)",
        ] {
            leaves(&[role, uses], 1, "f()");
        }
        // Through another one, and in every language.
        let through = "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT f()'";
        leaves(&[through, role, "SELECT g()"], 2, "ALTER ROLE");
        let atomic = "CREATE FUNCTION h() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT pg_read_file('x'); END";
        leaves(&[atomic, "SELECT h()"], 1, "pg_read_file");
        for (function, why) in [
            ("CREATE FUNCTION p() RETURNS int LANGUAGE plperl AS 'x'", "plperl"),
            ("CREATE FUNCTION p() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE a; END $$", "built on the server"),
            ("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN PERFORM pg_read_file(''x''); END'", "pg_read_file"),
        ] {
            assert_eq!(confine(&[function]).map(|all| all.len()), Ok(1), "{function}");
            leaves(&[function, "SELECT p()"], 1, why);
        }
    }

    #[test]
    fn what_stays_in_the_database_is_let_through_as_it_is() {
        let all = [
            "CREATE TABLE \"t\" (\"id\" serial PRIMARY KEY, \"a\" varchar(20) DEFAULT lower('A'), b numeric(10, 2));",
            "DO $$ BEGIN\n CREATE TYPE \"mood\" AS ENUM('a', 'b');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "DO $$ BEGIN\n ALTER TABLE \"t\" ADD CONSTRAINT \"k\" FOREIGN KEY (\"a\") REFERENCES \"public\".\"u\"(\"id\") ON DELETE no action;\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"",
            "CREATE EXTENSION vector",
            "CREATE EXTENSION dblink",
            "ALTER TABLE t ADD COLUMN u uuid DEFAULT uuid_generate_v4()",
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM t; NEW.at := now(); RETURN NEW; END $$",
            "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()",
            "INSERT INTO t (a) VALUES ('pg_read_file(1)'), ('DROP ROLE here')",
            "UPDATE t SET a = touch.a FROM touch",
            "SELECT nextval('t_id_seq')",
            "NOTIFY somebody, 'a'",
            "SET standard_conforming_strings = on;",
            "SELECT pg_catalog.set_config('search_path', '', false);",
            "GRANT SELECT ON t TO here",
            "GRANT USAGE ON SCHEMA public TO here",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO here",
            "ALTER TABLE t OWNER TO here",
            "COMMENT ON TABLE t IS 'role'",
            "CREATE POLICY p ON t TO here USING (a = lower('A'))",
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT tablename FROM pg_tables LOOP EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', r.tablename); END LOOP; END $$",
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'here') THEN CREATE ROLE here; END IF; END $$",
            "COMMIT",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "-- nothing",
            "",
        ];
        let confined = confine(&all).unwrap_or_else(|leaves| panic!("{}: {leaves:?}", all[leaves.query_idx]));
        assert_eq!(confined, all);
    }

    #[test]
    fn a_server_that_nobody_else_has_is_free_to_change_and_the_machine_is_not() {
        let on = |server, sql: &str| Confined::read(&[sql.to_owned()]).within(&Known { server, ..known() });
        for sql in [
            "CREATE ROLE gone",
            "ALTER ROLE here NOLOGIN",
            "ALTER USER here SET work_mem = '1GB'",
            "DROP ROLE IF EXISTS here",
            "DROP OWNED BY here",
            "REASSIGN OWNED BY here TO there",
            "GRANT here TO there",
            "COMMENT ON ROLE here IS 'a'",
            "DO $$ BEGIN CREATE ROLE gone; END $$",
        ] {
            assert!(on(Server::Own, sql).is_ok() && on(Server::Given, sql).is_ok(), "{sql}");
        }
        for sql in [
            "ALTER DATABASE shop SET work_mem = '1GB'",
            "GRANT CONNECT ON DATABASE shop TO here",
            "COMMENT ON DATABASE shop IS 'a'",
            "CREATE DATABASE other",
            "DROP DATABASE other",
        ] {
            assert!(on(Server::Own, sql).is_ok() && on(Server::Given, sql).is_err(), "{sql}");
        }
        for sql in [
            "COPY t TO PROGRAM 'rm -r /'",
            "COPY t FROM '/etc/passwd'",
            "SELECT pg_read_file('x')",
            "SELECT lo_export(1, '/tmp/x')",
            "SELECT dblink_exec('host=other', 'DROP TABLE t')",
            "CREATE EXTENSION unheard_of",
            "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
            "CREATE TABLESPACE t LOCATION '/t'",
            "CREATE FUNCTION c() RETURNS int LANGUAGE c AS 'x', 'y'",
            "ALTER SYSTEM SET archive_command = 'rm -r /'",
            "ALTER DATABASE shop SET session_preload_libraries = 'x'",
            "ALTER ROLE here SET local_preload_libraries = 'x'",
            "LOAD 'auto_explain'",
            "UPDATE pg_authid SET rolsuper = true",
            "UPDATE pg_catalog.pg_proc SET prosrc = 'pg_read_file', prolang = 12 WHERE proname = 'f'",
            "SET extension_control_path = '/tmp'",
        ] {
            assert!(on(Server::Own, sql).is_err() && on(Server::Given, sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_catalog_is_not_written_through_a_view() {
        let (view, through) = ("CREATE VIEW public.v AS SELECT * FROM pg_catalog.pg_proc", "CREATE VIEW w AS TABLE v");
        leaves(&[view, "UPDATE v SET prosrc = 'x'"], 1, "through a view");
        leaves(&[view, through, "DELETE FROM public.w"], 2, "through a view");
        let within = "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'UPDATE w SET prosrc = NULL'";
        leaves(&[view, through, within, "SELECT f()"], 3, "through a view");
        assert!(confine(&[view, through, "UPDATE t SET prosrc = 'x'"]).is_ok());
        assert!(confine(&["CREATE VIEW u AS SELECT * FROM t", "UPDATE u SET a = 1"]).is_ok());
    }

    #[test]
    fn a_role_that_is_there_is_not_created_and_what_is_beside_it_keeps_its_place() {
        let made = confine(&["CREATE ROLE \"here\"\n  LOGIN;\nCREATE TABLE t ();"]).expect("the role is there");
        assert_eq!(made[0].find("CREATE TABLE t ();"), Some("CREATE ROLE \"here\"\n  LOGIN;\n".len()));
        assert!(!made[0].contains("ROLE") && made[0].matches('\n').count() == 2, "{made:?}");
        let found = confine(&["CREATE ROLE gone"]).expect_err("it is not");
        assert_eq!(found.role.as_deref(), Some("gone"));
    }
}
