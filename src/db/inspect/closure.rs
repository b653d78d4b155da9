//! What goes with an object, by what the server has recorded in `pg_depend`. Pure: dependencies in, objects out.
//!
//! One walk for everything that drops: a push, where a statement may say `CASCADE` or not, and a reset, where all do.
//! It goes as `DROP` does (`findDependentObjects` in `dependency.c`).

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::db::inspect::objects::{Dependency, ObjectId, class};

/// An object as a whole: its catalog and its number.
pub(in crate::db) type Key = (u32, u32);

pub(in crate::db) fn key(id: ObjectId) -> Key {
    (id.class, id.oid)
}

/// How much of an object goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Extent {
    Whole,
    Columns(BTreeSet<i32>),
}

/// Objects and columns that go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::db) struct Closure(HashMap<Key, Extent>);

impl Closure {
    /// Tells whether all of an object goes, or this column of it.
    pub(in crate::db) fn contains(&self, id: ObjectId) -> bool {
        match self.0.get(&key(id)) {
            Some(Extent::Whole) => true,
            Some(Extent::Columns(columns)) => id.column != 0 && columns.contains(&id.column),
            None => false,
        }
    }

    /// Tells whether all of an object goes.
    pub(in crate::db) fn contains_whole(&self, class: u32, oid: u32) -> bool {
        self.0.get(&(class, oid)) == Some(&Extent::Whole)
    }

    /// Tells whether an object goes by itself, and not with the table that it is a column of.
    pub(in crate::db) fn reaches(&self, id: ObjectId) -> bool {
        match self.0.get(&key(id)) {
            Some(Extent::Whole) => id.column == 0,
            Some(Extent::Columns(columns)) => columns.contains(&id.column),
            None => false,
        }
    }

    /// Tells whether something of an object goes.
    pub(in crate::db) fn touches(&self, id: ObjectId) -> bool {
        self.0.contains_key(&key(id))
    }

    /// Returns the objects of which something goes.
    pub(in crate::db) fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.keys().copied()
    }

    /// Returns what goes, each object and each column by itself.
    pub(in crate::db) fn ids(&self) -> impl Iterator<Item = ObjectId> {
        self.0.iter().flat_map(|(&(class, oid), extent)| {
            let columns = match extent {
                Extent::Whole => vec![0],
                Extent::Columns(columns) => columns.iter().copied().collect(),
            };
            columns.into_iter().map(move |column| ObjectId { class, oid, column })
        })
    }

    /// Counts the objects of which something goes.
    pub(in crate::db) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds an object or a column, and tells whether it is new.
    pub(in crate::db) fn add(&mut self, id: ObjectId) -> bool {
        match self.0.get_mut(&key(id)) {
            Some(Extent::Whole) => false,
            Some(Extent::Columns(columns)) if id.column != 0 => columns.insert(id.column),
            _ => {
                let extent = match id.column {
                    0 => Extent::Whole,
                    column => Extent::Columns(BTreeSet::from([column])),
                };
                self.0.insert(key(id), extent);
                true
            }
        }
    }

    /// Adds what goes elsewhere.
    pub(in crate::db) fn extend(&mut self, other: &Closure) {
        for id in other.ids() {
            self.add(id);
        }
    }
}

/// What goes with a statement.
#[derive(Debug, Default)]
pub(in crate::db) struct Fall {
    pub(in crate::db) closure: Closure,
    /// What the server drops with `CASCADE` only: without it the statement fails because of these.
    pub(in crate::db) forced: Vec<ObjectId>,
    /// What has an internal part that is to be dropped by itself: the statement fails in any case.
    pub(in crate::db) required_by: Vec<ObjectId>,
}

/// Returns those of a list in this order that have this key.
fn run<'a, 'b>(sorted: &'b [&'a Dependency], by: impl Fn(&Dependency) -> Key, wanted: Key) -> &'b [&'a Dependency] {
    let rest = &sorted[sorted.partition_point(|dependency| by(dependency) < wanted)..];
    let n_wanted = rest.iter().take_while(|dependency| by(dependency) == wanted).count();
    &rest[..n_wanted]
}

/// What depends on what, ready to be walked.
pub(in crate::db) struct Graph<'a> {
    /// In the order of what is needed. There are hundreds of thousands, and a list takes a tenth of the room of a map.
    dependents: Vec<&'a Dependency>,
    /// In the order of what needs something.
    needs: Vec<&'a Dependency>,
}

