//! Types as statements and snapshots write them: which becomes which without being told how, and which holds less.
//!
//! The casts are those of PostgreSQL's catalog (`pg_cast`, 13 to 18). A type of an extension is not judged.

use std::fmt;

use sqlparser::ast::{CharacterLength, DataType, ExactNumberInfo};
use sqlparser::dialect::{Dialect as Grammar, MySqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind as K, SyntaxNode};

use crate::sql::dialect::Dialect;
use crate::sql::name::{ObjectName, PUBLIC};
use crate::sql::postgres;

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlType {
    /// As PostgreSQL's manual names it, in lower case: `integer`, `varchar`, `timestamptz`. The whole name of a type of the
    /// project's own.
    pub name: String,
    /// Its length, or precision and scale.
    pub sizes: Vec<u64>,
    /// How many dimensions it has as an array, counted as one at most: PostgreSQL does not tell them apart.
    pub is_array: bool,
    /// Its whole name, where a statement may mean a type that was created.
    pub own: Option<ObjectName>,
    is_unsigned: bool,
}

/// The names of one type, the first of which is the manual's.
const NAMES: [&[&str]; 18] = [
    &["smallint", "int2", "smallserial", "serial2"],
    &["integer", "int", "int4", "serial", "serial4"],
    &["bigint", "int8", "bigserial", "serial8"],
    &["numeric", "decimal", "dec"],
    &["real", "float4"],
    &["double precision", "float8", "double", "float"],
    &["boolean", "bool"],
    &["varchar", "character varying"],
    &["char", "character", "bpchar"],
    &["bit"],
    &["varbit", "bit varying"],
    &["timestamp", "timestamp without time zone"],
    &["timestamptz", "timestamp with time zone"],
    &["time", "time without time zone"],
    &["timetz", "time with time zone"],
    &["text"],
    &["date"],
    &["interval"],
];

/// Types of PostgreSQL that the casts below speak of, or that have no cast to another that is made without being told.
const OTHERS: [&str; 22] = [
    "uuid", "json", "jsonb", "bytea", "money", "inet", "cidr", "macaddr", "macaddr8", "xml", "name", "oid", "tsvector",
    "tsquery", "point", "line", "box", "circle", "path", "polygon", "lseg", "jsonpath",
];

/// What PostgreSQL takes for a string: every type becomes one of them in an assignment.
const STRINGS: [&str; 4] = ["text", "varchar", "char", "name"];
const NUMBERS: [&str; 6] = ["smallint", "integer", "bigint", "numeric", "real", "double precision"];

/// Casts that an assignment makes, beside those between numbers and those to strings.
const ASSIGNED: [(&str, &[&str]); 16] = [
    ("date", &["timestamp", "timestamptz"]),
    ("timestamp", &["date", "time", "timestamptz"]),
    ("timestamptz", &["date", "time", "timetz", "timestamp"]),
    ("time", &["interval", "timetz"]),
    ("timetz", &["time"]),
    ("interval", &["time"]),
    ("json", &["jsonb"]),
    ("jsonb", &["json"]),
    ("cidr", &["inet"]),
    ("inet", &["cidr"]),
    ("macaddr", &["macaddr8"]),
    ("macaddr8", &["macaddr"]),
    ("bit", &["varbit"]),
    ("varbit", &["bit"]),
    ("money", &["numeric"]),
    ("box", &["point", "circle", "polygon"]),
];

impl SqlType {
    /// Reads a type, as a column of a snapshot or of a statement has it.
    pub fn read(text: &str, dialect: Dialect) -> Option<SqlType> {
        match dialect {
            Dialect::Postgres => {
                let parse = SourceFile::parse(&format!("SELECT NULL::{text}"));
                if !parse.errors().is_empty() {
                    return None;
                }
                let root = parse.syntax_node();
                let cast = root.descendants().find(|node| node.kind() == K::CAST_EXPR)?;
                // Nothing else stands behind it.
                if cast.text_range().end() != root.text_range().end() {
                    return None;
                }
                cast.children().find_map(|node| SqlType::of_node(&node))
            }
            Dialect::MySql | Dialect::SingleStore => of_text(text, &MySqlDialect {}),
            Dialect::Sqlite | Dialect::Turso => of_text(text, &SQLiteDialect {}),
        }
    }

