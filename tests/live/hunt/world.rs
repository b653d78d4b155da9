//! Schemas that nobody chose: what a database has, what schema files declare instead, and what else hangs on it.

use std::fmt::Write as _;

use crate::support::Random;

/// Schemas that the config names. `outside` is not among them.
pub(super) const SCHEMAS: [&str; 2] = ["public", "app"];
pub(super) const OUTSIDE: &str = "outside";
/// Rows of writers have ids from here on.
pub(super) const LATE: u32 = 1_000_000;

/// What a drizzle-kit can declare.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Policies, checks, generated columns, identities, sequences and views, which came with 0.22 to 0.27.
    pub(super) has_new: bool,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) tables: Vec<Table>,
    pub(super) enums: Vec<Enum>,
    pub(super) sequences: Vec<Named>,
    pub(super) views: Vec<View>,
}

/// A schema and a name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) schema: &'static str,
    pub(super) name: String,
}

#[derive(Debug, Clone)]
pub(super) struct Enum {
    pub(super) of: Named,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct View {
    of: Named,
    table: Named,
    columns: Vec<Column>,
    is_kept: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) of: Named,
    pub(super) columns: Vec<Column>,
    /// Name, column, whether it is unique.
    indexes: Vec<(String, String, bool)>,
    uniques: Vec<(String, String)>,
    checks: Vec<(String, String)>,
    /// Name, column, and the table whose id it refers to.
    keys: Vec<(String, String, Named)>,
    policies: Vec<String>,
    has_rls: bool,
    n_rows: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) of: Of,
    is_required: bool,
    has_default: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Of {
    /// The primary key of every table.
    Id,
    Integer,
    Bigint,
    Text,
    Varchar(u32),
    Boolean,
    Timestamp,
    Numeric,
    Uuid,
    Jsonb,
    Integers,
    Enum(Named),
    Serial,
    Identity,
    /// From a column of text.
    Generated(String),
    /// To the id of a table.
    Reference,
}

/// Quotes a name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn ts(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

impl Named {
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", quoted(self.schema), quoted(&self.name))
    }
}

impl Random {
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// Makes a name that no other has.
    fn name(&mut self, stem: &str) -> String {
        let n = self.below(1_000_000);
        match self.below(24) {
            0 => format!("{stem} {n}"),
            1 => format!("{stem}.{n}"),
            2 => format!("{}{n}", stem.to_uppercase()),
            3 => format!("größe_{stem}_{n}"),
            4 => format!("{stem}_{n}_{}", "x".repeat(44)),
            5 => format!("{stem}-{n}"),
            6 => format!("undefined_{stem}_{n}"),
            7 if self.chance(30) => format!("{stem}'{n}"),
            8 => format!("{stem}*{n}"),
            _ => format!("{stem}_{n}"),
        }
    }

    fn named(&mut self, stem: &str) -> Named {
        let schema = if self.chance(70) { SCHEMAS[0] } else { SCHEMAS[1] };
        Named { schema, name: self.name(stem) }
    }
}

impl World {
    pub(super) fn new(random: &mut Random, words: Words) -> World {
        let mut world = World { tables: Vec::new(), enums: Vec::new(), sequences: Vec::new(), views: Vec::new() };
        for _ in 0..random.below(3) {
            world
                .enums
                .push(Enum { of: random.named("mood"), values: ["low", "mid", "high"].map(str::to_owned).into() });
        }
        for _ in 0..2 + random.below(3) {
            let table = Table::new(random, words, &world);
            world.tables.push(table);
        }
        if words.has_new {
            for _ in 0..random.below(2) {
                world.sequences.push(random.named("counter"));
            }
            if random.chance(20) {
                let table = random.one_of(&world.tables);
                let (table, columns) = (table.of.clone(), table.columns[..2].to_vec());
                world.views.push(View { of: random.named("shown"), table, columns, is_kept: random.chance(40) });
            }
        }
        world
    }

