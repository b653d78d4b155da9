//! The rules that findings come from: their stable names, how bad they are unless told otherwise, and what to say.
//!
//! A name is an API: it stands in ignore comments, in policy files and in reports. It never changes its meaning.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use squawk_linter::Rule as SquawkRule;

use crate::migrations::finding::{Finding, Level, Place};
use crate::sql::ObjectName;
use crate::sql::hazard::Object;

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// `drop-table`.
    pub id: &'static str,
    pub family: Family,
    /// What the names in an exception of the policy stand for.
    pub object: Object,
    /// How bad a finding is where the policy says nothing.
    pub level: Level,
    /// What is found, as the documentation says it.
    pub means: &'static str,
    /// Why that matters.
    pub why: &'static str,
    pub what_to_do: &'static str,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The journal, the snapshots, and which files there are.
    Journal,
    /// The statements of the migrations.
    Lint,
    /// What the migrations make, against something else.
    Drift,
}

const fn rule(
    id: &'static str,
    family: Family,
    object: Object,
    level: Level,
    means: &'static str,
    why: &'static str,
    what_to_do: &'static str,
) -> Rule {
    Rule { id, family, object, level, means, why, what_to_do }
}

/// Declares the rules: a constant for each, and the list of all.
macro_rules! rules {
    ($($name:ident = $id:literal, $family:ident, $object:ident, $level:ident, $means:literal, $why:literal, $what_to_do:literal;)*) => {
        $(pub const $name: Rule = rule($id, Family::$family, Object::$object, Level::$level, $means, $why, $what_to_do);)*
        /// Every rule of ours, in the order of the documentation.
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    JOURNAL_MISSING = "journal-missing", Journal, Nothing, Error,
        "there are migrations and no journal",
        "drizzle runs what the journal lists, and without one it fails or runs nothing",
        "restore meta/_journal.json from git";
    JOURNAL_CONFLICT = "journal-conflict", Journal, Nothing, Error,
        "git left conflict markers in the journal",
        "the journal is no JSON any more, and neither drizzle-kit nor the program that migrates at its start can read it",
        "keep the entries of both sides, and give those of your side a new idx and a later `when`; or delete your own migration, take the other side's journal and snapshots, and run `drizzle-kit generate` again";
    JOURNAL_DUPLICATE_INDEX = "journal-duplicate-index", Journal, Nothing, Error,
        "two entries of the journal have the same idx",
        "two branches made a migration at the same time; drizzle-kit counts on from the last entry and overwrites snapshots by this number",
        "delete the migration of your branch with its entry and its snapshot, and run `drizzle-kit generate` again";
    JOURNAL_MISSING_INDEX = "journal-missing-index", Journal, Nothing, Warning,
        "an idx is left out, is not there, or is not in order",
        "an entry was removed by hand or lost in a merge; what it did is then missing in every new database",
        "restore the entry from git, or number the entries anew if the migration was removed on purpose";
    JOURNAL_DUPLICATE_TAG = "journal-duplicate-tag", Journal, Nothing, Error,
        "two entries of the journal have the same tag",
        "drizzle runs the same file twice, and the second time fails",
        "remove one of the entries";
    JOURNAL_MISSING_FILE = "journal-missing-file", Journal, Nothing, Error,
        "the journal lists a migration whose file is not there",
        "drizzle stops before the first migration, and prints no reason",
        "restore the file from git; or remove the entry, if no database has the migration";
    JOURNAL_UNLISTED_FILE = "journal-unlisted-file", Journal, Nothing, Error,
        "there is a migration that the journal does not list",
        "drizzle runs what the journal lists, and never this file",
        "restore its entry from git, or delete the file";
    JOURNAL_ORDER = "journal-order", Journal, Nothing, Error,
        "a `when` is not greater than one before it",
        "drizzle runs what is newer than the newest row of its history: where the one before is applied already, this migration is skipped without a word, for ever",
        "give the entry a `when` greater than all before it, if no database has it yet; else see `drizzle-pilot status`";
    JOURNAL_AHEAD = "journal-ahead", Journal, Nothing, Error,
        "a `when` is ahead of the clock",
        "drizzle-kit dates a new migration by the clock, so the next one is older than this one, and no database that has this one ever runs it",
        "give the entry a `when` that is not in the future, if no database has it yet; else give every later entry a `when` above it";
    PULLED_BASELINE = "pulled-baseline", Journal, Nothing, Warning,
        "the first migration is what drizzle-kit pull wrote: its statements stand in a comment",
        "drizzle cuts the file at the breakpoints within the comment, and the server gets halves that are no SQL (42601)",
        "where the database has the tables, `drizzle-pilot sync` records the migration after a proof; where a database is to be built from it, remove the lines `/*` and `*/`";
    UNREAD_DIALECT = "unread-dialect", Journal, Nothing, Warning,
        "the folder is in a dialect whose statements are not read",
        "nothing that stands in its migrations was looked at",
        "look at the statements yourself; the journal and the snapshots were checked";
    SNAPSHOT_VERSION = "snapshot-version", Journal, Nothing, Error,
        "a snapshot is written in another form than the project's drizzle-kit reads",
        "drizzle-kit stops at it, prints a line, and generates nothing, with exit code 0",
        "older: run `drizzle-pilot run -- up`, and commit what it rewrites; newer: update drizzle-kit";
    SNAPSHOT_UNREADABLE = "snapshot-unreadable", Journal, Nothing, Error,
        "a snapshot cannot be read",
        "drizzle-kit compares the schema files with the last snapshot, and fails or compares with an older one",
        "take the snapshot of one side from git, delete the migration of the other side, and run `drizzle-kit generate` again";
    SNAPSHOT_FORK = "snapshot-fork", Journal, Nothing, Error,
        "two snapshots were made from the same one",
        "two branches each generated a migration; neither snapshot knows the changes of the other, so the next `drizzle-kit generate` takes what the other branch added for new, and asks whether it was renamed from something",
        "delete the later migration with its entry and its snapshot, and run `drizzle-kit generate` again: it is then made from the other";
    SNAPSHOT_CHAIN = "snapshot-chain", Journal, Nothing, Error,
        "a snapshot was made from one that is not there",
        "a snapshot was lost or edited; drizzle-kit compares with the last one, whatever it was made from",
        "restore the snapshot from git; or delete the migrations behind it and run `drizzle-kit generate` again";
    SNAPSHOT_MISSING = "snapshot-missing", Journal, Nothing, Warning,
        "a migration has no snapshot",
        "where it is that of the last migration, the next `drizzle-kit generate` makes its statements once more",
        "restore the snapshot from git";
    SNAPSHOT_UNLISTED = "snapshot-unlisted", Journal, Nothing, Warning,
        "a snapshot belongs to no migration",
        "drizzle-kit compares the schema files with the last snapshot in the folder, so what is in this one is never made",
        "delete the snapshot, or restore the entry and the file of its migration from git";
    FILE_CONFLICT = "file-conflict", Journal, Nothing, Error,
        "git left conflict markers in a migration",
        "the file is no SQL any more, and the migration fails",
        "keep the file of one side, and delete the migration of the other with its entry and its snapshot";
    NEWER_LAYOUT = "newer-layout", Journal, Nothing, Warning,
        "a migration of drizzle-kit 1.0 stands beside the journal",
        "drizzle-kit below 1.0 does not see it, and 1.0 does not see the others",
        "remove the folder, or convert all of them with `drizzle-kit up` of 1.0";
    EDITED_MIGRATION = "edited-migration", Journal, Nothing, Error,
        "a migration was changed that others have already",
        "drizzle never runs a migration twice and never compares its content: databases that have it keep what it did before",
        "take the change back, and write a new migration for it";

    SYNTAX_ERROR = "syntax-error", Lint, Nothing, Error,
        "the text is no SQL",
        "PostgreSQL refuses the statement, and drizzle takes back all migrations of the run",
        "correct the statement";
    MISSING_BREAKPOINT = "missing-breakpoint", Lint, Nothing, Warning,
        "several statements stand between two breakpoints",
        "drivers that prepare their statements take one at a time (neon-http, PGlite, MySQL, SQLite), and a failure is that of the whole block",
        "write `--> statement-breakpoint` between the statements";
    MISPLACED_BREAKPOINT = "misplaced-breakpoint", Lint, Nothing, Error,
        "a breakpoint stands within a string, a name or a comment",
        "drizzle cuts the file there, whatever surrounds it, and sends two halves that are no statements",
        "move the breakpoint between two statements";
    DROP_SCHEMA = "drop-schema", Lint, Schema, Error,
        "a schema is dropped",
        "everything in it is gone, and no migration brings it back",
        "move to another schema what is still needed; then say so: -- drizzle-pilot-ignore drop-schema";
    DROP_TABLE = "drop-table", Lint, Table, Error,
        "a table is dropped",
        "its rows are gone, and no migration brings them back; programs that still run fail",
        "drop it one release after the last program that reads it; then say so: -- drizzle-pilot-ignore drop-table";
    DROP_COLUMN = "drop-column", Lint, Column, Error,
        "a column is dropped",
        "its values are gone, and no migration brings them back; programs that still run fail",
        "drop it one release after the last program that reads it; then say so: -- drizzle-pilot-ignore drop-column";
    DROP_VIEW = "drop-view", Lint, View, Error,
        "a materialised view is dropped, or a view with what depends on it",
        "what it holds has to be computed again, and programs that still run fail",
        "replace the view in the same migration; then say so: -- drizzle-pilot-ignore drop-view";
    DROP_SEQUENCE = "drop-sequence", Lint, Sequence, Error,
        "a sequence is dropped",
        "where it stood is gone, and numbers may be given out twice",
        "keep the sequence, or set the new one with setval; then say so: -- drizzle-pilot-ignore drop-sequence";
    DROP_TYPE = "drop-type", Lint, Type, Error,
        "a type is dropped",
        "the migration fails where a column still has the type, and with CASCADE those columns are gone",
        "change the columns to another type first; then say so: -- drizzle-pilot-ignore drop-type";
    DROP_PRIMARY_KEY = "drop-primary-key", Lint, Table, Error,
        "a primary key is dropped",
        "values may repeat from then on, and foreign keys to it go or stop the migration",
        "add the new key in the same migration; then say so: -- drizzle-pilot-ignore drop-primary-key";
    DROP_CASCADE = "drop-cascade", Lint, Nothing, Error,
        "an extension, a function or the like is dropped with everything that depends on it",
        "columns, defaults, indexes and views that use it go as well, with their values, and the statement names none of them",
        "drop or change by name what depends on it, and leave CASCADE out; then nothing goes that nobody named";
    DROP_OWNED = "drop-owned", Lint, Nothing, Error,
        "everything that a role owns is dropped",
        "tables of the role go with their rows, whatever they are, and its privileges with them",
        "give them to another role first: REASSIGN OWNED BY … TO …";
    DETACH_PARTITION = "detach-partition", Lint, Table, Warning,
        "a table stops being a part of another",
        "its rows are no longer found in the table that it was a part of",
        "detach it when no program reads them there any more; then say so: -- drizzle-pilot-ignore detach-partition";
    LOSSY_REBUILD = "lossy-rebuild", Lint, Table, Error,
        "a table of SQLite is built again, and rows that refer to it are deleted or changed with it",
        "PRAGMA foreign_keys=OFF has no effect inside a transaction, in which drizzle's migrator runs the file with most drivers (better-sqlite3, bun:sqlite, D1), so that DROP TABLE deletes the rows one by one, and the foreign keys of other tables act",
        "switch the foreign keys off before the migrator is called, and on after it; or rebuild the tables that refer to this one first, without ON DELETE, and give them their keys back in a later migration";
    MISSING_COLUMN = "missing-column", Lint, Column, Error,
        "rows of a table of SQLite are copied with a column that it does not have",
        "SQLite takes a name in double quotes that it does not know for a text, and writes it into every row; better-sqlite3 and libSQL are built without that, and the migration fails (no such column). drizzle-kit writes such a copy where a column is added to a table that it builds again",
        "take the column out of both lists of the INSERT, or read what belongs there: NULL, a value, an expression";
    UNFINISHED_REBUILD = "unfinished-rebuild", Lint, Table, Error,
        "a table of SQLite that was made to replace another is left over",
        "the table that it was made for is missing or as old as it was, and the next rebuild fails because the name is taken",
        "finish it in the same migration: copy the rows, drop the old table, rename the new one";
    DYNAMIC_SQL = "dynamic-sql", Lint, Nothing, Warning,
        "a migration runs code that cannot be read before",
        "nobody can say what it does to the data: it was not looked into",
        "write the statements out where that is possible; else read it twice and say so: -- drizzle-pilot-ignore dynamic-sql";
    TRUNCATE = "truncate", Lint, Table, Error,
        "a table is emptied",
        "its rows are gone in every database that runs this, and with CASCADE those of every table that refers to it",
        "delete what is meant, by a condition; or say so: -- drizzle-pilot-ignore truncate";
    DELETE_ROWS = "delete-rows", Lint, Table, Warning,
        "rows are deleted",
        "they are gone in every database that runs this",
        "look at the condition twice; then say so: -- drizzle-pilot-ignore delete-rows";
    RECREATE_ENUM = "recreate-enum", Lint, Type, Error,
        "an enum is dropped and created again",
        "the migration fails where a row holds a value that the new enum lacks, and every column of the enum passes through text",
        "rename the old type, create the new one, change the columns with USING (CASE \"column\"::text WHEN 'old' THEN 'new' ELSE \"column\"::text END)::\"type\", and drop the old one";
    ENUM_VALUE_IN_FILE = "enum-value-in-file", Lint, Nothing, Error,
        "a value is added to an enum and used in the same file",
        "PostgreSQL allows the use of a new value only after a commit, and drizzle runs the file in one transaction (55P04)",
        "move what uses the value to a migration of its own, and apply them one after the other";
    ENUM_VALUE_IN_RUN = "enum-value-in-run", Lint, Nothing, Warning,
        "a value is used that an earlier migration adds to an enum",
        "drizzle-kit applies all pending migrations in one transaction, in which the new value cannot be used (55P04): a new database cannot be built in one run",
        "apply the migrations one after the other, as `drizzle-pilot migrate` does";
    ADD_REQUIRED_COLUMN = "add-required-column", Lint, Column, Error,
        "a column is added that must not be NULL and has no default",
        "it fails in every table that has a row",
        "add it with a default, or add it without NOT NULL, fill it, and then set NOT NULL";
    SET_NOT_NULL = "set-not-null", Lint, Column, Warning,
        "a column must not be NULL any more, and nothing fills it",
        "it fails where a row holds NULL, and blocks the table while all rows are read",
        "fill the column before, in the same migration: UPDATE … SET … WHERE … IS NULL";
    ADD_UNIQUE = "add-unique", Lint, Table, Warning,
        "values of a table that may have rows must not repeat any more",
        "it fails where they do",
        "look for them before (GROUP BY … HAVING count(*) > 1), and delete or change what is too much in the same migration";
    NULL_ON_DELETE = "null-on-delete", Lint, Column, Warning,
        "a foreign key sets a column to NULL that must not be NULL",
        "every DELETE of a row that is referred to fails (23502)",
        "let the column be NULL, or write ON DELETE CASCADE or RESTRICT";
    NARROWER_TYPE = "narrower-type", Lint, Column, Warning,
        "a column gets a type that holds less than the one before",
        "it fails where a value does not fit, and with an explicit cast, or in MySQL without strict mode, the value is cut",
        "look for such values before, and change them in the same migration; then say so: -- drizzle-pilot-ignore narrower-type";
    CHANGE_EXPRESSION = "change-expression", Lint, Column, Warning,
        "the expression of a generated column is changed or dropped",
        "a new expression computes every value anew while nobody can use the table; without one the values stay as they are and follow the others no more",
        "say that it is meant: -- drizzle-pilot-ignore change-expression";
    TYPE_CHANGE_WITHOUT_USING = "type-change-without-using", Lint, Column, Warning,
        "a column changes its type without USING",
        "it fails where PostgreSQL has no cast for it that it makes by itself, as from text to integer",
        "say how the values are converted: USING \"column\"::type";
    LOST_SCHEMA = "lost-schema", Lint, Column, Error,
        "a column gets a type of a schema called undefined",
        "from 0.31 on drizzle-kit writes \"undefined\" before the words of a customType, and there is no such schema (3F000)",
        "write the type as it is meant, without \"undefined\"";
    NAME_TWICE = "name-twice", Lint, Any, Error,
        "two things get one name that only one can have",
        "tables, views, sequences and indexes of a schema share their names, and so do the constraints that have an index: the second fails (42P07)",
        "give one of them another name in the schema files, as in .unique('name'), and generate the migration again";
    OUTSIDE_TRANSACTION = "outside-transaction", Lint, Nothing, Error,
        "a statement cannot run inside drizzle's transaction",
        "drizzle runs migrations in a transaction, and PostgreSQL refuses the statement there (25001)",
        "run it by hand before, and leave in the migration what does nothing then: CREATE INDEX IF NOT EXISTS without CONCURRENTLY";
    TRANSACTION_CONTROL = "transaction-control", Lint, Nothing, Error,
        "a migration begins or ends a transaction",
        "it ends drizzle's own: what came before stays when a later statement fails, and the history does not know it",
        "remove the statement, and split the migration where a commit is needed";
    BLOCKING_INDEX = "blocking-index", Lint, Table, Warning,
        "an index is built on a table that may have rows",
        "nobody can write to the table until it is built, and drizzle's transaction cannot build it CONCURRENTLY",
        "on a large table build it by hand with CREATE INDEX CONCURRENTLY before, and write CREATE INDEX IF NOT EXISTS here";
    REWRITE_TABLE = "rewrite-table", Lint, Table, Warning,
        "every row of a table is written anew",
        "nobody can read or write the table until that is done and drizzle's transaction has ended",
        "run it by hand when nobody needs the table";
    LOCK_TABLE = "lock-table", Lint, Table, Warning,
        "a table is locked",
        "programs that write to it wait until all pending migrations are done, because drizzle runs them in one transaction",
        "leave it out: each statement takes the lock that it needs";
    RENAME_TABLE = "rename-table", Lint, Table, Warning,
        "a table, view, sequence or schema is renamed",
        "programs that still run fail",
        "rename it while no program runs, or leave a view with the old name for one release";
    RENAME_COLUMN = "rename-column", Lint, Column, Warning,
        "a column is renamed",
        "programs that still run fail",
        "rename it while no program runs, or add a new column, fill both for one release, and drop the old one";
    RENAME_TYPE = "rename-type", Lint, Type, Warning,
        "a type, one of its values or one of its attributes is renamed",
        "programs that still run use the old name and fail",
        "rename it while no program runs, or add the new value beside the old one for one release";
    DISABLE_TRIGGER = "disable-trigger", Lint, Table, Error,
        "triggers are switched off and not on again",
        "foreign keys are triggers too: rows that break them come in unseen, and what the triggers did is not done",
        "switch them on again in the same migration: ENABLE TRIGGER";
    DISABLE_RLS = "disable-rls", Lint, Table, Error,
        "row level security is switched off",
        "every role that may read the table sees all of its rows",
        "keep it on, or say so: -- drizzle-pilot-ignore disable-rls";
    DROP_POLICY = "drop-policy", Lint, Policy, Warning,
        "a row level security policy is dropped",
        "rows appear or disappear for the roles that it was for",
        "create its successor in the same migration; then say so: -- drizzle-pilot-ignore drop-policy";
    ALTER_POLICY = "alter-policy", Lint, Policy, Warning,
        "a row level security policy is changed",
        "rows appear or disappear for the roles that it is for",
        "read both conditions side by side; then say so: -- drizzle-pilot-ignore alter-policy";
    GRANT = "grant", Lint, Any, Warning,
        "a role may do more",
        "whoever has the role reads or changes what was closed to it, and a role with BYPASSRLS or SUPERUSER is held up by no policy",
        "make sure that the role needs it; then say so: -- drizzle-pilot-ignore grant";
    UNKNOWN_IGNORE = "unknown-ignore", Lint, Nothing, Warning,
        "an ignore comment names a rule that there is not",
        "it ignores nothing",
        "correct the name, or remove the comment";

    FORGOTTEN_MIGRATION = "forgotten-migration", Drift, Nothing, Error,
        "the schema files differ from the last snapshot",
        "databases made by the migrations lack what the schema files say",
        "run `drizzle-kit generate`, and commit the migration with the schema";
    DATABASE_DRIFT = "database-drift", Drift, Nothing, Error,
        "the database differs from what its migrations make",
        "somebody changed it by hand or by a push, so that the next migration may fail there, and no other database has the change",
        "put the change into a migration, or take it back; `drizzle-pilot sync` proves that both are the same again";
    SCHEMA_DRIFT = "schema-drift", Drift, Nothing, Error,
        "the database differs from the schema files",
        "the program expects what the schema files say, and the next push would run this",
        "apply what is pending (`drizzle-pilot migrate`), or generate the migration that is missing; where the database was changed by hand, take that back or put it into the schema files";
}

/// A rule of squawk's that is on unless the policy says otherwise. The others are too loud for what drizzle-kit generates.
pub struct Squawk {
    pub id: &'static str,
    pub level: Level,
    pub means: &'static str,
}

/// The rules of squawk's that are on by themselves.
pub const SQUAWKS: [Squawk; 4] = [
    Squawk {
        id: "adding-field-with-default",
        level: Level::Warning,
        means: "a column is added whose value is computed for each row",
    },
    Squawk {
        id: "ban-duplicate-column-assignments",
        level: Level::Error,
        means: "a statement gives a column two values",
    },
    Squawk { id: "ban-drop-database", level: Level::Error, means: "a database is dropped" },
    Squawk { id: "identifier-too-long", level: Level::Warning, means: "a name is longer than PostgreSQL keeps" },
];

/// Rules of squawk's for which a rule of ours stands. Some ask for what drizzle's transaction makes impossible.
pub const OURS: [(SquawkRule, &Rule); 23] = [
    (SquawkRule::BanDropTable, &DROP_TABLE),
    (SquawkRule::BanDropColumn, &DROP_COLUMN),
    (SquawkRule::BanDropSchema, &DROP_SCHEMA),
    (SquawkRule::BanDropSequence, &DROP_SEQUENCE),
    (SquawkRule::BanDropType, &DROP_TYPE),
    (SquawkRule::BanDropPolicy, &DROP_POLICY),
    (SquawkRule::BanTruncateCascade, &TRUNCATE),
    (SquawkRule::RenamingTable, &RENAME_TABLE),
    (SquawkRule::RenamingColumn, &RENAME_COLUMN),
    (SquawkRule::AddingRequiredField, &ADD_REQUIRED_COLUMN),
    (SquawkRule::AddingNotNullableField, &SET_NOT_NULL),
    (SquawkRule::ChangingColumnType, &TYPE_CHANGE_WITHOUT_USING),
    (SquawkRule::RequireConcurrentIndexCreation, &BLOCKING_INDEX),
    (SquawkRule::DisallowedUniqueConstraint, &BLOCKING_INDEX),
    (SquawkRule::AddingSerialPrimaryKeyField, &BLOCKING_INDEX),
    (SquawkRule::BanConcurrentIndexCreationInTransaction, &OUTSIDE_TRANSACTION),
    (SquawkRule::RequireConcurrentPartitionDetach, &OUTSIDE_TRANSACTION),
    (SquawkRule::RequireConcurrentReindex, &OUTSIDE_TRANSACTION),
    (SquawkRule::RequireConcurrentIndexDeletion, &OUTSIDE_TRANSACTION),
    (SquawkRule::TransactionNesting, &TRANSACTION_CONTROL),
    (SquawkRule::BanUncommittedTransaction, &TRANSACTION_CONTROL),
    (SquawkRule::UnusedIgnore, &UNKNOWN_IGNORE),
    // An alias of two others.
    (SquawkRule::RequireTimeoutSettings, &OUTSIDE_TRANSACTION),
];

/// A rule by its name: one of ours, or one of squawk's that none of ours stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Ours(&'static Rule),
    Squawk(&'static str, SquawkRule),
}

/// Why a name is that of no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRule {
    /// It is one of squawk's, for which this rule of ours stands.
    Instead(&'static str),
    Unknown,
}

impl Named {
    /// Finds a rule by its name.
    ///
    /// # Errors
    /// Returns an error where there is none of that name.
    pub fn find(name: &str) -> Result<Named, NoRule> {
        if let Some(rule) = RULES.iter().find(|rule| rule.id == name) {
            return Ok(Named::Ours(rule));
        }
        if let Some((id, rule)) = squawks().get_key_value(name) {
            return Ok(Named::Squawk(id, *rule));
        }
        let ours = OURS.iter().find(|(squawk, _)| squawk.to_string() == name);
        Err(ours.map_or(NoRule::Unknown, |(_, rule)| NoRule::Instead(rule.id)))
    }

    /// Returns the name.
    pub fn id(self) -> &'static str {
        match self {
            Named::Ours(rule) => rule.id,
            Named::Squawk(id, _) => id,
        }
    }

    /// Returns what the names in an exception of the policy stand for.
    pub fn object(self) -> Object {
        match self {
            Named::Ours(rule) => rule.object,
            Named::Squawk(..) => Object::Nothing,
        }
    }

    /// Returns how bad a finding is where the policy says nothing; none where the rule is off then.
    pub fn level(self) -> Option<Level> {
        match self {
            Named::Ours(rule) => Some(rule.level),
            Named::Squawk(id, _) => SQUAWKS.iter().find(|squawk| squawk.id == id).map(|squawk| squawk.level),
        }
    }
}

