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
        "there are migrations but no journal",
        "drizzle runs what the journal lists; without a journal it fails or runs nothing",
        "restore meta/_journal.json from git";
    JOURNAL_CONFLICT = "journal-conflict", Journal, Nothing, Error,
        "git left conflict markers in the journal",
        "the journal is no longer valid JSON, and neither drizzle-kit nor a program that migrates at startup can read it",
        "keep the entries of both sides, and give those of your side a new idx and a later `when`; or delete your migration, take the other side's journal and snapshots, and run `drizzle-kit generate` again";
    JOURNAL_DUPLICATE_INDEX = "journal-duplicate-index", Journal, Nothing, Error,
        "two entries of the journal have the same idx",
        "two branches made a migration at the same time; drizzle-kit continues from the last entry and overwrites snapshots with the same number",
        "delete the migration of your branch with its entry and its snapshot, and run `drizzle-kit generate` again";
    JOURNAL_MISSING_INDEX = "journal-missing-index", Journal, Nothing, Warning,
        "an idx is missing, skipped or out of order",
        "an entry was removed by hand or lost in a merge; its changes are then missing in every new database",
        "restore the entry from git, or renumber the entries if the migration was removed on purpose";
    JOURNAL_DUPLICATE_TAG = "journal-duplicate-tag", Journal, Nothing, Error,
        "two entries of the journal have the same tag",
        "drizzle runs the same file twice, and the second time fails",
        "remove one of the entries";
    JOURNAL_MISSING_FILE = "journal-missing-file", Journal, Nothing, Error,
        "the journal lists a migration whose file does not exist",
        "drizzle stops before the first migration, and prints no reason",
        "restore the file from git; or remove the entry, if no database has the migration";
    JOURNAL_UNLISTED_FILE = "journal-unlisted-file", Journal, Nothing, Error,
        "there is a migration that the journal does not list",
        "drizzle runs what the journal lists, and will never run this file",
        "restore its entry from git, or delete the file";
    JOURNAL_ORDER = "journal-order", Journal, Nothing, Error,
        "a `when` is not greater than an earlier one",
        "drizzle runs migrations that are newer than the newest row of its migrations table: where the earlier one is already applied, this migration is silently skipped forever",
        "give the entry a `when` greater than all before it, if no database has it yet; else see `drizzle-pilot status`";
    JOURNAL_AHEAD = "journal-ahead", Journal, Nothing, Error,
        "a `when` is ahead of the clock",
        "drizzle-kit dates a new migration by the clock, so the next one will be older than this one, and a database that has this one never runs it",
        "give the entry a `when` that is not in the future, if no database has it yet; else give every later entry a `when` above it";
    PULLED_BASELINE = "pulled-baseline", Journal, Nothing, Warning,
        "the first migration was written by drizzle-kit pull: its statements are inside a comment",
        "drizzle splits the file at the breakpoints inside the comment, and the server gets pieces that are not valid SQL (42601)",
        "if the database has the tables, `drizzle-pilot sync` verifies that and marks the migration as applied; to build a database from it, remove the lines `/*` and `*/`";
    UNREAD_DIALECT = "unread-dialect", Journal, Nothing, Warning,
        "the folder uses a dialect whose statements are not read",
        "the contents of its migrations were not checked",
        "review the statements yourself; the journal and the snapshots were checked";
    SNAPSHOT_VERSION = "snapshot-version", Journal, Nothing, Error,
        "a snapshot has another format than the project's drizzle-kit reads",
        "drizzle-kit stops at it, prints a line, and generates nothing, but exits with 0",
        "if it is older, run `drizzle-pilot run -- up` and commit the result; if it is newer, update drizzle-kit";
    SNAPSHOT_UNREADABLE = "snapshot-unreadable", Journal, Nothing, Error,
        "a snapshot cannot be read",
        "drizzle-kit compares the schema files with the last snapshot, and fails or compares with an older one",
        "restore the snapshot of one side from git, delete the migration of the other side, and run `drizzle-kit generate` again";
    SNAPSHOT_FORK = "snapshot-fork", Journal, Nothing, Error,
        "two snapshots were made from the same one",
        "two branches each generated a migration; neither snapshot has the changes of the other, so the next `drizzle-kit generate` treats the other branch's additions as new, and asks whether they were renamed",
        "delete the later migration with its entry and its snapshot, and run `drizzle-kit generate` again, which then builds on the other one";
    SNAPSHOT_CHAIN = "snapshot-chain", Journal, Nothing, Error,
        "a snapshot was made from one that does not exist",
        "a snapshot was lost or edited; drizzle-kit compares with the last snapshot, whatever it was made from",
        "restore the snapshot from git; or delete the migrations after it and run `drizzle-kit generate` again";
    SNAPSHOT_MISSING = "snapshot-missing", Journal, Nothing, Warning,
        "a migration has no snapshot",
        "if it belongs to the last migration, the next `drizzle-kit generate` generates its statements again",
        "restore the snapshot from git";
    SNAPSHOT_UNLISTED = "snapshot-unlisted", Journal, Nothing, Warning,
        "a snapshot does not belong to a migration",
        "drizzle-kit compares the schema files with the last snapshot in the folder, so no migration is generated for what this one contains",
        "delete the snapshot, or restore the entry and the file of its migration from git";
    FILE_CONFLICT = "file-conflict", Journal, Nothing, Error,
        "git left conflict markers in a migration",
        "the file is no longer valid SQL, and the migration fails",
        "keep the file of one side, and delete the migration of the other with its entry and its snapshot";
    NEWER_LAYOUT = "newer-layout", Journal, Nothing, Warning,
        "a migration of drizzle-kit 1.0 is next to the journal",
        "drizzle-kit below 1.0 does not see it, and 1.0 does not see the others",
        "remove the folder, or convert all of them with `drizzle-kit up` of 1.0";
    EDITED_MIGRATION = "edited-migration", Journal, Nothing, Error,
        "a migration was changed that others already have",
        "drizzle never runs a migration twice and never compares its content: databases that have it keep its old effect",
        "revert the change, and write a new migration for it";

    SYNTAX_ERROR = "syntax-error", Lint, Nothing, Error,
        "the text is not valid SQL",
        "PostgreSQL rejects the statement, and drizzle rolls back all migrations of the run",
        "correct the statement";
    MISSING_BREAKPOINT = "missing-breakpoint", Lint, Nothing, Warning,
        "several statements are between two breakpoints",
        "drivers that prepare statements accept one at a time (neon-http, PGlite, MySQL, SQLite), and an error is reported for the whole block",
        "write `--> statement-breakpoint` between the statements";
    MISPLACED_BREAKPOINT = "misplaced-breakpoint", Lint, Nothing, Error,
        "a breakpoint is inside a string, a name or a comment",
        "drizzle splits the file there, whatever the context, and sends two pieces that are not statements",
        "move the breakpoint between two statements";
    DROP_SCHEMA = "drop-schema", Lint, Schema, Error,
        "a schema is dropped",
        "everything in it is lost, and no migration brings it back",
        "move what is still needed to another schema, then acknowledge it: -- drizzle-pilot-ignore drop-schema";
    DROP_TABLE = "drop-table", Lint, Table, Error,
        "a table is dropped",
        "its rows are lost, and no migration brings them back; programs that still use it fail",
        "drop it one release after the last program that reads it, then acknowledge it: -- drizzle-pilot-ignore drop-table";
    DROP_COLUMN = "drop-column", Lint, Column, Error,
        "a column is dropped",
        "its values are lost, and no migration brings them back; programs that still use it fail",
        "drop it one release after the last program that reads it, then acknowledge it: -- drizzle-pilot-ignore drop-column";
    DROP_VIEW = "drop-view", Lint, View, Error,
        "a materialised view is dropped, or a view with what depends on it",
        "a materialised view has to be computed again, and programs that still use it fail",
        "replace the view in the same migration, then acknowledge it: -- drizzle-pilot-ignore drop-view";
    DROP_SEQUENCE = "drop-sequence", Lint, Sequence, Error,
        "a sequence is dropped",
        "its position is lost, and numbers may be assigned twice",
        "keep the sequence, or set the new one with setval, then acknowledge it: -- drizzle-pilot-ignore drop-sequence";
    DROP_TYPE = "drop-type", Lint, Type, Error,
        "a type is dropped",
        "the migration fails if a column still has the type; with CASCADE, such columns are dropped",
        "change the columns to another type first, then acknowledge it: -- drizzle-pilot-ignore drop-type";
    DROP_PRIMARY_KEY = "drop-primary-key", Lint, Table, Error,
        "a primary key is dropped",
        "values may repeat from then on, and foreign keys that refer to it are dropped or make the migration fail",
        "add the new key in the same migration, then acknowledge it: -- drizzle-pilot-ignore drop-primary-key";
    DROP_CASCADE = "drop-cascade", Lint, Nothing, Error,
        "an extension, a function or a similar object is dropped with everything that depends on it",
        "columns, defaults, indexes and views that use it are dropped as well, with their values, and the statement names none of them",
        "drop or change what depends on it by name, and omit CASCADE; then only named objects are dropped";
    DROP_OWNED = "drop-owned", Lint, Nothing, Error,
        "everything that a role owns is dropped",
        "all tables of the role are dropped with their rows, and its privileges are revoked",
        "reassign them to another role first: REASSIGN OWNED BY … TO …";
    DETACH_PARTITION = "detach-partition", Lint, Table, Warning,
        "a table is detached from its parent table",
        "its rows are no longer visible in the parent table",
        "detach it when no program reads them there, then acknowledge it: -- drizzle-pilot-ignore detach-partition";
    LOSSY_REBUILD = "lossy-rebuild", Lint, Table, Error,
        "a table of SQLite is rebuilt, and rows that refer to it are deleted or changed with it",
        "PRAGMA foreign_keys=OFF has no effect inside a transaction, in which drizzle's migrator runs the file with most drivers (better-sqlite3, bun:sqlite, D1), so DROP TABLE deletes the rows one by one, and the foreign keys of other tables take effect",
        "switch foreign keys off before calling the migrator, and on after it; or first rebuild the tables that refer to this one, without ON DELETE, and restore their keys in a later migration";
    MISSING_COLUMN = "missing-column", Lint, Column, Error,
        "rows of a table of SQLite are copied with a column that it does not have",
        "SQLite treats an unknown name in double quotes as a string, and writes it into every row; better-sqlite3 and libSQL are built without that, and the migration fails (no such column). drizzle-kit writes such a copy when a column is added to a table that it rebuilds",
        "remove the column from both lists of the INSERT, or select what belongs there: NULL, a value, an expression";
    UNFINISHED_REBUILD = "unfinished-rebuild", Lint, Table, Error,
        "a table of SQLite that was created to replace another is left over",
        "the table that it should replace is missing or unchanged, and the next rebuild fails because the name is taken",
        "finish it in the same migration: copy the rows, drop the old table, rename the new one";
    DYNAMIC_SQL = "dynamic-sql", Lint, Nothing, Warning,
        "a migration runs code that cannot be analysed",
        "its effect on the data is unknown: it was not checked",
        "write the statements out if possible; otherwise review it carefully, then acknowledge it: -- drizzle-pilot-ignore dynamic-sql";
    TRUNCATE = "truncate", Lint, Table, Error,
        "a table is emptied",
        "its rows are lost in every database that runs this, and with CASCADE those of every table that refers to it",
        "delete only what is intended, with a condition; or acknowledge it: -- drizzle-pilot-ignore truncate";
    DELETE_ROWS = "delete-rows", Lint, Table, Warning,
        "rows are deleted",
        "they are lost in every database that runs this",
        "review the condition carefully, then acknowledge it: -- drizzle-pilot-ignore delete-rows";
    RECREATE_ENUM = "recreate-enum", Lint, Type, Error,
        "an enum is dropped and created again",
        "the migration fails if a row holds a value that the new enum lacks, and every column of the enum is converted to text and back",
        "rename the old type, create the new one, change the columns with USING (CASE \"column\"::text WHEN 'old' THEN 'new' ELSE \"column\"::text END)::\"type\", and drop the old one";
    ENUM_VALUE_IN_FILE = "enum-value-in-file", Lint, Nothing, Error,
        "a value is added to an enum and used in the same file",
        "PostgreSQL allows the use of a new value only after a commit, and drizzle runs the file in one transaction (55P04)",
        "move what uses the value to a separate migration, and apply them one after the other";
    ENUM_VALUE_IN_RUN = "enum-value-in-run", Lint, Nothing, Warning,
        "a value is used that an earlier migration adds to an enum",
        "drizzle-kit applies all pending migrations in one transaction, in which the new value cannot be used (55P04): a new database cannot be built in one run",
        "apply the migrations one after the other, as `drizzle-pilot migrate` does";
    ADD_REQUIRED_COLUMN = "add-required-column", Lint, Column, Error,
        "a column is added as NOT NULL without a default",
        "it fails if the table has rows",
        "add it with a default, or add it without NOT NULL, fill it, and then set NOT NULL";
    SET_NOT_NULL = "set-not-null", Lint, Column, Warning,
        "a column becomes NOT NULL, and nothing fills it",
        "it fails if a row holds NULL, and blocks the table while all rows are read",
        "fill the column before, in the same migration: UPDATE … SET … WHERE … IS NULL";
    ADD_UNIQUE = "add-unique", Lint, Table, Warning,
        "values of a table that may have rows must be unique from now on",
        "it fails if they are not",
        "find duplicates first (GROUP BY … HAVING count(*) > 1), and delete or change them in the same migration";
    NULL_ON_DELETE = "null-on-delete", Lint, Column, Warning,
        "a foreign key sets a NOT NULL column to NULL",
        "every DELETE of a referenced row fails (23502)",
        "allow NULL in the column, or write ON DELETE CASCADE or RESTRICT";
    NARROWER_TYPE = "narrower-type", Lint, Column, Warning,
        "a column gets a type that holds less than the one before",
        "it fails if a value does not fit; with an explicit cast, or in MySQL without strict mode, the value is truncated",
        "find such values first, change them in the same migration, then acknowledge it: -- drizzle-pilot-ignore narrower-type";
    CHANGE_EXPRESSION = "change-expression", Lint, Column, Warning,
        "the expression of a generated column is changed or dropped",
        "a new expression recomputes every value while nobody can use the table; without an expression, the values are kept and no longer updated",
        "if it is intended, acknowledge it: -- drizzle-pilot-ignore change-expression";
    TYPE_CHANGE_WITHOUT_USING = "type-change-without-using", Lint, Column, Warning,
        "a column changes its type without USING",
        "it fails if PostgreSQL has no implicit cast, as from text to integer",
        "specify how the values are converted: USING \"column\"::type";
    LOST_SCHEMA = "lost-schema", Lint, Column, Error,
        "a column gets a type in a schema named undefined",
        "from 0.31 on, drizzle-kit writes \"undefined\" before the type of a customType, and that schema does not exist (3F000)",
        "write the intended type, without \"undefined\"";
    NAME_TWICE = "name-twice", Lint, Any, Error,
        "two objects get the same name, which must be unique",
        "tables, views, sequences and indexes of a schema share one namespace, as do constraints with an index: the second fails (42P07)",
        "give one of them another name in the schema files, as in .unique('name'), and generate the migration again";
    OUTSIDE_TRANSACTION = "outside-transaction", Lint, Nothing, Error,
        "a statement cannot run inside drizzle's transaction",
        "drizzle runs migrations in a transaction, and PostgreSQL refuses the statement there (25001)",
        "run it by hand first, and leave a statement in the migration that then does nothing: CREATE INDEX IF NOT EXISTS without CONCURRENTLY";
    TRANSACTION_CONTROL = "transaction-control", Lint, Nothing, Error,
        "a migration begins or ends a transaction",
        "it ends drizzle's own transaction: earlier statements are kept when a later one fails, but the migrations table does not record them",
        "remove the statement, and split the migration where a commit is needed";
    BLOCKING_INDEX = "blocking-index", Lint, Table, Warning,
        "an index is built on a table that may have rows",
        "nobody can write to the table until the index is built, and drizzle's transaction cannot build it CONCURRENTLY",
        "for a large table, build it by hand with CREATE INDEX CONCURRENTLY first, and write CREATE INDEX IF NOT EXISTS here";
    REWRITE_TABLE = "rewrite-table", Lint, Table, Warning,
        "every row of a table is rewritten",
        "nobody can read or write the table until drizzle's transaction has ended",
        "run it by hand when nobody needs the table";
    LOCK_TABLE = "lock-table", Lint, Table, Warning,
        "a table is locked",
        "programs that write to it wait until all pending migrations are done, because drizzle runs them in one transaction",
        "remove it: each statement takes the lock that it needs";
    RENAME_TABLE = "rename-table", Lint, Table, Warning,
        "a table, view, sequence or schema is renamed",
        "programs that still use the old name fail",
        "rename it while no program runs, or leave a view with the old name for one release";
    RENAME_COLUMN = "rename-column", Lint, Column, Warning,
        "a column is renamed",
        "programs that still use the old name fail",
        "rename it while no program runs, or add a new column, fill both for one release, and drop the old one";
    RENAME_TYPE = "rename-type", Lint, Type, Warning,
        "a type, one of its values or one of its attributes is renamed",
        "programs that still use the old name fail",
        "rename it while no program runs, or add the new value beside the old one for one release";
    DISABLE_TRIGGER = "disable-trigger", Lint, Table, Error,
        "triggers are disabled and not enabled again",
        "foreign keys are triggers too: rows that violate them are accepted, and the work of the triggers is not done",
        "enable them again in the same migration: ENABLE TRIGGER";
    DISABLE_RLS = "disable-rls", Lint, Table, Error,
        "row level security is disabled",
        "every role that may read the table sees all of its rows",
        "keep it enabled, or acknowledge it: -- drizzle-pilot-ignore disable-rls";
    DROP_POLICY = "drop-policy", Lint, Policy, Warning,
        "a row level security policy is dropped",
        "rows appear or disappear for the roles that it was for",
        "create its replacement in the same migration, then acknowledge it: -- drizzle-pilot-ignore drop-policy";
    ALTER_POLICY = "alter-policy", Lint, Policy, Warning,
        "a row level security policy is changed",
        "rows appear or disappear for the roles that it is for",
        "compare both conditions, then acknowledge it: -- drizzle-pilot-ignore alter-policy";
    GRANT = "grant", Lint, Any, Warning,
        "a role gets more rights",
        "whoever has the role can read or change what it could not before, and no policy restricts a role with BYPASSRLS or SUPERUSER",
        "make sure that the role needs it, then acknowledge it: -- drizzle-pilot-ignore grant";
    UNKNOWN_IGNORE = "unknown-ignore", Lint, Nothing, Warning,
        "an ignore comment names a rule that does not exist",
        "it ignores nothing",
        "correct the name, or remove the comment";

    FORGOTTEN_MIGRATION = "forgotten-migration", Drift, Nothing, Error,
        "the schema files differ from the last snapshot",
        "databases built by the migrations lack changes in the schema files",
        "run `drizzle-kit generate`, and commit the migration with the schema";
    DATABASE_DRIFT = "database-drift", Drift, Nothing, Error,
        "the database differs from what its migrations create",
        "it was changed by hand or by a push, so the next migration may fail there, and no other database has the change",
        "put the change into a migration, or revert it; `drizzle-pilot sync` then verifies that both are equal";
    SCHEMA_DRIFT = "schema-drift", Drift, Nothing, Error,
        "the database differs from the schema files",
        "the program expects the schema of the schema files, and the next push would run this",
        "apply pending migrations (`drizzle-pilot migrate`), or generate the missing one; if the database was changed by hand, revert that or put it into the schema files";
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
