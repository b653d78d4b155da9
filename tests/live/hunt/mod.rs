//! A hunt for approvals that nobody gave: changes of schemas that nobody chose, under policies of random strictness.
//!
//! After each run every object, row and value that is gone is named by a rule that allows it, whatever the run said. `scripts/hunt`
//! goes on longer than the suite does.

mod oracle;
mod policy;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Database, Project, Random};
use oracle::{Catalog, Counts};
use policy::Policy;
use world::{Words, World};

/// As many runs the suite has.
const IN_SUITE: u64 = 24;
const SEED: u64 = 20_250_301;
const AT_ONCE: usize = 2;

/// What came of one run.
struct Hunted {
    code: i32,
    n_gone: usize,
    /// What is gone and no rule names.
    unnamed: Vec<String>,
    told: String,
}

const CONFIG: &str = "export default {
  dialect: 'postgresql',
  schema: './schema.ts',
  out: './drizzle',
  schemaFilter: ['public', 'app'],
  dbCredentials: { url: process.env.DATABASE_URL },
};
";

/// Goes from one schema to another, under a policy, by this program or by drizzle-kit alone.
fn hunt(seed: u64, is_forced: bool) -> Hunted {
    let mut random = Random(seed);
    random.below(2);
    let kit = *random.one_of(&["0.31.11", "0.31.11", "0.31.11", "0.28.1", "0.28.1", "0.22.8", "0.21.4"]);
    let words = Words { has_new: kit == "0.31.11" || kit == "0.28.1" };
    let before = World::new(&mut random, words);
    let mut after = before.clone();
    let n_changes = 1 + random.below(3) as usize;
    let mut changes = Vec::new();
    while changes.len() < n_changes {
        changes.extend(after.mutate(&mut random, words));
    }
    let policy = Policy::new(&mut random, &before, &after);
    let hangers = world::hangers(&before, &mut random);
    let database = Database::create();
    database.sql(&before.sql());
    // Some things do not go together, such as two rules of one name.
    let hung: Vec<&String> = hangers.iter().filter(|sql| database.attempt(sql).is_ok()).collect();
    let project = Project::new(kit, &database);
    project.config(CONFIG);
    project.write("schema.ts", &after.schema(words));
    project.policy(&policy.toml());
    let seen = Catalog::of(&database);
    let writes = random.below(3) == 0;
    let writer = writes.then(|| database.busy(random.one_of(&before.tables).late_insert()));
    let mut arguments = vec!["push", "--apply", if policy.in_transaction { "transaction" } else { "kit" }];
    if policy.accepts_losses {
        arguments.push("--accept-data-loss");
    }
    let run = if is_forced { project.kit(&["push", "--force"]) } else { project.pilot(&arguments).without_paste() };
    let ran = run.run();
    if let Some(writer) = writer {
        writer.end();
    }
    let counts = if writes && !policy.in_transaction { Counts::Moving } else { Counts::AsSeen };
    let (unnamed, n_gone) = seen.losses(&Catalog::of(&database), &policy, counts);
    let told = format!(
        "seed {seed}, drizzle-kit {kit}, {arguments:?}, a writer: {writes}\n{}\n--- changes\n{changes:#?}\n--- beside\n{hung:#?}\n\
         --- policy\n{}\n--- before\n{}\n--- after\n{}\n{ran}",
        unnamed.join("\n"),
        policy.toml(),
        before.sql(),
        after.schema(words),
    );
    Hunted { code: ran.code, n_gone, unnamed, told }
}

#[test]
fn nothing_is_gone_that_no_rule_names() {
    let number = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")),
        Err(_) => otherwise,
    };
    let (n_runs, seed) = (number("DRIZZLE_PILOT_HUNT", IN_SUITE), number("DRIZZLE_PILOT_HUNT_SEED", SEED));
    let next = AtomicU64::new(0);
    let codes: Mutex<BTreeMap<i32, (usize, usize)>> = Mutex::default();
    let faults: Mutex<Vec<String>> = Mutex::default();
    let work = || {
        loop {
            let idx = next.fetch_add(1, Ordering::SeqCst);
            if idx >= n_runs {
                return;
            }
            let hunted = hunt(seed.wrapping_add(idx), false);
            let mut codes = codes.lock().expect("nobody panics with it");
            let (n, n_lossy) = codes.entry(hunted.code).or_default();
            *n += 1;
            *n_lossy += usize::from(hunted.n_gone > 0);
            if std::env::var_os("DRIZZLE_PILOT_HUNT_TELL").is_some() {
                println!("{}\n", hunted.told);
            }
            // 7: done, and drizzle-kit repeats a statement. 1: nothing was executed.
            let is_known = matches!(hunted.code, 0 | 3 | 4 | 6 | 7 | 75 | 78) || hunted.code == 1 && hunted.n_gone == 0;
            if !hunted.unnamed.is_empty() || !is_known {
                faults.lock().expect("nobody panics with it").push(hunted.told);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let codes = codes.into_inner().expect("nobody panicked");
    for (code, (n, n_lossy)) in &codes {
        println!("exit code {code}: {n} runs, {n_lossy} of them lost something");
    }
    let faults = faults.into_inner().expect("nobody panicked");
    assert!(faults.is_empty(), "{} of {n_runs} runs\n\n{}", faults.len(), faults.join("\n\n=====\n"));
    // A hunt in which nothing is ever lost finds nothing.
    let n_lossy: usize = codes.values().map(|(_, n_lossy)| n_lossy).sum();
    assert!(n_lossy as u64 * 10 >= n_runs, "only {n_lossy} of {n_runs} runs lost something");
}

/// The hunt is no hunt if it does not see what drizzle-kit destroys without this program.
#[test]
fn what_a_forced_push_destroys_is_seen() {
    let mut seeds = SEED..SEED + 40;
    let told = seeds.find_map(|seed| {
        let hunted = hunt(seed, true);
        (!hunted.unnamed.is_empty()).then_some(hunted.unnamed)
    });
    assert!(told.is_some(), "drizzle-kit push --force destroyed nothing that a policy does not name");
}
