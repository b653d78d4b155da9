//! What each drizzle-kit repeats, by the shape of objects; and that no shape is taken for its neighbour.
//!
//! The suite goes through some drizzle-kits with one server, and `scripts/shapes` through all of both.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::support::{Database, Neighbour, Project, Ran, Server, Shape, owner, together};

/// What came of shapes with one drizzle-kit and one server.
#[derive(Default)]
struct Found {
    /// How many statements are repeated, by shape.
    repeated: BTreeMap<String, usize>,
    /// What is worth a line, and not wrong.
    notes: Vec<String>,
    n_shapes: usize,
    /// How many neighbours drizzle-kit saw.
    n_seen: usize,
    wrong: Vec<String>,
}

impl Found {
    fn with(mut self, other: Found) -> Found {
        self.repeated.extend(other.repeated);
        self.notes.extend(other.notes);
        self.wrong.extend(other.wrong);
        Found { n_shapes: self.n_shapes + other.n_shapes, n_seen: self.n_seen + other.n_seen, ..self }
    }
}

/// Why a round did not come to its end.
struct Stopped {
    /// The shapes that stopped it, with the reason of each; none: nobody knows.
    by: BTreeMap<String, String>,
    why: String,
}

impl Stopped {
    fn because(why: impl Into<String>) -> Stopped {
        Stopped { by: BTreeMap::new(), why: why.into() }
    }
}

/// Fails if a run did not end with one of the codes.
fn ended(ran: &Ran, what: &str, codes: &[i32]) -> Result<(), Stopped> {
    match codes.contains(&ran.code) {
        true => Ok(()),
        false => Err(Stopped::because(format!("{what} ended with {}\n{ran}", ran.code))),
    }
}

/// Returns the statements of a report that change something, and those that do not.
fn statements(ran: &Ran) -> (Vec<String>, Vec<String>) {
    let statements = ran.report["statements"].as_array().cloned().unwrap_or_default();
    let (repeated, real): (Vec<Value>, Vec<Value>) =
        statements.into_iter().partition(|statement| statement["phantom"] == true);
    let text = |statement: Value| statement["sql"].as_str().expect("a statement has its text").to_owned();
    (real.into_iter().map(text).collect(), repeated.into_iter().map(text).collect())
}

#[derive(Clone, Copy)]
struct Place<'a> {
    kit: &'a str,
    server: Server,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drizzle-kit {}, PostgreSQL {}", self.kit, self.server.version())
    }
}