    /// Returns what makes the world, with its rows.
    pub(super) fn sql(&self) -> String {
        let mut sql = format!("CREATE SCHEMA {}; CREATE SCHEMA {OUTSIDE};\n", SCHEMAS[1]);
        for Enum { of, values } in &self.enums {
            let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
            let _ = writeln!(sql, "CREATE TYPE {} AS ENUM ({});", of.sql(), values.join(", "));
        }
        for of in &self.sequences {
            let _ = writeln!(sql, "CREATE SEQUENCE {}; SELECT setval({}::regclass, 41);", of.sql(), literal(&of.sql()));
        }
        for table in &self.tables {
            sql += &table.sql();
        }
        for table in &self.tables {
            for (name, column, to) in &table.keys {
                let _ = writeln!(
                    sql,
                    "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} (\"id\");",
                    table.of.sql(),
                    quoted(name),
                    quoted(column),
                    to.sql()
                );
            }
        }
        for View { of, table, columns, is_kept } in &self.views {
            let columns: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
            let kind = if *is_kept { "MATERIALIZED VIEW" } else { "VIEW" };
            let _ = writeln!(sql, "CREATE {kind} {} AS SELECT {} FROM {};", of.sql(), columns.join(", "), table.sql());
        }
        sql
    }

    /// Returns the schema file that declares the world.
    pub(super) fn schema(&self, words: Words) -> String {
        let mut text = String::from("import * as pg from 'drizzle-orm/pg-core';\nimport { sql } from 'drizzle-orm';\n");
        let _ = writeln!(text, "export const app = pg.pgSchema('{}');", SCHEMAS[1]);
        let make = |of: &Named, kind: &str| {
            if of.schema == "public" { format!("pg.pg{kind}") } else { format!("app.{}", lower_first(kind)) }
        };
        for (idx, Enum { of, values }) in self.enums.iter().enumerate() {
            let values: Vec<String> = values.iter().map(|value| ts(value)).collect();
            let _ = writeln!(
                text,
                "export const e{idx} = {}({}, [{}]);",
                make(of, "Enum"),
                ts(&of.name),
                values.join(", ")
            );
        }
        for (idx, of) in self.sequences.iter().enumerate() {
            let _ = writeln!(text, "export const s{idx} = {}({});", make(of, "Sequence"), ts(&of.name));
        }
        for (idx, table) in self.tables.iter().enumerate() {
            let columns: Vec<String> =
                table.columns.iter().enumerate().map(|(idx, column)| format!("c{idx}: {}", column.ts(self))).collect();
            let mut extras = Vec::new();
            let at = |name: &str| {
                let found = table.columns.iter().position(|column| column.name == name);
                format!("t.c{}", found.expect("what uses a column goes with it"))
            };
            for (name, column, is_unique) in &table.indexes {
                let kind = if *is_unique { "uniqueIndex" } else { "index" };
                extras.push(format!("pg.{kind}({}).on({})", ts(name), at(column)));
            }
            for (name, column) in &table.uniques {
                extras.push(format!("pg.unique({}).on({})", ts(name), at(column)));
            }
            for (name, column, to) in &table.keys {
                let to = self.tables.iter().position(|table| table.of == *to).expect("keys lead somewhere");
                extras.push(format!(
                    "pg.foreignKey({{ name: {}, columns: [{}], foreignColumns: [t{to}.c0] }})",
                    ts(name),
                    at(column)
                ));
            }
            if words.has_new {
                for (name, column) in &table.checks {
                    let check = ts(&format!("{} > 0", quoted(column)));
                    extras.push(format!("pg.check({}, sql.raw({check}))", ts(name)));
                }
                for name in &table.policies {
                    extras.push(format!("pg.pgPolicy({}, {{ for: 'select', using: sql`true` }})", ts(name)));
                }
            }
            let extras: Vec<String> =
                extras.iter().enumerate().map(|(idx, extra)| format!("x{idx}: {extra}")).collect();
            let rls = if words.has_new && table.has_rls && table.policies.is_empty() { ".enableRLS()" } else { "" };
            let _ = writeln!(
                text,
                "export const t{idx}: any = {}({}, {{\n  {}\n}}, (t: any) => ({{ {} }})){rls};",
                make(&table.of, "Table"),
                ts(&table.of.name),
                columns.join(",\n  "),
                extras.join(", ")
            );
        }
        for (idx, view) in self.views.iter().enumerate() {
            let kind = if view.is_kept { "MaterializedView" } else { "View" };
            let names: Vec<String> = view.columns.iter().map(|column| quoted(&column.name)).collect();
            let columns: Vec<String> =
                view.columns.iter().enumerate().map(|(idx, column)| format!("c{idx}: {}", column.ts(self))).collect();
            let query = ts(&format!("select {} from {}", names.join(", "), view.table.sql()));
            let _ = writeln!(
                text,
                "export const v{idx} = {}({}, {{ {} }}).as(sql.raw({query}));",
                make(&view.of, kind),
                ts(&view.of.name),
                columns.join(", ")
            );
        }
        text
    }

