//! Tells whether two lists hold the same statements but for the order of those that have nothing to do with each other.
//!
//! drizzle-kit reads the catalog in the order in which the server tells it, so that two runs on the same database may
//! show, say, two dropped tables the one way and the other.

use crate::sql::dialect::Dialect;
use crate::sql::effect::Effect;
use crate::sql::name::ObjectName;
use crate::sql::plan::{Assessed, Facts, assess, read};

/// Tells whether the one list does what the other does: each statement means the same in both, and two that name the
/// same object stand in the same order.
pub fn is_same(one: &[String], other: &[String], dialect: Dialect) -> bool {
    if one == other {
        return true;
    }
    let facts = Facts::default();
    let (one, other) = (assess(one, dialect, &facts), assess(other, dialect, &facts));
    let Some(places) = places(&one, &other) else { return false };
    let about: Vec<About> = one.iter().map(|assessed| About::of(assessed, dialect)).collect();
    let pairs = (0..places.len()).flat_map(|first| (first + 1..places.len()).map(move |second| (first, second)));
    let mut turned_round = pairs.filter(|(first, second)| places[*first] > places[*second]);
    turned_round.all(|(first, second)| !about[first].touches(&about[second]))
}

/// Returns where each of the statements stands in the other list. What a statement means depends on those before it, so
/// that it may not be there, although its text is.
fn places(one: &[Assessed], other: &[Assessed]) -> Option<Vec<usize>> {
    let mut free: Vec<usize> = (0..other.len()).collect();
    let places = one.iter().map(|assessed| {
        let found = free.iter().position(|place| other[*place] == *assessed)?;
        Some(free.remove(found))
    });
    let places: Vec<usize> = places.collect::<Option<_>>()?;
    free.is_empty().then_some(places)
}

/// What a statement has to do with.
struct About {
    /// Every object that it names as what it changes, refers to or puts at stake.
    objects: Vec<ObjectName>,
    /// Its text: a type, a view or a default may speak of others.
    text: String,
}

/// Schema and table, or type; what follows in a name is a part of the table.
const WHOLE: usize = 2;

impl About {
    fn of(assessed: &Assessed, dialect: Dialect) -> About {
        let at_stake = assessed.hazards.iter().flat_map(|found| found.objects.iter().chain(&found.before));
        let referred = read(&assessed.sql, dialect).effects.into_iter().filter_map(|effect| match effect {
            Effect::Refer { to, .. } => Some(to),
            _ => None,
        });
        let objects = assessed.objects.iter().chain(at_stake).cloned().chain(referred).collect();
        About { objects, text: assessed.sql.to_lowercase() }
    }

    /// Tells whether two statements may have to do with the same object. Of what is not understood nobody knows what it
    /// is about.
    fn touches(&self, other: &About) -> bool {
        self.objects.is_empty() || other.objects.is_empty() || self.speaks_of(other) || other.speaks_of(self)
    }

    fn speaks_of(&self, other: &About) -> bool {
        other.objects.iter().any(|theirs| {
            self.objects.iter().any(|ours| overlaps(ours, theirs))
                || theirs.parts().iter().take(WHOLE).next_back().is_some_and(|name| self.has_word(&name.to_lowercase()))
        })
    }

    fn has_word(&self, word: &str) -> bool {
        let is_part = |char: char| char.is_alphanumeric() || char == '_';
        self.text.match_indices(word).any(|(begin, _)| {
            let (before, after) = (&self.text[..begin], &self.text[begin + word.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        })
    }
}

/// Tells whether two names are of one table or the like, or the one of the schema of the other.
fn overlaps(one: &ObjectName, other: &ObjectName) -> bool {
    one.parts().iter().zip(other.parts()).take(WHOLE).all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &[&str], other: &[&str], expected: bool) {
        let statements = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        for (one, other) in [(one, other), (other, one)] {
            let found = is_same(&statements(one), &statements(other), Dialect::Postgres);
            assert_eq!(found, expected, "{one:#?}\n{other:#?}");
        }
    }

    const DROP_A: &str = "DROP TABLE \"a\" CASCADE;";
    const DROP_B: &str = "DROP TABLE \"shop\".\"b\" CASCADE;";

    #[test]
    fn statements_about_different_tables_may_change_places() {
        check(&[DROP_A, DROP_B], &[DROP_B, DROP_A], true);
        let index = "CREATE INDEX \"a_n\" ON \"a\" USING btree (\"n\");";
        let column = "ALTER TABLE \"c\" ADD COLUMN \"n\" integer;";
        check(&[index, DROP_B, column], &[column, index, DROP_B], true);
    }

    #[test]
    fn statements_about_the_same_table_may_not() {
        let column = "ALTER TABLE \"a\" ADD COLUMN \"n\" integer;";
        let default = "ALTER TABLE \"a\" ALTER COLUMN \"n\" SET DEFAULT 1;";
        check(&[column, default], &[default, column], false);
        check(&[column, DROP_B, default], &[DROP_B, column, default], true);
        check(&[column, DROP_B, default], &[default, DROP_B, column], false);
        check(&["DROP SCHEMA \"shop\";", DROP_B], &[DROP_B, "DROP SCHEMA \"shop\";"], false);
    }

    #[test]
    fn statements_that_mean_something_else_elsewhere_are_others() {
        // After the rename, what is dropped is the table that is called `b` to begin with.
        let rename = "ALTER TABLE \"b\" RENAME TO \"c\";";
        let drop = "DROP TABLE \"c\";";
        check(&[rename, drop], &[drop, rename], false);
    }

    #[test]
    fn a_truncate_stays_on_its_side_of_a_reference() {
        let reference =
            "ALTER TABLE \"b\" ADD CONSTRAINT \"b_a\" FOREIGN KEY (\"n\") REFERENCES \"public\".\"a\"(\"n\");";
        check(&["truncate table \"a\" cascade;", reference], &[reference, "truncate table \"a\" cascade;"], false);
    }

    #[test]
    fn what_a_statement_speaks_of_keeps_its_place() {
        let (mood, column) = ("CREATE TYPE mood AS ENUM ('sad');", "ALTER TABLE \"a\" ADD COLUMN \"m\" \"mood\";");
        check(&[mood, column], &[column, mood], false);
        let (view, drop) = ("CREATE VIEW v AS SELECT n FROM Notes;", "ALTER TABLE \"notes\" DROP COLUMN \"n\";");
        check(&[view, drop], &[drop, view], false);
        check(&[view, DROP_A], &[DROP_A, view], true);
    }

    #[test]
    fn a_statement_more_or_less_or_in_doubt_is_no_matter_of_order() {
        check(&[DROP_A, DROP_B], &[DROP_A], false);
        check(&[DROP_A, DROP_A, DROP_B], &[DROP_A, DROP_B, DROP_B], false);
        let unknown = "DO $$ BEGIN PERFORM tidy_up(); END $$;";
        check(&[DROP_A, unknown], &[unknown, DROP_A], false);
        check(&[unknown, DROP_A], &[unknown, DROP_A], true);
    }
}