/// Returns every rule of squawk's that none of ours stands for, by its name.
pub fn squawks() -> &'static BTreeMap<String, SquawkRule> {
    static ALL: LazyLock<BTreeMap<String, SquawkRule>> = LazyLock::new(|| {
        let others = enum_iterator::all::<SquawkRule>().filter(|rule| OURS.iter().all(|(ours, _)| ours != rule));
        others.map(|rule| (rule.to_string(), rule)).collect()
    });
    &ALL
}

impl Rule {
    /// Makes a finding of the rule.
    pub fn finding(&self, level: Level, place: Place, sentence: impl Into<String>) -> Finding {
        Finding {
            id: self.id,
            level,
            place,
            sentence: sentence.into(),
            why: self.why.to_owned(),
            what_to_do: self.what_to_do.to_owned(),
            about: None,
        }
    }
}

/// The rules whose findings may be accepted once: old faults of the journal and the snapshots that every database has
/// lived with, and that nobody can mend without changing what is applied.
pub const ACCEPTABLE: [&Rule; 11] = [
    &JOURNAL_DUPLICATE_INDEX,
    &JOURNAL_MISSING_INDEX,
    &JOURNAL_DUPLICATE_TAG,
    &JOURNAL_UNLISTED_FILE,
    &JOURNAL_ORDER,
    &JOURNAL_AHEAD,
    &SNAPSHOT_FORK,
    &SNAPSHOT_CHAIN,
    &SNAPSHOT_MISSING,
    &SNAPSHOT_UNLISTED,
    &PULLED_BASELINE,
];

