//! The closed list of hazards: why a statement, or what drizzle-kit announces, needs consent.

use std::fmt;

/// A reason why something needs consent. The names are those of the policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hazard {
    DropSchema,
    DropTable,
    DropColumn,
    DropView,
    DropSequence,
    DropType,
    RecreateEnum,
    Truncate,
    ChangeType,
    DropPrimaryKey,
    DeleteRows,
    ClearColumn,
    DisableRls,
    DropPolicy,
    AlterPolicy,
    DropRole,
    Grant,
    Revoke,
    Unclassified,
    AddNotNull,
    AddUnique,
    AddForeignKey,
    AddCheck,
    AddPrimaryKey,
    BuildIndex,
    RewriteTable,
    RebuildTable,
    RenameTable,
    RenameColumn,
    RenameType,
    DropIndex,
    DropConstraint,
    DropDefault,
}

/// A group of hazards that share a default and may be named as one in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    DataLoss,
    Access,
    Unknown,
    MayFail,
    Blocking,
    Breaking,
}

/// What the names in a limit of a hazard stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Schema,
    Table,
    Column,
    View,
    Sequence,
    Type,
    Index,
    /// A constraint of a table.
    Constraint,
    /// A row level security policy of a table.
    Policy,
    Role,
    /// Objects of different kinds.
    Any,
    /// The hazard names no object.
    Nothing,
}

/// What is known about a hazard.
struct Row {
    hazard: Hazard,
    name: &'static str,
    class: Class,
    object: Object,
    meaning: &'static str,
}

const fn row(hazard: Hazard, name: &'static str, class: Class, object: Object, meaning: &'static str) -> Row {
    Row { hazard, name, class, object, meaning }
}

/// Every hazard, in the order of the documentation.
#[rustfmt::skip]
const TABLE: [Row; 33] = [
    row(Hazard::DropSchema, "drop_schema", Class::DataLoss, Object::Schema, "a schema is dropped, with everything in it"),
    row(Hazard::DropTable, "drop_table", Class::DataLoss, Object::Table, "a table is dropped, empty or not"),
    row(Hazard::DropColumn, "drop_column", Class::DataLoss, Object::Column, "a column is dropped"),
    row(Hazard::DropView, "drop_view", Class::DataLoss, Object::View, "a view is dropped, materialised or not"),
    row(Hazard::DropSequence, "drop_sequence", Class::DataLoss, Object::Sequence, "a sequence is dropped, together with its position"),
    row(Hazard::DropType, "drop_type", Class::DataLoss, Object::Type, "a type is dropped"),
    row(Hazard::RecreateEnum, "recreate_enum", Class::DataLoss, Object::Type, "an enum is dropped and created again, usually without a value"),
    row(Hazard::Truncate, "truncate", Class::DataLoss, Object::Table, "a table is emptied"),
    row(Hazard::ChangeType, "change_type", Class::DataLoss, Object::Column, "a column changes its type"),
    row(Hazard::DropPrimaryKey, "drop_primary_key", Class::DataLoss, Object::Table, "a table loses its primary key, perhaps permanently"),
    row(Hazard::DeleteRows, "delete_rows", Class::DataLoss, Object::Table, "rows are deleted"),
    row(Hazard::ClearColumn, "clear_column", Class::DataLoss, Object::Column, "values of a column are replaced by NULL or its default, because the rows that they refer to are deleted"),
    row(Hazard::DisableRls, "disable_rls", Class::Access, Object::Table, "row level security is disabled"),
    row(Hazard::DropPolicy, "drop_policy", Class::Access, Object::Policy, "a row level security policy is dropped"),
    row(Hazard::AlterPolicy, "alter_policy", Class::Access, Object::Policy, "a row level security policy is changed"),
    row(Hazard::DropRole, "drop_role", Class::Access, Object::Role, "a role is dropped"),
    row(Hazard::Grant, "grant", Class::Access, Object::Any, "a privilege is granted"),
    row(Hazard::Revoke, "revoke", Class::Access, Object::Any, "a privilege is revoked"),
    row(Hazard::Unclassified, "unclassified", Class::Unknown, Object::Nothing, "its effect is unknown"),
    row(Hazard::AddNotNull, "add_not_null", Class::MayFail, Object::Column, "fails if the column holds NULL"),
    row(Hazard::AddUnique, "add_unique", Class::MayFail, Object::Table, "fails if values repeat"),
    row(Hazard::AddForeignKey, "add_foreign_key", Class::MayFail, Object::Table, "fails if a referenced row is missing"),
    row(Hazard::AddCheck, "add_check", Class::MayFail, Object::Table, "fails if a row violates it"),
    row(Hazard::AddPrimaryKey, "add_primary_key", Class::MayFail, Object::Table, "fails if values repeat or are NULL"),
    row(Hazard::BuildIndex, "build_index", Class::Blocking, Object::Table, "blocks writes while the index is built"),
    row(Hazard::RewriteTable, "rewrite_table", Class::Blocking, Object::Table, "blocks everything while the table is rewritten"),
    row(Hazard::RebuildTable, "rebuild_table", Class::Blocking, Object::Table, "a table is rebuilt under another name and replaces the old one"),
    row(Hazard::RenameTable, "rename_table", Class::Breaking, Object::Table, "breaks running programs that use the old name"),
    row(Hazard::RenameColumn, "rename_column", Class::Breaking, Object::Column, "breaks running programs that use the old name"),
    row(Hazard::RenameType, "rename_type", Class::Breaking, Object::Type, "breaks running programs that use the old name"),
    row(Hazard::DropIndex, "drop_index", Class::Breaking, Object::Index, "slows down queries that used the index"),
    row(Hazard::DropConstraint, "drop_constraint", Class::Breaking, Object::Constraint, "allows values that the constraint rejected"),
    row(Hazard::DropDefault, "drop_default", Class::Breaking, Object::Column, "breaks programs that omit the value"),
];

