//! Keeps things out of drizzle-kit's sight: of the queries by which it lists what is there, it makes those that list the
//! rest. What drizzle-kit does not see it neither drops nor asks about. Pure: text in, text out.

use postgres_protocol::escape::escape_literal;

/// What is not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// Tables, views and sequences, each with its schema.
    pub relations: Vec<(String, String)>,
    /// Constraints that are no more than the NOT NULL of a column, which PostgreSQL 18 has beside the checks. Before 0.31.7
    /// drizzle-kit takes them for checks that the schema files have not, and drops them.
    pub not_nulls: bool,
}

/// The query of the checks of a table (drizzle-kit 0.26 to 0.31), without white space.
const CHECKS: &str = "selecttc.constraint_name,tc.constraint_type,pg_get_constraintdef(con.oid)asconstraint_definition";

/// How a query lists things: its beginning, and the columns that hold their schemas and names.
struct Listing {
    begins: &'static str,
    schema: &'static str,
    name: &'static str,
}

/// The queries of `pgPushIntrospect` and `fromDatabase` (drizzle-kit 0.20 to 0.31, and 1.0), without white space.
const LISTINGS: [Listing; 5] = [
    Listing {
        begins: r#"selectpg_class.oid,nspnameas"schema",relnameas"name",relkind::textas"kind","#,
        schema: "schema",
        name: "name",
    },
    Listing { begins: r#"selectnspnameas"schema",relnameas"name",seqrelidas"oid","#, schema: "schema", name: "name" },
    Listing {
        begins: "selecttable_schema,table_namefrominformation_schema.tables",
        schema: "table_schema",
        name: "table_name",
    },
    Listing {
        begins: "selectn.nspnameastable_schema,c.relnameastable_name,case",
        schema: "table_schema",
        name: "table_name",
    },
    Listing {
        begins: "selectschemaname,sequencename,start_value,min_value,max_value,increment_by,cycle,cache_sizefrompg_sequences",
        schema: "schemaname",
        name: "sequencename",
    },
];

impl Unlisted {
    /// Returns the query that lists the same but these; none where the query lists nothing of their kind.
    pub fn without(&self, query: &str) -> Option<String> {
        let words: String = query.split_whitespace().collect::<String>().to_lowercase();
        let but = |condition: &str| {
            let listed = query.trim_end().trim_end_matches(';');
            format!("SELECT * FROM (\n{listed}\n) AS listed WHERE {condition}")
        };
        if self.not_nulls && words.starts_with(CHECKS) {
            return Some(but("constraint_definition LIKE 'CHECK %'"));
        }
        let Listing { schema, name, .. } = LISTINGS.iter().find(|listing| words.starts_with(listing.begins))?;
        let literal = |text: &str| escape_literal(text).trim().to_owned();
        let is = |(in_schema, called): &(String, String)| {
            format!("({schema}::text = {} AND {name}::text = {})", literal(in_schema), literal(called))
        };
        let conditions: Vec<String> = self.relations.iter().map(is).collect();
        (!conditions.is_empty()).then(|| but(&format!("NOT ({})", conditions.join(" OR "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_of_drizzle_kit_is_known_and_leaves_out_what_it_should() {
        let queries = include_str!("../../fixtures/sql/reads/postgres.json");
        let queries: Vec<String> = serde_json::from_str(queries).expect("the fixture is JSON");
        let unlisted = Unlisted { relations: vec![("public".to_owned(), "it's".to_owned())], not_nulls: true };
        let of = |word: &str| {
            let listed = queries.iter().filter_map(|query| unlisted.without(query));
            listed.filter(|query| query.contains(word)).collect::<Vec<_>>()
        };
        assert_eq!(of("information_schema.tables").len(), 1);
        assert_eq!(of("c.relkind IN ('r', 'v', 'm')").len(), 1);
        assert_eq!(of("pg_sequences").len(), 1);
        assert!(
            of("CHECK").iter().all(|query| query.ends_with(" AS listed WHERE constraint_definition LIKE 'CHECK %'"))
        );
        assert_eq!(of("CHECK").len(), 2);
        let tail = "\n) AS listed WHERE NOT ((table_schema::text = 'public' AND table_name::text = 'it''s'))";
        assert!(of("information_schema.tables")[0].ends_with(tail));
        assert_eq!(unlisted.without("select count(*) as count from \"t\""), None);
        let newer = include_str!("../../fixtures/sql/reads/postgres-1.0.json");
        let newer: Vec<String> = serde_json::from_str(newer).expect("the fixture is JSON");
        let listed: Vec<String> = newer.iter().filter_map(|query| unlisted.without(query)).collect();
        let tail = "\n) AS listed WHERE NOT ((schema::text = 'public' AND name::text = 'it''s'))";
        assert!(listed.len() >= 2 && listed.iter().all(|query| query.ends_with(tail)), "{listed:#?}");
        assert_eq!(Unlisted::default().without(&of("pg_sequences")[0]), None);
    }
}