    /// Changes something that has to do with loss, or with the way to it, and says what.
    pub(super) fn mutate(&mut self, random: &mut Random, words: Words) -> Option<String> {
        let idx = random.below(self.tables.len() as u64) as usize;
        let column = 1 + random.below(self.tables[idx].columns.len() as u64 - 1) as usize;
        let of = self.tables[idx].of.clone();
        let name = self.tables[idx].columns[column].name.clone();
        let told = match random.below(22) {
            0 | 1 if self.tables.len() > 1 => {
                self.drop_table(&of);
                format!("table {of:?} goes")
            }
            2..=4 if self.tables[idx].columns.len() > 2 => {
                self.drop_column(idx, &name);
                format!("column {of:?} {name} goes")
            }
            5 => {
                let new = random.name("renamed");
                self.rename_table(&of, &new);
                format!("table {of:?} is called {new}")
            }
            6 | 7 => {
                let new = random.name("renamed");
                self.drop_column_uses(idx, &name);
                self.tables[idx].columns[column].name.clone_from(&new);
                format!("column {of:?} {name} is called {new}")
            }
            8 | 9 => {
                let changed = &mut self.tables[idx].columns[column];
                let to = match changed.of {
                    Of::Integer => Of::Bigint,
                    Of::Bigint => Of::Integer,
                    Of::Text => Of::Varchar(3),
                    Of::Varchar(_) => Of::Text,
                    Of::Timestamp | Of::Numeric | Of::Boolean | Of::Enum(_) | Of::Uuid => Of::Text,
                    _ => return None,
                };
                changed.of = to;
                changed.has_default = false;
                self.views.clear();
                format!("column {of:?} {name} gets another type")
            }
            10 => {
                self.tables[idx].indexes.pop()?;
                format!("an index of {of:?} goes")
            }
            11 => {
                self.tables[idx].uniques.pop()?;
                format!("a unique constraint of {of:?} goes")
            }
            12 => {
                self.tables[idx].keys.pop()?;
                format!("a foreign key of {of:?} goes")
            }
            13 if words.has_new => {
                self.tables[idx].checks.pop()?;
                format!("a check of {of:?} goes")
            }
            14 if words.has_new => {
                self.tables[idx].policies.pop()?;
                format!("a policy of {of:?} goes")
            }
            15 if words.has_new && self.tables[idx].has_rls => {
                self.tables[idx].has_rls = false;
                self.tables[idx].policies.clear();
                format!("row level security of {of:?} goes")
            }
            16 => {
                let of_enum = self.enums.iter_mut().find(|of_enum| of_enum.values.len() > 1)?;
                let value = of_enum.values.remove(1);
                format!("the enum {:?} loses {value}", of_enum.of)
            }
            17 if words.has_new => {
                let of = self.sequences.pop()?;
                format!("the sequence {of:?} goes")
            }
            18 if words.has_new => {
                let view = self.views.pop()?;
                format!("the view {:?} goes", view.of)
            }
            19 => {
                let new = Table::new(random, words, self);
                let told = format!("table {:?} comes", new.of);
                self.tables.push(new);
                told
            }
            20 => {
                let new = Column::new(random, words, self, &self.tables[idx].columns);
                let told = format!("column {of:?} {} comes", new.name);
                if new.of == Of::Reference {
                    return None;
                }
                self.tables[idx].columns.push(Column { is_required: false, ..new });
                told
            }
            21 => {
                let column = &self.tables[idx].columns[column];
                if !matches!(column.of, Of::Integer | Of::Text | Of::Uuid) {
                    return None;
                }
                let unique = (random.name("late_unique"), name.clone());
                self.tables[idx].uniques.push(unique);
                format!("{name} of {of:?} becomes unique")
            }
            _ => return None,
        };
        Some(told)
    }