impl Hazard {
    /// Returns every hazard, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Hazard> {
        TABLE.iter().map(|row| row.hazard)
    }

    /// Returns the name used in the policy file and in reports.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the class whose default applies where no rule names this hazard.
    pub fn class(self) -> Class {
        self.row().class
    }

    /// Returns what the names in a limit of this hazard stand for.
    pub fn object(self) -> Object {
        self.row().object
    }

    /// Returns what happens, as the documentation says it.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// Finds a hazard by its name in the policy file.
    pub fn from_name(name: &str) -> Option<Hazard> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.hazard)
    }

    fn row(self) -> &'static Row {
        // The table is in the order of the enum; a test holds it so.
        &TABLE[self as usize]
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: [Class; 6] =
        [Class::DataLoss, Class::Access, Class::Unknown, Class::MayFail, Class::Blocking, Class::Breaking];

    /// Returns the name used in the policy file. `unknown` stands for no kind of its own and is never a key there.
    pub fn name(self) -> &'static str {
        match self {
            Class::DataLoss => "data_loss",
            Class::Access => "access",
            Class::Unknown => "unknown",
            Class::MayFail => "may_fail",
            Class::Blocking => "blocking",
            Class::Breaking => "breaking",
        }
    }

    /// Finds a class by its name in the policy file.
    pub fn from_name(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Returns the kinds of this class, in the order of the documentation.
    pub fn kinds(self) -> impl Iterator<Item = Hazard> {
        Hazard::all().filter(move |hazard| hazard.class() == self)
    }

    /// Tells whether a hazard of this class is refused where no rule names it.
    pub fn refused_by_default(self) -> bool {
        match self {
            Class::DataLoss | Class::Access | Class::Unknown => true,
            Class::MayFail | Class::Blocking | Class::Breaking => false,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (row_idx, row) in TABLE.iter().enumerate() {
            assert_eq!(row.hazard as usize, row_idx, "{}", row.name);
        }
        // `DropDefault` is the last variant: the table is as long as the enum.
        assert_eq!(TABLE.len(), Hazard::DropDefault as usize + 1);
    }

    #[test]
    fn every_name_leads_back_to_what_it_names() {
        for hazard in Hazard::all() {
            assert_eq!(Hazard::from_name(hazard.name()), Some(hazard));
        }
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
            assert!(Hazard::from_name(class.name()).is_none(), "a class and a kind share the name {class}");
        }
    }

    #[test]
    fn every_hazard_belongs_to_one_class() {
        assert_eq!(Class::ALL.into_iter().flat_map(Class::kinds).count(), Hazard::all().count());
    }
}