    /// Reads the node of a type.
    pub(super) fn of_node(node: &SyntaxNode) -> Option<SqlType> {
        let words = |node: &SyntaxNode| {
            let tokens = node.children_with_tokens().filter_map(SyntaxElement::into_token);
            let words = tokens.filter(|token| !token.kind().is_trivia()).map(|token| token.text().to_ascii_lowercase());
            words.filter(|word| word.chars().all(char::is_alphabetic) && word != "setof").collect::<Vec<_>>().join(" ")
        };
        let child = |kind| node.children().find(|child| child.kind() == kind);
        let zone = || match child(K::WITH_TIMEZONE) {
            Some(_) => "tz",
            None => "",
        };
        let (name, own) = match node.kind() {
            K::ARRAY_TYPE => {
                let element = node.children().find_map(|child| SqlType::of_node(&child))?;
                return Some(SqlType { is_array: true, ..element });
            }
            K::PATH_TYPE => {
                let path = postgres::relation(&child(K::PATH_REF)?)?;
                match canonical(path.last()).filter(|_| matches!(path.parts()[0].as_str(), PUBLIC | "pg_catalog")) {
                    Some(name) => (name.to_owned(), None),
                    None => (path.to_string(), Some(path)),
                }
            }
            K::VARCHAR_TYPE => ("varchar".to_owned(), None),
            K::CHARACTER_TYPE => ("char".to_owned(), None),
            K::BIT_TYPE => ("bit".to_owned(), None),
            K::BIT_VARYING_TYPE => ("varbit".to_owned(), None),
            K::DOUBLE_TYPE => ("double precision".to_owned(), None),
            K::INTERVAL_TYPE => ("interval".to_owned(), None),
            K::TIME_TYPE | K::TIMESTAMP_TYPE => {
                let word = words(node).split(' ').next().unwrap_or_default().to_owned();
                (word + zone(), None)
            }
            _ => return None,
        };
        let sizes = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
        let sizes = sizes.filter(|token| token.kind() == K::INT_NUMBER).filter_map(|token| token.text().parse().ok());
        let mut sizes: Vec<u64> = sizes.collect();
        if name == "char" && sizes.is_empty() {
            sizes.push(1);
        }
        Some(SqlType { name, sizes, is_array: false, own, is_unsigned: false })
    }

    fn element(&self) -> SqlType {
        SqlType { is_array: false, ..self.clone() }
    }

    fn is_known(&self) -> bool {
        self.own.is_none()
    }

    /// Tells whether it is one of those that every value becomes in an assignment.
    pub fn is_string(&self) -> bool {
        !self.is_array && STRINGS.contains(&self.name.as_str())
    }

    /// Tells whether a value of this type becomes one of another in an assignment of PostgreSQL, as `ALTER COLUMN … TYPE`
    /// without `USING` needs it; none where that is not known.
    pub fn becomes(&self, to: &SqlType) -> Option<bool> {
        if self.name == to.name && self.is_array == to.is_array {
            return Some(true);
        }
        if to.is_string() {
            return Some(true);
        }
        match (self.is_array, to.is_array) {
            (true, true) => return self.element().becomes(&to.element()),
            (false, true) | (true, false) if self.is_known() && to.is_known() => return Some(false),
            (false, true) | (true, false) => return None,
            (false, false) => {}
        }
        if !self.is_known() || !to.is_known() {
            return None;
        }
        let (from, to) = (self.name.as_str(), to.name.as_str());
        let both = |names: &[&str]| names.contains(&from) && names.contains(&to);
        if both(&STRINGS) || both(&NUMBERS) {
            return Some(true);
        }
        // PostgreSQL 13 and later: numbers to money, and whole numbers to oid.
        if (to == "money" && ["integer", "bigint", "numeric"].contains(&from))
            || (to == "oid" && ["smallint", "integer", "bigint"].contains(&from))
            || (from == "oid" && ["integer", "bigint"].contains(&to))
        {
            return Some(true);
        }
        Some(ASSIGNED.iter().any(|(before, after)| *before == from && after.contains(&to)))
    }

