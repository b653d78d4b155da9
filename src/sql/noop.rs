//! Reads the changes of a column that drizzle-kit's push repeats although the database has them. Pure: it says what would
//! be set; whether that is there already is for who can ask the database.

/// What is set for one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// The default, as it is written.
    Default(String),
    /// The column may be NULL.
    Nullable,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::name::ObjectName;
    use crate::sql::postgres::setting;

    #[test]
    fn one_setting_of_one_column_is_read_and_nothing_else() {
        let check = |sql: &str, expected: Option<(&str, Setting)>| {
            let expected = expected.map(|(column, setting)| (ObjectName::new(column.split('.')), setting));
            assert_eq!(setting(sql), expected, "{sql}");
        };
        let default = |text: &str| Setting::Default(text.to_owned());
        check(
            "ALTER TABLE \"posts\" ALTER COLUMN \"tags\" SET DEFAULT '{}';",
            Some(("public.posts.tags", default("'{}'"))),
        );
        check(
            "ALTER TABLE \"shop\".\"a\" ALTER COLUMN \"b\" SET DEFAULT now() ;",
            Some(("shop.a.b", default("now()"))),
        );
        check("ALTER TABLE \"likes\" ALTER COLUMN \"u\" DROP NOT NULL", Some(("public.likes.u", Setting::Nullable)));
        check("ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT 1, ALTER COLUMN \"c\" SET DEFAULT 2;", None);
        check("ALTER TABLE \"a\" ALTER COLUMN \"b\" DROP DEFAULT;", None);
        check("ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT;", None);
        check("ALTER TABLE \"a\" DROP COLUMN \"b\";", None);
    }
}