    fn drop_table(&mut self, of: &Named) {
        self.tables.retain(|table| table.of != *of);
        for table in &mut self.tables {
            table.keys.retain(|(_, _, to)| to != of);
        }
        self.views.retain(|view| view.table != *of);
    }

    fn rename_table(&mut self, of: &Named, new: &str) {
        for table in &mut self.tables {
            if table.of == *of {
                new.clone_into(&mut table.of.name);
            }
            for (_, _, to) in &mut table.keys {
                if to == of {
                    new.clone_into(&mut to.name);
                }
            }
        }
        self.views.retain(|view| view.table != *of);
    }

    fn drop_column_uses(&mut self, idx: usize, name: &str) {
        let computed = Of::Generated(name.to_owned());
        while let Some(column) = self.tables[idx].columns.iter().find(|column| column.of == computed) {
            let column = column.name.clone();
            self.drop_column(idx, &column);
        }
        let table = &mut self.tables[idx];
        table.indexes.retain(|(_, column, _)| column != name);
        table.uniques.retain(|(_, column)| column != name);
        table.checks.retain(|(_, column)| column != name);
        table.keys.retain(|(_, column, _)| column != name);
        let of = table.of.clone();
        self.views.retain(|view| view.table != of || view.columns.iter().all(|column| column.name != name));
    }

    fn drop_column(&mut self, idx: usize, name: &str) {
        self.drop_column_uses(idx, name);
        self.tables[idx].columns.retain(|column| column.name != name);
    }
}

impl Table {
    fn new(random: &mut Random, words: Words, world: &World) -> Table {
        let mut columns = vec![Column { name: "id".to_owned(), of: Of::Id, is_required: true, has_default: false }];
        for _ in 0..2 + random.below(5) {
            let column = Column::new(random, words, world, &columns);
            columns.push(column);
        }
        let n_rows = *random.one_of(&[0, 1, 3, 12]);
        let mut table = Table {
            of: random.named("table"),
            columns,
            indexes: Vec::new(),
            uniques: Vec::new(),
            checks: Vec::new(),
            keys: Vec::new(),
            policies: Vec::new(),
            has_rls: words.has_new && random.chance(25),
            n_rows,
        };
        for column in &table.columns[1..] {
            let name = column.name.clone();
            if column.of == Of::Reference {
                let to = random.one_of(&world.tables).of.clone();
                table.keys.push((random.name("key"), name.clone(), to));
            }
            if matches!(column.of, Of::Integer | Of::Text) && random.chance(25) {
                table.uniques.push((random.name("unique"), name.clone()));
            }
            if words.has_new && matches!(column.of, Of::Integer | Of::Bigint) && random.chance(25) {
                table.checks.push((random.name("check"), name.clone()));
            }
            if column.of != Of::Jsonb && random.chance(25) {
                table.indexes.push((random.name("index"), name, false));
            }
        }
        if table.has_rls && random.chance(60) {
            table.policies.push(random.name("policy"));
        }
        table
    }

