//! What each drizzle-kit repeats, by the shape of objects; and that no shape is taken for its neighbour.
//!
//! The suite goes through some drizzle-kits with one server, and `scripts/shapes` through all of both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::support::{Database, Neighbour, Project, Ran, Repeated, Server, Shape, owner, together};

/// What came of shapes with one drizzle-kit and one server.
#[derive(Default)]
struct Found {
    /// How many statements are repeated, by shape.
    repeated: BTreeMap<String, usize>,
    /// What is worth a line, and not wrong.
    notes: Vec<String>,
    left_out: BTreeSet<String>,
    n_shapes: usize,
    /// How many neighbours drizzle-kit saw.
    n_seen: usize,
    wrong: Vec<String>,
}

impl Found {
    fn with(mut self, other: Found) -> Found {
        self.repeated.extend(other.repeated);
        self.notes.extend(other.notes);
        self.left_out.extend(other.left_out);
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

/// Fails if a run did not end with one of the codes, because of the shapes whose statements failed or were refused.
fn ended(shapes: &[&Shape], ran: &Ran, what: &str, codes: &[i32]) -> Result<(), Stopped> {
    if codes.contains(&ran.code) {
        return Ok(());
    }
    let refusals = ran.report["refusals"].as_array().into_iter().flatten();
    let reasons =
        refusals.filter_map(|refusal| refusal["what"].as_str()).chain(ran.report["error"]["statement"].as_str());
    let why = format!("{what} ended with {}\n{ran}", ran.code);
    let owners = reasons.flat_map(str::lines).filter_map(|reason| owner(shapes, reason));
    Err(Stopped { by: owners.map(|shape| (shape.name.clone(), why.clone())).collect(), why })
}

/// Returns the statements of a report that change something, and those that do not.
fn statements(ran: &Ran) -> (Vec<String>, Vec<String>) {
    let statements = ran.report["statements"].as_array().cloned().unwrap_or_default();
    let (repeated, real): (Vec<Value>, Vec<Value>) =
        statements.into_iter().partition(|statement| statement["phantom"] == true);
    let text = |statement: Value| statement["sql"].as_str().expect("a statement has its text").to_owned();
    (real.into_iter().map(text).collect(), repeated.into_iter().map(text).collect())
}

/// A table beside the shapes, for which every drizzle-kit repeats a statement. Where no schemas are compared, it shows.
const BESIDE: &str = "import { sql } from 'drizzle-orm';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
export const beside = pgTable('beside', { a: integer('a').default(sql`1 + 1`), more });
";
const OF_BESIDE: &str = "\"beside\"";

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
        let left_out = not_here.iter().map(|shape| shape.name.clone()).collect();
        let found = Found { notes, left_out, ..Found::default() };
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
            found.left_out.insert(shape.name.clone());
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
        let schema = |more: &str| project.write("schema.ts", &(Shape::schema(shapes) + &BESIDE.replace("more", more)));
        schema("");
        ended(shapes, &project.pilot(Shape::push(shapes)).without_paste().run(), "the push", &[0])?;

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
        ended(shapes, &plan, "the plan after the push", &[0])?;
        let check = project.pilot(&["check", "--push", "--migrations", "."]).run();
        ended(shapes, &check, "check --push", &[0])?;
        if check.report["findings"] != serde_json::json!([]) {
            return Err(Stopped::because(format!("check --push finds something\n{check}")));
        }

        schema("more: text('more')");
        let push = project.pilot(&["push", "--apply", "transaction"]).run();
        ended(shapes, &push, "the push of a change beside", &[0])?;
        let (real, _) = statements(&push);
        if real != ["ALTER TABLE \"beside\" ADD COLUMN \"more\" text;"] {
            return Err(Stopped::because(format!("the change beside is {real:#?}\n{push}")));
        }
        let fresh = self.database(shapes);
        let push = project.pilot(Shape::push(shapes)).env("DATABASE_URL", fresh.url().as_str()).run();
        ended(shapes, &push, "the push from nothing", &[0])?;
        let schemas = [&database, &fresh].map(|database| (database.schema().lines, database.dump(&["--schema-only"])));
        if schemas[0] != schemas[1] {
            return Err(Stopped::because(format!("the schema is not that of a push from nothing: {schemas:#?}")));
        }

        let mut found = Found { n_shapes: shapes.len(), ..Found::default() };
        for sql in repeated.iter().filter(|sql| !sql.contains(OF_BESIDE)) {
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
        let mut found = Found::default();
        for (shape, neighbour) in neighbours {
            if let Err(code) = database.attempt(&neighbour.sql) {
                found.wrong.push(format!("{}: {} cannot be made: {code}", shape.name, neighbour.differs));
            }
        }
        let plan = plan();
        ended(&[], &plan, "the plan for the neighbours", &[0, 2, 3])?;
        let (real, repeated) = statements(&plan);
        if !repeated.iter().any(|sql| sql.contains(OF_BESIDE)) {
            return Err(Stopped::because(format!("what is beside the neighbours is not called repeated\n{plan}")));
        }
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

/// A list in a variable, with blanks between.
fn listed(variable: &str) -> Option<Vec<String>> {
    let value = std::env::var(variable).ok()?;
    Some(value.split_whitespace().map(str::to_owned).collect())
}

/// The part of the shapes that the suite looks at.
const IN_SUITE: usize = 3;
const AT_ONCE: usize = 2;

#[test]
fn what_is_repeated_is_found_and_no_neighbour_is_taken_for_it() {
    let kits = listed("DRIZZLE_PILOT_SHAPES_KITS");
    let kits = kits.unwrap_or_else(|| ["0.31.11", "0.28.1", "0.21.4"].map(str::to_owned).to_vec());
    let servers = listed("DRIZZLE_PILOT_SHAPES_SERVERS").unwrap_or_else(|| vec!["15".to_owned()]);
    let servers: Vec<Server> = servers.iter().map(|version| Server::called(version)).collect();
    let mut shapes = Shape::all();
    match listed("DRIZZLE_PILOT_SHAPES") {
        None => shapes = shapes.into_iter().step_by(IN_SUITE).collect(),
        Some(names) if names.is_empty() => {}
        Some(names) => {
            let known = |name: &&String| shapes.iter().any(|shape| shape.is_called(name));
            let unknown: Vec<&String> = names.iter().filter(|name| !known(name)).collect();
            assert!(unknown.is_empty(), "fixtures/shapes does not have {unknown:?}");
            shapes.retain(|shape| names.iter().any(|name| shape.is_called(name)));
        }
    }
    let places: Vec<Place> =
        kits.iter().flat_map(|kit| servers.iter().map(move |&server| Place { kit, server })).collect();
    let next = AtomicUsize::new(0);
    let all: Mutex<BTreeMap<usize, Found>> = Mutex::default();
    let work = || {
        loop {
            let idx = next.fetch_add(1, Ordering::SeqCst);
            let Some(place) = places.get(idx) else { return };
            let begun = Instant::now();
            let found = place.look(&shapes);
            found.wrong.iter().for_each(|wrong| eprintln!("shapes: {place}: failed: {}", first_line(wrong)));
            eprintln!(
                "shapes: {place}: {} shapes repeat {} statements, {} neighbours seen, {} failures, {} s",
                found.n_shapes,
                found.repeated.values().sum::<usize>(),
                found.n_seen,
                found.wrong.len(),
                begun.elapsed().as_secs()
            );
            all.lock().expect("nobody panics with it").insert(idx, found);
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let all: Vec<(Place, Found)> =
        places.into_iter().zip(all.into_inner().expect("nobody panicked").into_values()).collect();
    tell(&all);
    let wrong: Vec<String> = all.iter().flat_map(|(place, found)| compared(*place, found, &shapes)).collect();
    assert!(wrong.is_empty(), "{} failures\n\n{}", wrong.len(), wrong.join("\n\n=====\n"));
}

/// Prints what was left out and not seen, and what is repeated.
fn tell(all: &[(Place, Found)]) {
    for (place, found) in all {
        println!("{place}");
        found.notes.iter().for_each(|note| println!("  {note}"));
    }
    println!("\nstatements that are repeated, by shape");
    for (place, Found { repeated, n_shapes, n_seen, .. }) in all {
        println!("{place}: {n_shapes} shapes, {n_seen} neighbours that drizzle-kit sees");
        repeated.iter().for_each(|(name, n)| println!("  {n} {name}"));
    }
}

/// Returns what is wrong, also where with PostgreSQL 15 something else is repeated than `fixtures/shapes/repeated.toml` has. In
/// which order drizzle-kit reads the columns of a key, the server's planner decides, and so another server repeats others.
fn compared(place: Place, found: &Found, shapes: &[Shape]) -> Vec<String> {
    let mut wrong: Vec<String> = found.wrong.iter().map(|wrong| format!("{place}: {wrong}")).collect();
    if place.server != Server::Postgres15 {
        return wrong;
    }
    let mut repeated = Repeated::read();
    let of_kit = repeated.kits.entry(place.kit.to_owned()).or_default();
    let looked_at = || shapes.iter().map(|shape| &shape.name).filter(|name| !found.left_out.contains(*name));
    if std::env::var_os("UPDATE_SHAPES").is_some_and(|update| update == "1") {
        looked_at().for_each(|name| {
            of_kit.remove(name);
        });
        of_kit.extend(found.repeated.clone());
        repeated.write();
        return wrong;
    }
    for name in looked_at() {
        let (now, then) = (found.repeated.get(name).unwrap_or(&0), of_kit.get(name).unwrap_or(&0));
        if now != then {
            wrong.push(format!(
                "{place}: {now} statements of {name} are repeated, and {then} in fixtures/shapes/repeated.toml"
            ));
        }
    }
    wrong
}