/// What the user wants of the rules.
#[derive(Clone, Copy)]
pub struct Wishes<'a> {
    /// How bad a finding is; none where the rule is off.
    pub level: &'a (dyn Fn(Named) -> Option<Level> + Sync),
    /// Whether nothing is found about an object.
    pub spares: &'a (dyn Fn(Named, &ObjectName) -> bool + Sync),
    /// Whether what a rule of [`ACCEPTABLE`] finds about a file is an old fault.
    pub accepts: &'a (dyn Fn(&'static Rule, &Path) -> bool + Sync),
}

impl Wishes<'static> {
    /// Nothing else than the rules say by themselves.
    pub const NONE: Wishes<'static> =
        Wishes { level: &|named| named.level(), spares: &|_, _| false, accepts: &|_, _| false };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_by_its_name() {
        for rule in RULES {
            assert_eq!(Named::find(rule.id), Ok(Named::Ours(rule)), "{}", rule.id);
            assert!(rule.id.parse::<SquawkRule>().is_err(), "{} is a name of squawk's", rule.id);
            assert_eq!(RULES.iter().filter(|other| other.id == rule.id).count(), 1, "{}", rule.id);
        }
        for squawk in &SQUAWKS {
            assert_eq!(Named::find(squawk.id).map(Named::level), Ok(Some(squawk.level)), "{}", squawk.id);
        }
        assert_eq!(Named::find("prefer-text-field").map(Named::level), Ok(None));
        assert_eq!(Named::find("ban-drop-table"), Err(NoRule::Instead("drop-table")));
        assert_eq!(Named::find("drop-tables"), Err(NoRule::Unknown));
    }

    #[test]
    fn every_rule_of_squawks_is_offered_or_replaced() {
        assert_eq!(squawks().len() + OURS.len(), enum_iterator::cardinality::<SquawkRule>());
    }
}