    fn sql(&self) -> String {
        let mut parts: Vec<String> = self.columns.iter().map(Column::sql).collect();
        for (name, column) in &self.uniques {
            parts.push(format!("CONSTRAINT {} UNIQUE ({})", quoted(name), quoted(column)));
        }
        for (name, column) in &self.checks {
            parts.push(format!("CONSTRAINT {} CHECK ({} > 0)", quoted(name), quoted(column)));
        }
        let of = self.of.sql();
        let mut sql = format!("CREATE TABLE {of} (\n  {}\n);\n", parts.join(",\n  "));
        for (name, column, is_unique) in &self.indexes {
            let unique = if *is_unique { "UNIQUE " } else { "" };
            let _ = writeln!(sql, "CREATE {unique}INDEX {} ON {of} ({});", quoted(name), quoted(column));
        }
        if self.has_rls {
            let _ = writeln!(sql, "ALTER TABLE {of} ENABLE ROW LEVEL SECURITY;");
        }
        for name in &self.policies {
            let _ = writeln!(sql, "CREATE POLICY {} ON {of} FOR SELECT USING (true);", quoted(name));
        }
        if self.n_rows > 0 {
            let _ = writeln!(sql, "{};", self.insert(1, self.n_rows));
        }
        sql
    }

    /// Returns the statement that writes rows of these numbers.
    fn insert(&self, from: u64, to: u64) -> String {
        let written: Vec<(&Column, String)> =
            self.columns.iter().filter_map(|column| Some((column, column.value()?))).collect();
        let names: Vec<String> = written.iter().map(|(column, _)| quoted(&column.name)).collect();
        let values: Vec<&str> = written.iter().map(|(_, value)| value.as_str()).collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM generate_series({from}, {to}) AS g",
            self.of.sql(),
            names.join(", "),
            values.join(", ")
        )
    }

    /// Returns a statement that writes another late row each time.
    pub(super) fn late_insert(&self) -> String {
        let late = format!("(SELECT {LATE} + coalesce(max(\"id\"), 0) % {LATE} + 1 AS g FROM {})", self.of.sql());
        self.insert(0, 0).replace("generate_series(0, 0) AS g", &format!("{late} AS late"))
    }
}

impl Column {
    fn new(random: &mut Random, words: Words, world: &World, others: &[Column]) -> Column {
        let of = match random.below(18) {
            0 | 1 => Of::Integer,
            2 => Of::Bigint,
            3 | 4 => Of::Text,
            5 => Of::Varchar(40),
            6 => Of::Boolean,
            7 => Of::Timestamp,
            8 => Of::Numeric,
            9 => Of::Uuid,
            10 => Of::Jsonb,
            11 => Of::Integers,
            12 if !world.enums.is_empty() => Of::Enum(random.one_of(&world.enums).of.clone()),
            13 => Of::Serial,
            14 if words.has_new => Of::Identity,
            15 if words.has_new => match others.iter().find(|other| other.of == Of::Text) {
                Some(other) => Of::Generated(other.name.clone()),
                None => Of::Text,
            },
            16 if !world.tables.is_empty() => Of::Reference,
            _ => Of::Text,
        };
        let has_default = matches!(of, Of::Integer | Of::Text | Of::Boolean) && random.chance(40);
        let is_required = !matches!(of, Of::Generated(_) | Of::Reference) && random.chance(30);
        Column { name: random.name("column"), of, is_required, has_default }
    }

