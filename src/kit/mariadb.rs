//! Has MariaDB tell its catalog to drizzle-kit as MySQL does, which drizzle-kit takes it for. Pure: text in, text out.
//!
//! Else everything looks changed that is not: MariaDB lists numbers with a width and defaults as they would be written, and
//! names columns of the catalog as a query does (10.4 to 11, drizzle-kit 0.21 to 0.31, `fromDatabase`).

/// The type without the width in which numbers are shown; `tinyint(1)` is what drizzle makes of a boolean.
const TYPE: &str = r"REGEXP_REPLACE(COLUMN_TYPE, '^(tinyint(?![(]1[)])|smallint|mediumint|int|bigint)[(][0-9]+[)]', '\\1') AS COLUMN_TYPE";

/// The default: NULL where there is none, a string without its quotes, and the time as drizzle writes it.
const DEFAULT: &str = "CASE WHEN COLUMN_DEFAULT = 'NULL' THEN NULL \
    WHEN COLUMN_DEFAULT LIKE '''%''' THEN REPLACE(SUBSTRING(COLUMN_DEFAULT, 2, CHAR_LENGTH(COLUMN_DEFAULT) - 2), '''''', '''') \
    WHEN COLUMN_DEFAULT = 'current_timestamp()' THEN 'now()' ELSE COLUMN_DEFAULT END AS COLUMN_DEFAULT, \
    CASE WHEN COLUMN_DEFAULT = 'current_timestamp()' THEN TRIM(CONCAT('DEFAULT_GENERATED ', EXTRA)) ELSE EXTRA END AS EXTRA";

/// How a query begins, without white space, and what is put in place of a part of it.
const QUERIES: [(&str, &str, &str); 2] = [
    (
        "selecttable_name,column_name,ordinal_positionfrominformation_schema.table_constraints",
        "table_name, column_name, ordinal_position",
        "table_name AS TABLE_NAME, column_name AS COLUMN_NAME, ordinal_position",
    ),
    (
        "selecttc.table_name,tc.constraint_name,cc.check_clausefrom",
        "cc.check_clause",
        "cc.check_clause AS CHECK_CLAUSE, tc.table_name AS TABLE_NAME, tc.constraint_name AS CONSTRAINT_NAME",
    ),
];

/// Returns the query that asks MariaDB for the same, so that it answers as MySQL; none where the answers are the same.
pub fn as_mysql(query: &str) -> Option<String> {
    let words: String = query.split_whitespace().collect::<String>().to_lowercase();
    if words.starts_with("select*frominformation_schema.columnswhere") {
        // Of columns of the same name, mysql2 keeps the last.
        return Some(query.replacen('*', &format!("*, {TYPE}, {DEFAULT}"), 1));
    }
    let (_, part, instead) = QUERIES.iter().find(|(begins, ..)| words.starts_with(begins))?;
    query.contains(part).then(|| query.replacen(part, instead, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mariadb_answers_in_its_own_way_is_asked_otherwise() {
        let queries: Vec<String> =
            serde_json::from_str(include_str!("../../fixtures/sql/reads/mysql.json")).expect("the fixture is JSON");
        let asked: Vec<String> = queries.iter().filter_map(|query| as_mysql(query)).collect();
        let of = |word: &str| asked.iter().filter(|query| query.contains(word)).count();
        assert_eq!((asked.len(), of("AS COLUMN_TYPE"), of("AS CHECK_CLAUSE")), (3, 1, 1), "{asked:?}");
    }
}