    /// Says what of this type's values another cannot hold; none where it holds all, or that is not known.
    pub fn loses(&self, to: &SqlType) -> Option<String> {
        if self.is_array != to.is_array {
            return None;
        }
        if let (Some(before), Some(after)) = (self.characters(), to.characters()) {
            return (after < before).then(|| format!("values of more than {}", counted(after, &to.unit())));
        }
        if let (Some(before), Some(after)) = (self.range(), to.range()) {
            return (after.0 > before.0 || after.1 < before.1).then(|| "values out of its range".to_owned());
        }
        let (from, name) = (self.name.as_str(), to.name.as_str());
        let floats = ["real", "double precision"];
        match (from, name) {
            ("numeric", "numeric") => {
                let (digits, scale) = (self.digits(), to.digits());
                match (digits, scale) {
                    (_, None) => None,
                    (None, Some(_)) => Some("digits".to_owned()),
                    (Some((before, before_scale)), Some((after, after_scale))) => {
                        if after_scale < before_scale {
                            Some(match after_scale {
                                0 => "digits after the decimal point".to_owned(),
                                n => format!("more than {} after the decimal point", counted(n, "digit")),
                            })
                        } else {
                            (after.saturating_sub(after_scale) < before.saturating_sub(before_scale))
                                .then(|| "values out of its range".to_owned())
                        }
                    }
                }
            }
            ("numeric", _) if to.range().is_some() => match self.digits() {
                Some((digits, 0))
                    if to.range().is_some_and(|(_, most)| 10i128.pow(digits.min(37) as u32) - 1 <= most) =>
                {
                    None
                }
                Some((_, 0)) => Some("values out of its range".to_owned()),
                _ => Some("digits after the decimal point".to_owned()),
            },
            (from, _) if floats.contains(&from) && to.range().is_some() => {
                Some("digits after the decimal point".to_owned())
            }
            ("double precision" | "numeric", "real") => Some("digits".to_owned()),
            ("timestamp" | "timestamptz" | "datetime", "date") => Some("the time of day".to_owned()),
            ("timestamp" | "timestamptz" | "datetime", "time" | "timetz") => Some("the day".to_owned()),
            (from, to_name)
                if from == to_name
                    && ["timestamp", "timestamptz", "time", "timetz", "interval", "datetime"].contains(&from) =>
            {
                let default = if self.is_from_mysql() { 0 } else { 6 };
                let of = |sizes: &[u64]| sizes.first().copied().unwrap_or(default);
                (of(&to.sizes) < of(&self.sizes)).then(|| "parts of a second".to_owned())
            }
            _ => None,
        }
    }

    fn is_from_mysql(&self) -> bool {
        self.name == "datetime"
    }

    fn unit(&self) -> String {
        match self.name.as_str() {
            "bit" | "varbit" => "bit",
            "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob" => "byte",
            _ => "character",
        }
        .to_owned()
    }

    /// How many characters, bits or bytes it holds; none for what is no string.
    fn characters(&self) -> Option<u64> {
        let own = self.sizes.first().copied();
        match self.name.as_str() {
            "text" | "varchar" | "name" if own.is_none() => Some(u64::MAX),
            "tinytext" | "tinyblob" => Some(255),
            "mysql text" | "blob" => Some(own.unwrap_or(65_535)),
            "mediumtext" | "mediumblob" => Some(16_777_215),
            "longtext" | "longblob" => Some(4_294_967_295),
            "varchar" | "char" | "varbit" | "bit" | "binary" | "varbinary" => Some(own.unwrap_or(1)),
            "text" => own,
            _ => None,
        }
    }

    /// The least and the greatest whole number that it holds; none for what is no whole number.
    fn range(&self) -> Option<(i128, i128)> {
        let bits = match self.name.as_str() {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "integer" => 32,
            "bigint" => 64,
            _ => return None,
        };
        Some(if self.is_unsigned { (0, (1 << bits) - 1) } else { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) })
    }

    /// Digits, and how many of them stand after the decimal point; none where there is no limit.
    fn digits(&self) -> Option<(u64, u64)> {
        let precision = *self.sizes.first()?;
        Some((precision, self.sizes.get(1).copied().unwrap_or(0)))
    }
}

fn counted(n: u64, unit: &str) -> String {
    if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }
}

/// Returns the name that a type of PostgreSQL has in its manual.
fn canonical(name: &str) -> Option<&'static str> {
    let alias = NAMES.iter().find(|names| names.contains(&name)).map(|names| names[0]);
    alias.or_else(|| OTHERS.iter().find(|other| **other == name).copied())
}

/// Reads a type of MySQL or SQLite.
fn of_text(text: &str, grammar: &dyn Grammar) -> Option<SqlType> {
    let mut parser = Parser::new(grammar).try_with_sql(text).ok()?;
    of_data_type(&parser.parse_data_type().ok()?)
}

