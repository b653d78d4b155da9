//! Goes through a plan with a catalog in hand, and tells what it takes along and where it would stop. Pure.
//!
//! What is told here needs no consent and gets none: a statement that cannot run would leave the ones before it behind. So
//! it is told only where the catalog leaves no doubt, and nothing is told after a statement that nobody understands.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::db::inspect::closure::{Closure, Graph, Parts, Past, key};
use crate::db::inspect::objects::{Dependency, Object, ObjectId, class};

/// What a statement does to an object of the catalog, or needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Drop {
        cascade: bool,
        if_exists: bool,
    },
    /// It is dropped, and what it is a part of stays.
    TakeOut,
    /// It is called otherwise from now on.
    Rename,
    /// The name must be free.
    Create,
    /// A column gets another type.
    ChangeType,
    /// The default of a column is another one from now on, or none.
    ChangeDefault,
    /// It must not be there.
    Exclude,
    /// It must be there.
    Need,
    /// Nobody knows what is there from now on.
    Unknown,
}

/// What a subject is in the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::db) struct Found {
    /// Empty where it is not there.
    pub(in crate::db) ids: Vec<ObjectId>,
    /// The same in the tables that inherit from it.
    pub(in crate::db) inherited: Vec<ObjectId>,
}

/// What goes with a statement that does not name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::db) struct Taken {
    pub(in crate::db) act_idx: usize,
    pub(in crate::db) id: ObjectId,
}

/// Why a statement cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::db) enum Why {
    /// These need it, and it is not dropped with `CASCADE`.
    Needed(Vec<ObjectId>),
    /// It is a part of this one.
    PartOf(ObjectId),
    /// An earlier act has taken it along.
    GoneBy(usize),
    Missing,
    /// These stand on the column, whose type changes.
    Held(Vec<ObjectId>),
    /// These are there, and must not be.
    There(Vec<ObjectId>),
}

/// What was read of the catalog.
pub(in crate::db) struct Known<'a> {
    pub(in crate::db) found: &'a [Found],
    pub(in crate::db) dependencies: &'a [Dependency],
    pub(in crate::db) objects: &'a BTreeMap<ObjectId, Object>,
}

#[derive(Debug, Default)]
pub(in crate::db) struct Foreseen {
    pub(in crate::db) taken: Vec<Taken>,
    /// By the number of the act.
    pub(in crate::db) stops: Vec<(usize, Why)>,
}

/// Tells what a plan takes along and where it would stop, given what each of its acts is about.
pub(in crate::db) fn foresee(deeds: &[Deed], known: &Known<'_>) -> Foreseen {
    let graph = Graph::of(known.dependencies);
    let (gone_by, moved, seen) = (HashMap::new(), HashSet::new(), Foreseen::default());
    let mut run = Run { known, graph: &graph, past: Past::default(), gone_by, moved, seen };
    for (act_idx, deed) in deeds.iter().enumerate().take_while(|(_, deed)| **deed != Deed::Unknown) {
        run.act(act_idx, *deed, &known.found[act_idx]);
    }
    // What goes by a statement of its own is named there.
    let dropped = deeds.iter().zip(known.found).filter(|(deed, _)| matches!(deed, Deed::Drop { .. } | Deed::TakeOut));
    let own: HashSet<ObjectId> = dropped.flat_map(|(_, found)| found.ids.iter().copied()).collect();
    let goes_with_own = |id: ObjectId| {
        let table = known.objects.get(&id).and_then(|object| object.part_of);
        table.is_some_and(|oid| own.contains(&ObjectId { class: class::RELATION, oid, column: 0 }))
    };
    run.seen.taken.retain(|taken| !own.contains(&taken.id) && !goes_with_own(taken.id));
    run.seen
}

struct Run<'a> {
    known: &'a Known<'a>,
    graph: &'a Graph<'a>,
    past: Past,
    /// The act with which an object went.
    gone_by: HashMap<ObjectId, usize>,
    moved: HashSet<ObjectId>,
    seen: Foreseen,
}