impl Place<'_> {
    /// Looks at the shapes that can be here.
    fn look(self, shapes: &[Shape]) -> Found {
        let extensions = Database::create_on(self.server).list("SELECT name FROM pg_available_extensions");
        let missing = |shape: &Shape| {
            let extension = shape.about.extension.as_ref().filter(|name| !extensions.contains(name));
            let extension = extension.map(|name| format!("the extension {name}, which the server does not have"));
            shape.missing(self.kit, self.server).or(extension)
        };
        let (here, not_here): (Vec<&Shape>, Vec<&Shape>) = shapes.iter().partition(|shape| missing(shape).is_none());
        let note = |shape: &&Shape| Some(format!("left out: {} needs {}", shape.name, missing(shape)?));
        let notes = not_here.iter().filter_map(note).collect();
        let found = Found { notes, ..Found::default() };
        together(here).iter().fold(found, |found, shapes| found.with(self.rounds(shapes)))
    }

    /// Looks at shapes pushed together; what stops a round is left out of the next, or is looked for by halves.
    fn rounds(self, shapes: &[&Shape]) -> Found {
        if shapes.is_empty() {
            return Found::default();
        }
        let Stopped { mut by, why } = match self.round(shapes) {
            Ok(found) => return found,
            Err(stopped) => stopped,
        };
        if let ([shape], true) = (shapes, by.is_empty()) {
            by.insert(shape.name.clone(), why);
        } else if by.is_empty() {
            eprintln!("shapes: {self}: {}; looking for the reason among {}", first_line(&why), shapes.len());
            let (one, other) = shapes.split_at(shapes.len() / 2);
            let mut found = self.rounds(one).with(self.rounds(other));
            if found.wrong.is_empty() && found.n_shapes == shapes.len() {
                let names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
                found.wrong.push(format!("only together: {names:?}: {why}"));
            }
            return found;
        }
        let (stoppers, rest): (Vec<&Shape>, Vec<&Shape>) =
            shapes.iter().copied().partition(|shape| by.contains_key(&shape.name));
        let mut found = self.rounds(&rest);
        for shape in stoppers {
            match shape.restless(self.kit) {
                Some(why) => found.notes.push(format!("left out: {}, because {why}", shape.name)),
                None => found.wrong.push(format!("{}: {}", shape.name, by[&shape.name])),
            }
        }
        found
    }

    /// Pushes shapes into an empty database: a plan has nothing to do then, a change beside is the only one, and what comes of
    /// it is what comes of a push from nothing. In both databases the shapes then become their neighbours.
    fn round(self, shapes: &[&Shape]) -> Result<Found, Stopped> {
        let database = self.database(shapes);
        let project = Project::new(self.kit, &database);
        project.config(&Shape::config(shapes));
        std::fs::create_dir(project.path("shapes")).expect("the folder is ours");
        Shape::modules().iter().for_each(|(path, text)| project.write(path, text));
        let schema = |more: &str| {
            let beside = format!("export const beside = pgTable('beside', {{ a: integer('a'){more} }});\n");
            project.schema(&(Shape::schema(shapes) + &beside));
        };
        schema("");
        ended(&project.pilot(Shape::push(shapes)).without_paste().run(), "the push", &[0])?;

        let plan = project.pilot(&["plan"]).without_paste().run();
        let (real, repeated) = statements(&plan);
        if !real.is_empty() {
            let mut by: BTreeMap<String, String> = BTreeMap::new();
            for sql in &real {
                if let Some(shape) = owner(shapes, sql) {
                    let why = by.entry(shape.name.clone()).or_insert("repeated, and not called so:".to_owned());
                    *why += &format!("\n  {sql}");
                }
            }
            return Err(Stopped { by, why: format!("repeated, and not called so: {real:#?}\n{plan}") });
        }
        ended(&plan, "the plan after the push", &[0])?;
        let check = project.pilot(&["check", "--push", "--migrations", "."]).run();
        ended(&check, "check --push", &[0])?;
        if check.report["findings"] != serde_json::json!([]) {
            return Err(Stopped::because(format!("check --push finds something\n{check}")));
        }

        schema(", more: text('more')");
        let push = project.pilot(&["push", "--apply", "transaction"]).run();
        ended(&push, "the push of a change beside", &[0])?;
        let (real, _) = statements(&push);
        if real != ["ALTER TABLE \"beside\" ADD COLUMN \"more\" text;"] {
            return Err(Stopped::because(format!("the change beside is {real:#?}\n{push}")));
        }
        let fresh = self.database(shapes);
        let push = project.pilot(Shape::push(shapes)).env("DATABASE_URL", fresh.url().as_str()).run();
        ended(&push, "the push from nothing", &[0])?;
        let schemas = [&database, &fresh].map(|database| (database.schema().lines, database.dump(&["--schema-only"])));
        if schemas[0] != schemas[1] {
            return Err(Stopped::because(format!("the schema is not that of a push from nothing: {schemas:#?}")));
        }

        let mut found = Found { n_shapes: shapes.len(), ..Found::default() };
        for sql in &repeated {
            let name = owner(shapes, sql).map_or(sql, |shape| &shape.name);
            *found.repeated.entry(name.clone()).or_default() += 1;
        }
        for (idx, database) in [database, fresh].iter().enumerate() {
            let neighbours = shapes.iter().filter_map(|shape| Some((*shape, shape.about.neighbours.get(idx)?)));
            let plan = project.pilot(&["plan", "--apply", "transaction"]).without_paste();
            let plan = || plan.clone().env("DATABASE_URL", database.url().as_str()).run();
            found = found.with(self.become_neighbours(&neighbours.collect::<Vec<_>>(), database, plan)?);
        }
        Ok(found)
    }

    /// Turns shapes into neighbours, and looks whether one of them is still taken for the shape.
    fn become_neighbours(
        self,
        neighbours: &[(&Shape, &Neighbour)],
        database: &Database,
        plan: impl Fn() -> Ran,
    ) -> Result<Found, Stopped> {
        for (_, neighbour) in neighbours {
            database.sql(&neighbour.sql);
        }
        let plan = plan();
        ended(&plan, "the plan for the neighbours", &[2, 3])?;
        let (real, repeated) = statements(&plan);
        let mut found = Found::default();
        for (shape, neighbour) in neighbours {
            let about = |statements: &[String]| statements.iter().any(|sql| shape.concerns(neighbour, sql));
            let name = format!("{}: {}", shape.name, neighbour.differs);
            if about(&repeated) {
                found.wrong.push(format!("taken for what it is not: {name}\n{plan}"));
            }
            match about(&real) || about(&repeated) {
                true => found.n_seen += 1,
                false => found.notes.push(format!("drizzle-kit does not see it: {name}")),
            }
        }
        Ok(found)
    }

    fn database(self, shapes: &[&Shape]) -> Database {
        let database = Database::create_on(self.server);
        for extension in shapes.iter().filter_map(|shape| shape.about.extension.as_ref()) {
            database.sql(&format!("CREATE EXTENSION IF NOT EXISTS \"{extension}\""));
        }
        database
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[test]
fn shapes_try() {
    let kit = std::env::var("SHAPES_KIT").unwrap();
    let server = match std::env::var("SHAPES_PG").as_deref() {
        Ok("13") => Server::Postgres13,
        Ok("18") => Server::Postgres18,
        _ => Server::Postgres15,
    };
    let only = std::env::var("SHAPES_ONLY").unwrap_or_default();
    let shapes: Vec<Shape> = Shape::all().into_iter().filter(|shape| shape.name.contains(&only)).collect();
    let found = Place { kit: &kit, server }.look(&shapes);
    println!("{:#?}\n{:#?}\n{} {}", found.notes, found.repeated, found.n_shapes, found.n_seen);
    for wrong in &found.wrong {
        println!("WRONG {wrong}");
    }
}