impl<'a> Graph<'a> {
    pub(in crate::db) fn of(dependencies: &'a [Dependency]) -> Graph<'a> {
        let mut dependents: Vec<&Dependency> = dependencies.iter().collect();
        let mut needs = dependents.clone();
        dependents.sort_by_key(|dependency| key(dependency.on));
        needs.sort_by_key(|dependency| key(dependency.of));
        Graph { dependents, needs }
    }

    /// Returns what needs an object or a column of it, as it was read.
    fn needing(&self, of: Key) -> &[&'a Dependency] {
        run(&self.dependents, |dependency| key(dependency.on), of)
    }

    /// Returns what an object or a column of it needs, as it was read.
    fn needed_by(&self, by: Key) -> &[&'a Dependency] {
        run(&self.needs, |dependency| key(dependency.of), by)
    }

    /// Returns what needs an object or a column of it.
    pub(in crate::db) fn dependents(&self, id: ObjectId) -> impl Iterator<Item = &'a Dependency> {
        self.needing(key(id)).iter().copied()
    }

    /// Returns what needs all of an object, or this column of it.
    fn below(&self, id: ObjectId) -> impl Iterator<Item = &'a Dependency> {
        self.dependents(id).filter(move |below| id.column == 0 || below.on.column == id.column)
    }

    /// Returns what all of an object needs, and how.
    pub(in crate::db) fn needs(&self, id: ObjectId) -> impl Iterator<Item = (ObjectId, char)> {
        let needs = self.needed_by(key(id)).iter();
        needs.filter(|dependency| dependency.of.column == 0).map(|dependency| (dependency.on, dependency.kind))
    }

    /// Returns all that an object needs, and all that those need.
    pub(in crate::db) fn all_needs(&self, id: ObjectId) -> HashSet<Key> {
        let mut seen = HashSet::from([key(id)]);
        let mut open = vec![key(id)];
        while let Some(next) = open.pop() {
            for need in self.needed_by(next) {
                if seen.insert(key(need.on)) {
                    open.push(key(need.on));
                }
            }
        }
        seen
    }

    /// Adds all that goes with these objects by `DROP … CASCADE`: what needs them, and what an internal part or a member
    /// of an extension belongs to. An extension ends the walk, because it must not go.
    pub(in crate::db) fn close(&self, closure: &mut Closure, of: impl IntoIterator<Item = ObjectId>) {
        self.walk(closure, &Past::default(), of, Parts::BelongTo, &mut |_, _| ());
    }

    /// Says what goes with these objects, given what was done before.
    pub(in crate::db) fn fall(&self, roots: &[ObjectId], parts: Parts, past: &Past) -> Fall {
        let mut fall = Fall::default();
        // An object that is reached in several ways goes by itself if one of them says so.
        let mut unasked = HashSet::new();
        self.walk(&mut fall.closure, past, roots.iter().copied(), parts, &mut |id, way| match way {
            Way::Normal => fall.forced.push(id),
            Way::ByItself => {
                unasked.insert(id);
            }
            Way::PartOfRoot => fall.required_by.push(id),
        });
        let goes_by_itself = |id: ObjectId| unasked.contains(&id) || roots.contains(&id);
        fall.forced.retain(|&id| !goes_by_itself(id) && !goes_by_itself(ObjectId { column: 0, ..id }));
        fall.forced.sort_unstable();
        fall.forced.dedup();
        fall.required_by.retain(|id| !roots.contains(id));
        fall
    }

    /// Walks down and, from internal parts, up. Tells of each way by which something is reached.
    fn walk(
        &self,
        closure: &mut Closure,
        past: &Past,
        of: impl IntoIterator<Item = ObjectId>,
        parts: Parts,
        reached: &mut dyn FnMut(ObjectId, Way),
    ) {
        let roots = of.into_iter().filter(|id| !past.gone.contains(*id)).map(|id| (id, Way::PartOfRoot));
        let mut open: Vec<(ObjectId, Way)> = roots.collect();
        while let Some((id, way)) = open.pop() {
            if !closure.add(id) || id.class == class::EXTENSION {
                continue;
            }
            for below in self.below(id).filter(|below| past.stands(below)) {
                let way = if below.kind == 'n' { Way::Normal } else { Way::ByItself };
                reached(below.of, way);
                open.push((below.of, way));
            }
            if id.column != 0 || (way == Way::PartOfRoot && parts == Parts::Alone) {
                continue;
            }
            for (whole, _) in self.needs(id).filter(|(_, kind)| matches!(kind, 'i' | 'e')) {
                if !past.gone.contains(whole) && !closure.contains(whole) {
                    // It is as if the whole had been reached in the way in which the part was.
                    reached(whole, way);
                    open.push((whole, way));
                }
            }
        }
    }
}

