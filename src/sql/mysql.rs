//! What a server of MySQL or its kin says of itself, and what of that changes the meaning of SQL.

use std::time::Duration;

/// Returns the question for one row that says what a session is in. It takes the lock of the database, and waits so long for
/// whoever has it; the lock ends with the session.
pub fn question(lock: Option<Duration>) -> String {
    // A name has 64 characters at most, and is one for all databases of the server.
    let lock = lock.map_or("1".to_owned(), |wait| {
        format!("GET_LOCK(CONCAT('drizzle-pilot:', MD5(DATABASE())), {})", wait.as_secs().max(1))
    });
    format!("SELECT DATABASE(), CURRENT_USER(), VERSION(), @@SESSION.sql_mode, {lock}")
}

/// The modes in which a statement means something else than what is read here.
const OTHER_MEANINGS: [(&str, &str); 2] = [
    ("ANSI_QUOTES", "text in double quotes is a name there"),
    ("NO_BACKSLASH_ESCAPES", "a backslash in a string is an ordinary character there"),
];

/// What a session is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub database: Option<String>,
    pub user: String,
    pub version: String,
    modes: String,
    /// Another session has the lock.
    pub is_locked_by_another: bool,
}

impl Server {
    /// Reads the answers to [`question`]; nothing where they are not those.
    pub fn of(answers: &[Option<String>]) -> Option<Server> {
        let [database, Some(user), Some(version), Some(modes), lock] = answers else { return None };
        let (database, user, version, modes) = (database.clone(), user.clone(), version.clone(), modes.clone());
        Some(Server { database, user, version, modes, is_locked_by_another: lock.as_deref() == Some("0") })
    }

    /// Tells whether it is MariaDB, which has a catalog of its own.
    pub fn is_mariadb(&self) -> bool {
        self.version.to_ascii_lowercase().contains("mariadb")
    }

    /// Says why statements would mean something else than what is read here, if they would.
    pub fn misreads(&self) -> Option<String> {
        let is_set = |mode: &str| self.modes.split(',').any(|set| set.eq_ignore_ascii_case(mode));
        let (mode, meaning) = OTHER_MEANINGS.iter().find(|(mode, _)| is_set(mode))?;
        Some(format!("drizzle-kit's session has the sql_mode {mode}: {meaning}"))
    }
}

/// Tells whether two types of a column differ in nothing but the width in which numbers are shown, which no server since
/// MySQL 8.0.19 knows, and which MariaDB still lists: `int(11)` and `int`.
pub fn differ_in_width_alone(from: &str, to: &str) -> bool {
    from != to && without_width(from) == without_width(to)
}

/// Returns a type without the width in which its numbers are shown. `tinyint(1)` is what drizzle makes of a boolean, and so
/// is not a width.
pub fn without_width(text: &str) -> String {
    const NUMBERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];
    let text = text.trim().to_ascii_lowercase();
    let Some((name, rest)) = text.split_once('(') else { return text };
    match rest.split_once(')') {
        Some((width, rest)) if NUMBERS.contains(&name.trim()) && !(name.trim() == "tinyint" && width == "1") => {
            format!("{}{rest}", name.trim())
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_meaning_of_a_statement_is_known() {
        let server = |modes: &str| {
            let answers = [Some("shop"), Some("app@%"), Some("10.11.14-MariaDB-log"), Some(modes), Some("1")];
            Server::of(&answers.map(|text| text.map(str::to_owned))).expect("these are the answers")
        };
        let usual = server("STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION");
        assert!(usual.is_mariadb());
        assert_eq!(usual.misreads(), None);
        for mode in ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"] {
            let misread = server(&format!("PIPES_AS_CONCAT,{mode},ANSI")).misreads();
            assert!(misread.is_some_and(|why| why.contains(mode)), "{mode}");
        }
        assert_eq!(Server::of(&[None]), None);
    }

    #[test]
    fn a_width_is_no_type() {
        let check = |from: &str, to: &str, expected: bool| {
            assert_eq!(differ_in_width_alone(from, to), expected, "{from} → {to}");
        };
        check("int(11)", "int", true);
        check("bigint(20) unsigned", "bigint unsigned", true);
        check("tinyint(4)", "tinyint", true);
        check("tinyint(1)", "tinyint", false);
        check("int(11)", "bigint", false);
        check("int(10) unsigned", "int", false);
        check("varchar(20)", "varchar(10)", false);
        check("decimal(10,2)", "decimal", false);
        check("int", "int", false);
    }
}