impl Run<'_> {
    fn act(&mut self, act_idx: usize, deed: Deed, found: &Found) {
        let all = || found.ids.iter().chain(&found.inherited).copied();
        let is_there = |id: &ObjectId| !self.past.gone.contains(*id);
        let there: Vec<ObjectId> = found.ids.iter().copied().filter(is_there).collect();
        let stop = match deed {
            Deed::Drop { cascade, if_exists } => self.fall(act_idx, found, Parts::BelongTo, cascade, if_exists),
            Deed::TakeOut => self.fall(act_idx, found, Parts::Alone, false, true),
            Deed::Rename => {
                self.moved.extend(&found.ids);
                None
            }
            Deed::Create => {
                let taken: Vec<ObjectId> = there.into_iter().filter(|id| !self.is_moved(*id)).collect();
                (!taken.is_empty()).then_some(Why::There(taken))
            }
            Deed::ChangeType => {
                let mut held: Vec<ObjectId> = all().flat_map(|column| self.holders(column)).collect();
                held.sort_unstable();
                held.dedup();
                self.past.retyped.extend(all());
                (!held.is_empty()).then_some(Why::Held(held))
            }
            Deed::ChangeDefault => {
                for id in all() {
                    self.past.gone.add(id);
                }
                None
            }
            Deed::Exclude => (!there.is_empty()).then_some(Why::There(there)),
            Deed::Need if there.is_empty() => {
                let gone_by = found.ids.first().and_then(|id| self.gone_by.get(id));
                Some(gone_by.map_or(Why::Missing, |&act_idx| Why::GoneBy(act_idx)))
            }
            Deed::Need | Deed::Unknown => None,
        };
        self.seen.stops.extend(stop.map(|why| (act_idx, why)));
    }

    /// Drops an object with all that goes with it, and says why that cannot be done.
    fn fall(&mut self, act_idx: usize, found: &Found, parts: Parts, cascade: bool, if_exists: bool) -> Option<Why> {
        let roots: Vec<ObjectId> = found.ids.iter().chain(&found.inherited).copied().collect();
        // What is not found at all is in doubt, and for others to judge.
        let first = *roots.first()?;
        if self.past.gone.contains(first) {
            return self.gone_by.get(&first).filter(|_| !if_exists).map(|&act_idx| Why::GoneBy(act_idx));
        }
        let fall = self.graph.fall(&roots, parts, &self.past);
        let stop = match fall.required_by.first() {
            Some(whole) => Some(Why::PartOf(*whole)),
            None if !cascade && !fall.forced.is_empty() => Some(Why::Needed(fall.forced)),
            None => None,
        };
        for id in fall.closure.ids() {
            self.gone_by.entry(id).or_insert(act_idx);
            if stop.is_none() && self.is_named(id, found, &fall.closure) {
                self.seen.taken.push(Taken { act_idx, id });
            }
        }
        self.past.gone.extend(&fall.closure);
        stop
    }

    /// Tells whether something that goes is a thing of its own to somebody, and not a part of what is named.
    fn is_named(&self, id: ObjectId, found: &Found, closure: &Closure) -> bool {
        let Some(object) = self.known.objects.get(&id) else { return false };
        if found.ids.contains(&id) {
            return false;
        }
        if found.inherited.contains(&id) {
            return !object.is_partition;
        }
        let whole_relation = |oid: u32| closure.contains_whole(class::RELATION, oid);
        if object.part_of.is_some_and(whole_relation) {
            return false;
        }
        if object.kind == "sequence" {
            return self.is_sequence_named(object, closure);
        }
        // What is said of a relation is not said of its columns.
        let owners: Vec<(ObjectId, char)> = if id.column == 0 { self.graph.needs(id).collect() } else { Vec::new() };
        let is_internal = owners.iter().any(|(_, kind)| *kind == 'i');
        let of_gone_column = matches!(id.class, class::DEFAULT)
            && owners.iter().any(|(on, kind)| on.column != 0 && *kind == 'a' && closure.contains(*on));
        let contained = class::container(id.class);
        let of_gone_container =
            owners.iter().any(|(on, _)| contained == Some(on.class) && closure.contains_whole(on.class, on.oid));
        // Statistics over columns of one table, which stand in a schema by themselves.
        let of_gone_table = id.class == class::STATISTICS
            && owners.iter().any(|(on, kind)| *kind == 'a' && closure.contains_whole(on.class, on.oid));
        // That a column is not NULL goes with the column.
        let is_not_null = object.constraint == Some('n');
        !(is_internal || of_gone_column || of_gone_container || of_gone_table || is_not_null)
    }

    /// A sequence goes with its table. With a column alone it is named, and so is one in another schema than its table.
    fn is_sequence_named(&self, sequence: &Object, closure: &Closure) -> bool {
        let mut owners = self.graph.needs(sequence.id).filter(|(on, kind)| on.column != 0 && matches!(kind, 'a' | 'i'));
        !owners.any(|(on, _)| {
            let table = ObjectId { column: 0, ..on };
            let schema = self.known.objects.get(&table).and_then(|table| table.schema.as_ref());
            closure.contains_whole(table.class, table.oid)
                && schema.is_none_or(|schema| Some(schema) == sequence.schema.as_ref())
        })
    }

    /// Returns what keeps a column from changing its type: what has it in an expression that the server does not write anew
    /// (`RememberAllDependentForRebuilding` in `tablecmds.c`).
    fn holders(&self, column: ObjectId) -> Vec<ObjectId> {
        let holds = |of: ObjectId| match of.class {
            class::RULE | class::TRIGGER | class::POLICY | class::ROUTINE | class::PUBLICATION_REL => true,
            // A column that is computed from it.
            class::RELATION => of.column != 0,
            class::DEFAULT => !self.is_default_of(of, column),
            _ => false,
        };
        let standing = self.graph.dependents(column).filter(|below| below.on.column == column.column);
        let holders =
            standing.filter(|below| !self.past.gone.contains(below.of) && holds(below.of)).map(|below| below.of);
        holders.map(|id| self.shown(id)).collect()
    }

    fn is_default_of(&self, default: ObjectId, column: ObjectId) -> bool {
        let names = |id: ObjectId| self.known.objects.get(&id).map(|object| object.names.as_slice());
        names(default).is_some() && names(default) == names(column)
    }

    /// Returns what an object is a part of to a reader: a view is more than its rule.
    fn shown(&self, id: ObjectId) -> ObjectId {
        let whole = self.graph.needs(id).find(|(_, kind)| *kind == 'i').map(|(on, _)| on);
        whole.filter(|on| self.known.objects.contains_key(on)).unwrap_or(id)
    }

    /// Tells whether an object, or what it is a part of, has another name or schema by now.
    fn is_moved(&self, id: ObjectId) -> bool {
        let of = self.known.objects.get(&id);
        let table = of.and_then(|object| object.part_of).map(|oid| ObjectId { class: class::RELATION, oid, column: 0 });
        let may_follow = of.is_none_or(|object| object.kind == "sequence") && !self.moved.is_empty();
        let all = |id: ObjectId| self.moved.contains(&id) || self.moved.iter().any(|moved| key(*moved) == key(id));
        may_follow || all(id) || table.is_some_and(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: ObjectId = id(class::RELATION, 1);
    const ID: ObjectId = column(1);
    const N: ObjectId = column(2);
    const VIEW: ObjectId = id(class::RELATION, 3);
    const RULE: ObjectId = id(class::RULE, 4);
    const INDEX: ObjectId = id(class::RELATION, 5);
    const KEY: ObjectId = id(class::CONSTRAINT, 6);
    const DEFAULT: ObjectId = id(class::DEFAULT, 7);
    const COMPUTED: ObjectId = id(class::DEFAULT, 8);
    const TYPE: ObjectId = id(class::TYPE, 9);
    const DROP: Deed = Deed::Drop { cascade: false, if_exists: false };
    const CASCADE: Deed = Deed::Drop { cascade: true, if_exists: false };

    const fn id(class: u32, oid: u32) -> ObjectId {
        ObjectId { class, oid, column: 0 }
    }

    const fn column(column: i32) -> ObjectId {
        ObjectId { class: class::RELATION, oid: 1, column }
    }

    fn object(id: ObjectId, kind: &str, names: &[&str], part_of: Option<u32>) -> Object {
        Object {
            id,
            kind: kind.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            arguments: Vec::new(),
            schema: Some("public".to_owned()),
            owner: None,
            mine: true,
            part_of,
            rows: None,
            lockable: false,
            constraint: None,
            is_partition: false,
        }
    }

    /// Plays acts on a table with a key on `id`, a column `n` of a type with a default, another that is computed from `n`, and a
    /// view on both.
    #[track_caller]
    fn check(acts: &[(Deed, &[ObjectId])], taken: &[(usize, ObjectId)], stops: &[(usize, Why)]) {
        let objects = [
            object(TABLE, "table", &["public", "t"], Some(1)),
            object(ID, "table column", &["public", "t", "id"], Some(1)),
            object(N, "table column", &["public", "t", "n"], Some(1)),
            object(column(3), "table column", &["public", "t", "m"], Some(1)),
            object(VIEW, "view", &["public", "v"], None),
            object(RULE, "rule", &["public", "v", "_RETURN"], Some(3)),
            object(INDEX, "index", &["public", "t_pkey"], Some(1)),
            object(KEY, "table constraint", &["public", "t", "t_pkey"], Some(1)),
            object(DEFAULT, "default value", &["public", "t", "n"], Some(1)),
            object(COMPUTED, "default value", &["public", "t", "m"], Some(1)),
            object(TYPE, "type", &["public", "mood"], None),
        ];
        let dependencies = [
            (KEY, ID, 'a'),
            (INDEX, KEY, 'i'),
            (N, TYPE, 'n'),
            (DEFAULT, N, 'a'),
            (DEFAULT, TYPE, 'n'),
            (COMPUTED, N, 'n'),
            (column(3), N, 'a'),
            (COMPUTED, column(3), 'i'),
            (RULE, ID, 'n'),
            (RULE, N, 'n'),
            (RULE, VIEW, 'i'),
        ];
        let dependencies = dependencies.map(|(of, on, kind)| Dependency { of, on, kind });
        let objects: BTreeMap<ObjectId, Object> = objects.into_iter().map(|object| (object.id, object)).collect();
        let found: Vec<Found> =
            acts.iter().map(|(_, ids)| Found { ids: ids.to_vec(), inherited: Vec::new() }).collect();
        let deeds: Vec<Deed> = acts.iter().map(|(deed, _)| *deed).collect();
        let seen = foresee(&deeds, &Known { found: &found, dependencies: &dependencies, objects: &objects });
        let mut seen_taken: Vec<(usize, ObjectId)> = seen.taken.iter().map(|taken| (taken.act_idx, taken.id)).collect();
        seen_taken.sort_unstable();
        assert_eq!((seen_taken.as_slice(), seen.stops.as_slice()), (taken, stops));
    }

    #[test]
    fn what_goes_along_is_told_with_what_takes_it() {
        check(&[(CASCADE, &[ID])], &[(0, VIEW), (0, KEY)], &[]);
        check(&[(CASCADE, &[N])], &[(0, column(3)), (0, VIEW)], &[]);
        // What is a part of a table that goes whole is no news, and what goes by its own statement is told there.
        check(&[(CASCADE, &[TABLE])], &[(0, VIEW)], &[]);
        check(&[(DROP, &[VIEW]), (CASCADE, &[ID])], &[(1, KEY)], &[]);
        check(&[(CASCADE, &[ID]), (CASCADE, &[TABLE])], &[(0, VIEW)], &[]);
        check(&[(Deed::Unknown, &[]), (CASCADE, &[ID])], &[], &[]);
    }

    #[test]
    fn what_is_in_the_way_stops_the_plan() {
        check(&[(DROP, &[ID])], &[], &[(0, Why::Needed(vec![VIEW]))]);
        check(&[(DROP, &[INDEX])], &[], &[(0, Why::PartOf(KEY))]);
        check(&[(DROP, &[VIEW]), (DROP, &[N]), (DROP, &[TYPE])], &[(1, column(3))], &[]);
        check(&[(Deed::ChangeType, &[N])], &[], &[(0, Why::Held(vec![column(3), VIEW]))]);
        check(&[(DROP, &[VIEW]), (DROP, &[column(3)]), (Deed::ChangeType, &[N])], &[], &[]);
        // The column has another type by then, and its default has not.
        let retyped: [(Deed, &[ObjectId]); 4] =
            [(DROP, &[VIEW]), (DROP, &[column(3)]), (Deed::ChangeType, &[N]), (DROP, &[TYPE])];
        check(&retyped, &[], &[(3, Why::Needed(vec![DEFAULT]))]);
        let [view, computed, changed, dropped] = retyped;
        check(&[view, computed, (Deed::ChangeDefault, &[DEFAULT]), changed, dropped], &[], &[]);
    }

    #[test]
    fn what_is_needed_must_be_there_and_a_name_must_be_free() {
        check(&[(Deed::Need, &[])], &[], &[(0, Why::Missing)]);
        check(&[(Deed::Need, &[TABLE])], &[], &[]);
        check(&[(CASCADE, &[TABLE]), (Deed::Need, &[TABLE])], &[(0, VIEW)], &[(1, Why::GoneBy(0))]);
        check(&[(CASCADE, &[TABLE]), (DROP, &[VIEW])], &[], &[(1, Why::GoneBy(0))]);
        check(&[(CASCADE, &[TABLE]), (Deed::Drop { cascade: false, if_exists: true }, &[VIEW])], &[], &[]);
        check(&[(Deed::Create, &[VIEW])], &[], &[(0, Why::There(vec![VIEW]))]);
        check(&[(DROP, &[VIEW]), (Deed::Create, &[VIEW])], &[], &[]);
        check(&[(Deed::Rename, &[VIEW]), (Deed::Create, &[VIEW])], &[], &[]);
        check(&[(Deed::Exclude, &[KEY])], &[], &[(0, Why::There(vec![KEY]))]);
    }
}