/// What comes of what has an internal part that is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Parts {
    /// It is not dropped without what it belongs to.
    BelongTo,
    /// The statement takes it out of what it belongs to.
    Alone,
}

/// How something is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It needs what goes, and stands by itself.
    Normal,
    /// It is a part of what goes, in one sense or another.
    ByItself,
    /// What is to be dropped is an internal part of it.
    PartOfRoot,
}

/// What the statements before have done.
#[derive(Debug, Default)]
pub(in crate::db) struct Past {
    pub(in crate::db) gone: Closure,
    /// Columns that have left their types.
    pub(in crate::db) retyped: HashSet<ObjectId>,
}

impl Past {
    /// Tells whether a dependency is as it was.
    fn stands(&self, dependency: &Dependency) -> bool {
        let Dependency { of, on, .. } = dependency;
        let has_other_type = on.class == class::TYPE && self.retyped.contains(of);
        !self.gone.contains(*of) && !has_other_type
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: ObjectId = id(class::RELATION, 1);
    const TYPE: ObjectId = id(class::TYPE, 2);
    const VIEW: ObjectId = id(class::RELATION, 3);
    const RULE: ObjectId = id(2618, 4);
    const INDEX: ObjectId = id(class::RELATION, 5);
    const KEY: ObjectId = id(2606, 6);
    const DEFAULT: ObjectId = id(2604, 7);

    const fn id(class: u32, oid: u32) -> ObjectId {
        ObjectId { class, oid, column: 0 }
    }

    fn column(column: i32) -> ObjectId {
        ObjectId { column, ..TABLE }
    }

    /// A table with a key on its first column, a column of a type with a default, and a view on both columns.
    fn dependencies() -> Vec<Dependency> {
        [
            (RULE, column(1), 'n'),
            (RULE, column(2), 'n'),
            (RULE, VIEW, 'i'),
            (KEY, column(1), 'a'),
            (INDEX, KEY, 'i'),
            (column(2), TYPE, 'n'),
            (DEFAULT, column(2), 'a'),
            (DEFAULT, TYPE, 'n'),
        ]
        .map(|(of, on, kind)| Dependency { of, on, kind })
        .to_vec()
    }

    #[track_caller]
    fn check(roots: &[ObjectId], past: &Past, goes: &[ObjectId], forced: &[ObjectId], required_by: &[ObjectId]) {
        let dependencies = dependencies();
        let fall = Graph::of(&dependencies).fall(roots, Parts::BelongTo, past);
        let ids: BTreeSet<ObjectId> = fall.closure.ids().collect();
        assert_eq!(ids, goes.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!((fall.forced, fall.required_by), (forced.to_vec(), required_by.to_vec()));
    }

    #[test]
    fn a_part_goes_by_itself_and_what_stands_by_itself_is_forced() {
        let past = Past::default();
        check(&[column(1)], &past, &[column(1), KEY, INDEX, RULE, VIEW], &[VIEW], &[]);
        check(&[TABLE], &past, &[TABLE, KEY, INDEX, RULE, VIEW, DEFAULT], &[VIEW], &[]);
        check(&[TYPE], &past, &[TYPE, column(2), DEFAULT, RULE, VIEW], &[column(2), VIEW], &[]);
        check(&[VIEW], &past, &[VIEW, RULE], &[], &[]);
    }

    #[test]
    fn an_internal_part_is_not_dropped_without_what_it_belongs_to() {
        check(&[INDEX], &Past::default(), &[INDEX, KEY], &[], &[KEY]);
        check(&[KEY], &Past::default(), &[INDEX, KEY], &[], &[]);
    }

    #[test]
    fn a_part_may_be_taken_out_of_what_it_belongs_to() {
        let dependencies = dependencies();
        let fall = Graph::of(&dependencies).fall(&[INDEX], Parts::Alone, &Past::default());
        assert_eq!((fall.closure.ids().collect::<Vec<_>>(), fall.required_by), (vec![INDEX], Vec::new()));
    }

    #[test]
    fn what_is_gone_before_is_not_in_the_way() {
        let mut past = Past::default();
        past.gone.extend(&Graph::of(&dependencies()).fall(&[VIEW], Parts::BelongTo, &past).closure);
        check(&[column(1)], &past, &[column(1), KEY, INDEX], &[], &[]);
        // A column that has another type by now keeps its default, which may speak of the old one.
        past.retyped.insert(column(2));
        check(&[TYPE], &past, &[TYPE, DEFAULT], &[DEFAULT], &[]);
        past.gone.add(DEFAULT);
        check(&[TYPE], &past, &[TYPE], &[], &[]);
    }
}