/// Reads a type of MySQL or SQLite from its tree. The width in which a whole number is shown is no size.
pub(super) fn of_data_type(of: &DataType) -> Option<SqlType> {
    let length = |length: &Option<CharacterLength>| match length {
        Some(CharacterLength::IntegerLength { length, .. }) => vec![*length],
        Some(CharacterLength::Max) | None => Vec::new(),
    };
    let one = |size: &Option<u64>| size.iter().copied().collect::<Vec<_>>();
    let exact = |info: &ExactNumberInfo| match info {
        ExactNumberInfo::None => vec![10, 0],
        ExactNumberInfo::Precision(precision) => vec![*precision, 0],
        ExactNumberInfo::PrecisionAndScale(precision, scale) => vec![*precision, u64::try_from(*scale).unwrap_or(0)],
    };
    let (name, sizes, is_unsigned) = match of {
        DataType::TinyInt(_) => ("tinyint", Vec::new(), false),
        DataType::TinyIntUnsigned(_) | DataType::UTinyInt => ("tinyint", Vec::new(), true),
        DataType::SmallInt(_) | DataType::Int2(_) => ("smallint", Vec::new(), false),
        DataType::SmallIntUnsigned(_) | DataType::Int2Unsigned(_) => ("smallint", Vec::new(), true),
        DataType::MediumInt(_) => ("mediumint", Vec::new(), false),
        DataType::MediumIntUnsigned(_) => ("mediumint", Vec::new(), true),
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => ("integer", Vec::new(), false),
        DataType::IntUnsigned(_) | DataType::IntegerUnsigned(_) | DataType::Int4Unsigned(_) => {
            ("integer", Vec::new(), true)
        }
        DataType::BigInt(_) | DataType::Int8(_) => ("bigint", Vec::new(), false),
        DataType::BigIntUnsigned(_) | DataType::Int8Unsigned(_) => ("bigint", Vec::new(), true),
        DataType::Bool | DataType::Boolean => ("boolean", Vec::new(), false),
        DataType::Varchar(size) | DataType::CharacterVarying(size) | DataType::CharVarying(size) => {
            ("varchar", length(size), false)
        }
        DataType::Char(size) | DataType::Character(size) => ("char", length(size), false),
        DataType::Binary(size) => ("binary", one(size), false),
        DataType::Varbinary(size) => (
            "varbinary",
            match size {
                Some(sqlparser::ast::BinaryLength::IntegerLength { length }) => vec![*length],
                Some(sqlparser::ast::BinaryLength::Max) | None => Vec::new(),
            },
            false,
        ),
        DataType::TinyText => ("tinytext", Vec::new(), false),
        DataType::Text => ("mysql text", Vec::new(), false),
        DataType::MediumText => ("mediumtext", Vec::new(), false),
        DataType::LongText => ("longtext", Vec::new(), false),
        DataType::TinyBlob => ("tinyblob", Vec::new(), false),
        DataType::Blob(size) => ("blob", one(size), false),
        DataType::MediumBlob => ("mediumblob", Vec::new(), false),
        DataType::LongBlob => ("longblob", Vec::new(), false),
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => ("numeric", exact(info), false),
        DataType::DecimalUnsigned(info) | DataType::DecUnsigned(info) => ("numeric", exact(info), true),
        DataType::Real => ("double precision", Vec::new(), false),
        DataType::Float(_) => ("real", Vec::new(), false),
        DataType::Double(_) | DataType::DoublePrecision => ("double precision", Vec::new(), false),
        DataType::Date => ("date", Vec::new(), false),
        DataType::Time(size, _) => ("time", one(size).into_iter().chain([0]).take(1).collect(), false),
        DataType::Datetime(size) => ("datetime", one(size), false),
        DataType::Timestamp(size, _) => ("timestamp", one(size).into_iter().chain([0]).take(1).collect(), false),
        DataType::JSON => ("json", Vec::new(), false),
        other => {
            let name = other.to_string().to_ascii_lowercase();
            return Some(SqlType { name, sizes: Vec::new(), is_array: false, own: None, is_unsigned: false });
        }
    };
    Some(SqlType { name: name.to_owned(), sizes, is_array: false, own: None, is_unsigned })
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.trim_start_matches("mysql "))?;
        if !self.sizes.is_empty() {
            let sizes: Vec<String> = self.sizes.iter().map(u64::to_string).collect();
            write!(f, "({})", sizes.join(","))?;
        }
        if self.is_array {
            f.write_str("[]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pg(text: &str) -> SqlType {
        SqlType::read(text, Dialect::Postgres).unwrap_or_else(|| panic!("{text} is a type"))
    }

    #[test]
    fn a_type_has_one_name() {
        let check = |text: &str, expected: &str| assert_eq!(pg(text).to_string(), expected, "{text}");
        check("int4", "integer");
        check("serial", "integer");
        check("character varying(20)", "varchar(20)");
        check("varchar(20)[]", "varchar(20)[]");
        check("char", "char(1)");
        check("numeric(10, 2)", "numeric(10,2)");
        check("timestamp (3) with time zone", "timestamptz(3)");
        check("timestamp", "timestamp");
        check("TIMESTAMPTZ", "timestamptz");
        check("double precision", "double precision");
        check("pg_catalog.int8", "bigint");
        check("\"mood\"", "public.mood");
        check("shop.mood[]", "shop.mood[]");
        check("interval day to second", "interval");
        assert_eq!(SqlType::read("", Dialect::Postgres), None);
        assert_eq!(SqlType::read("int; DROP TABLE a", Dialect::Postgres), None);
    }

    #[test]
    fn what_an_assignment_casts_is_what_postgresql_says() {
        let check = |from: &str, to: &str, expected: Option<bool>| {
            assert_eq!(pg(from).becomes(&pg(to)), expected, "{from} to {to}");
        };
        let (yes, no) = (Some(true), Some(false));
        check("timestamp", "timestamp with time zone", yes);
        check("timestamptz", "timestamp", yes);
        check("timestamp", "date", yes);
        check("date", "timestamptz", yes);
        check("integer", "bigint", yes);
        check("bigint", "smallint", yes);
        check("numeric", "integer", yes);
        check("double precision", "numeric(10,2)", yes);
        check("integer", "text", yes);
        check("jsonb", "varchar(10)", yes);
        check("text[]", "text", yes);
        check("varchar(10)", "varchar(20)", yes);
        check("text", "varchar(20)", yes);
        check("int[]", "bigint[]", yes);
        check("json", "jsonb", yes);
        check("text", "integer", no);
        check("text", "uuid", no);
        check("text", "jsonb", no);
        check("varchar", "timestamp", no);
        check("boolean", "integer", no);
        check("integer", "boolean", no);
        check("text", "text[]", no);
        check("text[]", "int[]", no);
        check("integer", "timestamp", no);
        check("bigint", "timestamptz", no);
        check("uuid", "integer", no);
        check("date", "time", no);
        check("text", "vector(3)", None);
        check("geometry", "geography", None);
        check("public.mood", "text", yes);
    }

    #[test]
    fn a_type_that_holds_less_says_what_is_lost() {
        let check = |dialect, from: &str, to: &str, expected: Option<&str>| {
            let read = |text: &str| SqlType::read(text, dialect).unwrap_or_else(|| panic!("{text} is a type"));
            assert_eq!(read(from).loses(&read(to)).as_deref(), expected, "{from} to {to}");
        };
        let pg = Dialect::Postgres;
        check(pg, "varchar(255)", "varchar(50)", Some("values of more than 50 characters"));
        check(pg, "text", "varchar(255)", Some("values of more than 255 characters"));
        check(pg, "text", "varchar", None);
        check(pg, "varchar(50)", "text", None);
        check(pg, "varchar(50)", "varchar(50)", None);
        check(pg, "varchar(50)", "char", Some("values of more than 1 character"));
        check(pg, "varchar(50)[]", "varchar(20)[]", Some("values of more than 20 characters"));
        check(pg, "bigint", "integer", Some("values out of its range"));
        check(pg, "integer", "bigint", None);
        check(pg, "numeric(10,2)", "numeric(12,2)", None);
        check(pg, "numeric(10,2)", "numeric(10,4)", Some("values out of its range"));
        check(pg, "numeric(10,2)", "numeric(10,1)", Some("more than 1 digit after the decimal point"));
        check(pg, "numeric", "numeric(10,2)", Some("digits"));
        check(pg, "numeric(10,2)", "numeric", None);
        check(pg, "numeric(10,2)", "integer", Some("digits after the decimal point"));
        check(pg, "numeric(5,0)", "integer", None);
        check(pg, "double precision", "real", Some("digits"));
        check(pg, "real", "integer", Some("digits after the decimal point"));
        check(pg, "timestamp", "date", Some("the time of day"));
        check(pg, "timestamp", "timestamp(3)", Some("parts of a second"));
        check(pg, "timestamp", "timestamptz", None);
        check(pg, "integer", "text", None);
        let my = Dialect::MySql;
        check(my, "varchar(255)", "varchar(50)", Some("values of more than 50 characters"));
        check(my, "text", "varchar(255)", Some("values of more than 255 characters"));
        check(my, "varchar(255)", "text", None);
        check(my, "longtext", "text", Some("values of more than 65535 characters"));
        check(my, "int", "int(11)", None);
        check(my, "int", "int unsigned", Some("values out of its range"));
        check(my, "bigint", "int", Some("values out of its range"));
        check(my, "tinyint", "int", None);
        check(my, "decimal(10,2)", "decimal(8,2)", Some("values out of its range"));
        check(my, "datetime(3)", "datetime", Some("parts of a second"));
        check(my, "datetime", "date", Some("the time of day"));
        check(Dialect::Sqlite, "text", "integer", None);
    }
}