    fn sql(&self) -> String {
        let of = match &self.of {
            Of::Id => "integer PRIMARY KEY".to_owned(),
            Of::Integer | Of::Reference => "integer".to_owned(),
            Of::Bigint => "bigint".to_owned(),
            Of::Text => "text".to_owned(),
            Of::Varchar(n) => format!("varchar({n})"),
            Of::Boolean => "boolean".to_owned(),
            Of::Timestamp => "timestamp".to_owned(),
            Of::Numeric => "numeric(10, 2)".to_owned(),
            Of::Uuid => "uuid".to_owned(),
            Of::Jsonb => "jsonb".to_owned(),
            Of::Integers => "integer[]".to_owned(),
            Of::Enum(of) => of.sql(),
            Of::Serial => "serial".to_owned(),
            Of::Identity => "integer GENERATED ALWAYS AS IDENTITY".to_owned(),
            Of::Generated(from) => format!("text GENERATED ALWAYS AS (upper({})) STORED", quoted(from)),
        };
        let default = match &self.of {
            Of::Integer if self.has_default => " DEFAULT 7",
            Of::Text if self.has_default => " DEFAULT 'x'",
            Of::Boolean if self.has_default => " DEFAULT true",
            _ => "",
        };
        let required = if self.must_be_there() { " NOT NULL" } else { "" };
        format!("{} {of}{default}{required}", quoted(&self.name))
    }

    fn must_be_there(&self) -> bool {
        (self.is_required || matches!(self.of, Of::Serial | Of::Identity)) && self.of != Of::Id
    }

    fn ts(&self, world: &World) -> String {
        let name = ts(&self.name);
        let of = match &self.of {
            Of::Id => format!("pg.integer({name}).primaryKey()"),
            Of::Integer | Of::Reference => format!("pg.integer({name})"),
            Of::Bigint => format!("pg.bigint({name}, {{ mode: 'number' }})"),
            Of::Text => format!("pg.text({name})"),
            Of::Varchar(n) => format!("pg.varchar({name}, {{ length: {n} }})"),
            Of::Boolean => format!("pg.boolean({name})"),
            Of::Timestamp => format!("pg.timestamp({name})"),
            Of::Numeric => format!("pg.numeric({name}, {{ precision: 10, scale: 2 }})"),
            Of::Uuid => format!("pg.uuid({name})"),
            Of::Jsonb => format!("pg.jsonb({name})"),
            Of::Integers => format!("pg.integer({name}).array()"),
            Of::Enum(of) => {
                let idx = world.enums.iter().position(|of_enum| of_enum.of == *of);
                format!("e{}({name})", idx.expect("no enum goes alone"))
            }
            Of::Serial => format!("pg.serial({name})"),
            Of::Identity => format!("pg.integer({name}).generatedAlwaysAsIdentity()"),
            Of::Generated(from) => {
                let expression = ts(&format!("upper({})", quoted(from)));
                format!("pg.text({name}).generatedAlwaysAs(sql.raw({expression}))")
            }
        };
        let default = match &self.of {
            Of::Integer if self.has_default => ".default(7)",
            Of::Text if self.has_default => ".default('x')",
            Of::Boolean if self.has_default => ".default(true)",
            _ => "",
        };
        let required = if self.must_be_there() && self.of != Of::Serial { ".notNull()" } else { "" };
        format!("{of}{default}{required}")
    }

    /// Returns the value of row `g`; none where the server gives it.
    fn value(&self) -> Option<String> {
        let value = match &self.of {
            Of::Id => "g",
            Of::Integer => "g * 3",
            Of::Bigint => "g * 5",
            Of::Text | Of::Varchar(_) => "'value ' || g",
            Of::Boolean => "g % 2 = 0",
            Of::Timestamp => "timestamp '2024-01-01' + g * interval '1 second'",
            Of::Numeric => "g + 0.25",
            Of::Uuid => "md5(g::text)::uuid",
            Of::Jsonb => "jsonb_build_object('n', g)",
            Of::Integers => "ARRAY[g, g + 1]::integer[]",
            Of::Enum(of) => return Some(format!("'low'::{}", of.sql())),
            Of::Reference => "NULL::integer",
            Of::Serial | Of::Identity | Of::Generated(_) => return None,
        };
        let may_be_null = !self.is_required && self.of != Of::Id && self.of != Of::Reference;
        Some(if may_be_null { format!("CASE WHEN g % 4 <> 0 THEN {value} END") } else { value.to_owned() })
    }
}

fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), chars.as_str()))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns statements that hang something on a world which no schema file declares.
pub(super) fn hangers(world: &World, random: &mut Random) -> Vec<String> {
    let mut made = Vec::new();
    for n in 0..random.below(5) {
        let table = random.one_of(&world.tables);
        let of = table.of.sql();
        let column = quoted(&random.one_of(&table.columns).name);
        let sql = match random.below(17) {
            0 => format!("CREATE VIEW outside.v{n} AS SELECT {column} AS c FROM {of}"),
            1 => format!("CREATE MATERIALIZED VIEW outside.m{n} AS SELECT {column} AS c FROM {of}"),
            2 => format!("CREATE TABLE outside.f{n} (r integer REFERENCES {of} (\"id\"))"),
            3 => format!(
                "CREATE FUNCTION outside.s{n}() RETURNS SETOF {of} LANGUAGE sql AS {}",
                literal(&format!("SELECT * FROM {of}"))
            ),
            4 => format!(
                "CREATE TABLE outside.l{n} (c text);
                 CREATE RULE r{n} AS ON DELETE TO outside.l{n} DO ALSO SELECT {column} FROM {of}"
            ),
            5 => format!(
                "CREATE FUNCTION outside.g{n}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                 CREATE TRIGGER g{n} AFTER UPDATE OF {column} ON {of} FOR EACH ROW EXECUTE FUNCTION outside.g{n}()"
            ),
            6 if table.columns.len() > 2 => {
                let other = quoted(&table.columns[1].name);
                if other == column || matches!(table.columns[1].of, Of::Jsonb | Of::Generated(_)) {
                    continue;
                }
                format!("CREATE STATISTICS outside.st{n} ON {column}, {other} FROM {of}")
            }
            7 => format!("CREATE PUBLICATION p{n} FOR TABLE {of}"),
            8 => format!("CREATE PUBLICATION pc{n} FOR TABLE {of} (\"id\", {column})")
                .replace("\"id\", \"id\"", "\"id\""),
            9 => format!("CREATE TABLE outside.i{n} () INHERITS ({of})"),
            10 => format!("CREATE TYPE outside.c{n} AS (a integer, r {of})"),
            11 => format!("CREATE TABLE outside.w{n} (r {of})"),
            12 => match world.enums.first() {
                Some(of_enum) => format!(
                    "CREATE TABLE outside.e{n} (e {0} DEFAULT 'mid'); INSERT INTO outside.e{n} VALUES ('mid');
                     CREATE DOMAIN outside.d{n} AS {0}",
                    of_enum.of.sql()
                ),
                None => continue,
            },
            13 => match world.sequences.first() {
                Some(of) => {
                    let name = literal(&of.sql());
                    format!("CREATE TABLE outside.n{n} (n integer DEFAULT nextval({name}::regclass))")
                }
                None => continue,
            },
            14 => format!(
                "CREATE TABLE outside.o{n} (id integer); ALTER TABLE outside.o{n} ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY o{n} ON outside.o{n} USING (EXISTS (SELECT {column} FROM {of}))"
            ),
            15 => format!(
                "CREATE TABLE outside.k{n} (id integer, r integer REFERENCES {of} (\"id\")) PARTITION BY RANGE (id);
                 CREATE TABLE outside.k{n}_1 PARTITION OF outside.k{n} FOR VALUES FROM (0) TO (10)"
            ),
            _ => format!(
                "CREATE VIEW outside.a{n} AS SELECT {column} AS c FROM {of}; CREATE VIEW outside.b{n} AS SELECT c FROM outside.a{n}"
            ),
        };
        made.push(sql);
    }
    made
}
