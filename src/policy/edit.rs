//! Edits the text of a policy and leaves comments, order and layout as they are. Pure: text in, text out.
//!
//! A new line takes the form of its neighbours, be they below a header, dotted keys or within an inline table. Dotted keys
//! of one table that stand apart are put together.

use toml_edit::{
    Array, ArrayOfTables, Decor, DocumentMut, InlineTable, Item, Key, KeyMut, RawString, Table, TableLike, Value,
};

use crate::policy::model::HazardRule;
use crate::policy::name::Pattern;
use crate::policy::toml_text::toml_string;

/// The text of a policy while it is edited.
pub(super) struct Draft {
    document: DocumentMut,
    has_crlf: bool,
}

/// Where a header that is appended goes: behind all others.
const LAST: Option<isize> = Some(isize::MAX);

impl Draft {
    /// Reads the text; none where it is no TOML.
    pub(super) fn read(text: &str) -> Option<Draft> {
        Some(Draft { document: text.parse().ok()?, has_crlf: text.contains("\r\n") })
    }

    /// Returns the text with every edit.
    pub(super) fn text(&self) -> String {
        let text = self.document.to_string();
        if self.has_crlf { text.replace('\n', "\r\n") } else { text }
    }

    /// Sets the value at a path.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<Value>) -> Option<()> {
        let mut value = value.into();
        match self.item(path) {
            Some(Item::Value(old)) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
                Some(())
            }
            Some(_) => None,
            None => self.add(path, value),
        }
    }

    /// Puts a string before the others of the array at a path.
    pub(super) fn push(&mut self, path: &[&str], text: &str) -> Option<()> {
        match self.item(path) {
            Some(Item::Value(Value::Array(array))) => push_first(array, string(text)),
            Some(_) => return None,
            None => self.add(path, Array::from_iter([string(text)]).into())?,
        }
        Some(())
    }

    /// Puts strings before the others of the array at a path, each on a line of its own.
    pub(super) fn push_lines(&mut self, path: &[&str], texts: &[String]) -> Option<()> {
        const OWN_LINE: &str = "\n  ";
        let known = match self.item(path) {
            Some(Item::Value(Value::Array(array))) => Some(array.clone()),
            Some(_) => return None,
            None => None,
        };
        let mut all = Array::new();
        for text in texts {
            all.push_formatted(string(text).decorated(OWN_LINE, ""));
        }
        match known.filter(|known| !known.is_empty()) {
            Some(known) => {
                all.set_trailing(known.trailing().clone());
                all.set_trailing_comma(known.trailing_comma());
                for (value_idx, value) in known.iter().enumerate() {
                    let mut value = value.clone();
                    if value_idx == 0 && !text(value.decor().prefix()).contains('\n') {
                        value.decor_mut().set_prefix(OWN_LINE);
                    }
                    all.push_formatted(value);
                }
            }
            None => {
                all.set_trailing("\n");
                all.set_trailing_comma(true);
            }
        }
        self.set(path, all)
    }

    /// Sets the rule of a hazard.
    pub(super) fn set_hazard(&mut self, path: &[&str], rule: &HazardRule) -> Option<()> {
        let (only, max_rows) = match rule {
            HazardRule::Refuse => return self.set(path, "refuse"),
            HazardRule::Approve => return self.set(path, "approve"),
            HazardRule::KeepRows => return self.set(path, "keep_rows"),
            HazardRule::Truncate => return self.set(path, "truncate"),
            HazardRule::Skip => return self.set(path, "skip"),
            HazardRule::Limit { only, max_rows } => (only, max_rows),
        };
        let only = only.as_ref().map(|only| Value::from(names(only)));
        let max_rows = match max_rows {
            Some(max_rows) => Some(Value::from(i64::try_from(*max_rows).ok()?)),
            None => None,
        };
        let limits = [("only", only), ("max_rows", max_rows)];
        if !matches!(self.item(path), Some(Item::Table(_))) {
            return self
                .set(path, InlineTable::from_iter(limits.into_iter().filter_map(|(key, value)| Some((key, value?)))));
        }
        // The limits stand on lines of their own.
        for (key, value) in limits {
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            match value {
                Some(value) => self.set(&path, value)?,
                None if self.item(&path).is_some() => self.remove(&path)?,
                None => {}
            }
        }
        Some(())
    }

    /// Adds a table to the array of tables at a path.
    pub(super) fn push_table(&mut self, path: &[&str], entries: &[(&str, Value)]) -> Option<()> {
        let inline = || Value::from(InlineTable::from_iter(entries.iter().cloned()));
        let has_headers = self.has_headers(path);
        match self.item(path) {
            Some(Item::Value(Value::Array(array))) => {
                push_first(array, inline());
                return Some(());
            }
            Some(Item::ArrayOfTables(_)) => {}
            Some(_) => return None,
            None if has_headers => {}
            None => return self.add(path, Array::from_iter([inline()]).into()),
        }
        let (key, parents) = path.split_last()?;
        let set_off = self.set_off();
        let all = self.table(parents)?.entry(key).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let mut table = Table::from_iter(entries.iter().cloned());
        table.set_position(LAST);
        table.decor_mut().set_prefix(set_off);
        all.as_array_of_tables_mut()?.push(table);
        Some(())
    }

    /// Removes a key with its value. The comments above it stay.
    pub(super) fn remove(&mut self, path: &[&str]) -> Option<()> {
        let (key, parents) = path.split_last()?;
        let parent = self.item(parents)?;
        let is_inline = parent.is_inline_table();
        let table = parent.as_table_like_mut()?;
        let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        let key_idx = keys.iter().position(|known| known == key)?;
        let above = above(table.key(key)?);
        let removed = table.remove(key)?.into_value().ok()?;
        let before = key_idx.checked_sub(1).and_then(|idx| table.get_mut(&keys[idx])?.as_value_mut());
        match (before, keys.get(key_idx + 1)) {
            // The last entry of an inline table has the blank before the brace.
            (Some(before), None) if is_inline => {
                before.decor_mut().set_suffix(removed.decor().suffix().cloned().unwrap_or_default());
            }
            _ if is_inline || above.is_empty() => {}
            (_, Some(next)) => {
                let mut next = first_leaf(table.get_key_value_mut(next)?)?;
                let own = text(next.leaf_decor().prefix());
                next.leaf_decor_mut().set_prefix(above + &own);
            }
            (Some(before), None) => put_below(before.decor_mut(), &above),
            (None, None) => {
                if let Item::Table(table) = self.item(parents)? {
                    put_below(table.decor_mut(), &above);
                }
            }
        }
        Some(())
    }

    fn item(&mut self, path: &[&str]) -> Option<&mut Item> {
        path.iter().try_fold(self.document.as_item_mut(), |item, key| item.as_table_like_mut()?.get_mut(key))
    }

    /// Returns how many of the tables on the way to a path exist.
    fn n_known(&mut self, path: &[&str]) -> usize {
        (1..path.len()).take_while(|n_keys| self.item(&path[..*n_keys]).is_some()).count()
    }

    /// Tells whether what is missing of a path is written below a header of its own.
    fn has_headers(&mut self, path: &[&str]) -> bool {
        let n_known = self.n_known(path);
        self.item(&path[..n_known]).and_then(|item| item.as_table().map(|table| !table.is_dotted())).unwrap_or(false)
    }

    /// Adds a value and what is missing of its path below the tables that exist.
    fn add(&mut self, path: &[&str], value: Value) -> Option<()> {
        let n_known = self.n_known(path);
        let (key, parents) = path.split_last()?;
        let missing = &path[n_known..];
        match self.item(&parents[..n_known])? {
            Item::Value(Value::InlineTable(table)) => {
                let value = missing[1..].iter().rev().fold(value, |value, key| {
                    let mut table = InlineTable::from_iter([(*key, value)]);
                    table.set_dotted(true);
                    table.into()
                });
                insert_first(table, missing[0], Item::Value(value));
            }
            Item::Table(table) if table.is_dotted() => {
                let item = missing[1..].iter().rev().fold(Item::Value(value), |item, key| {
                    let mut table = Table::from_iter([(*key, item)]);
                    table.set_dotted(true);
                    Item::Table(table)
                });
                // The comments and the empty line above the first of these lines stay above the new one.
                let mut first = table.iter_mut().next().and_then(first_leaf);
                let above = first.as_ref().map(|first| text(first.leaf_decor().prefix())).unwrap_or_default();
                if let Some(first) = &mut first {
                    first.leaf_decor_mut().set_prefix("");
                }
                insert_first(table, missing[0], item);
                let mut new = table.iter_mut().next().and_then(first_leaf)?;
                new.leaf_decor_mut().set_prefix(above);
            }
            Item::Table(table) if missing.len() == 1 && n_known > 0 && !table.is_implicit() => {
                insert_first(table, key, Item::Value(value));
            }
            Item::Table(_) => {
                let set_off = self.set_off();
                let table = self.table(parents)?;
                table.set_implicit(false);
                table.set_position(LAST);
                table.decor_mut().set_prefix(set_off);
                table.insert(key, Item::Value(value));
            }
            _ => return None,
        }
        Some(())
    }

    /// Returns the table of a path, whose header is not written as long as it holds tables alone.
    fn table(&mut self, path: &[&str]) -> Option<&mut Table> {
        path.iter().try_fold(self.document.as_table_mut(), |table, key| {
            let implied = || {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            };
            table.entry(key).or_insert_with(implied).as_table_mut()
        })
    }

    /// Returns what sets a header off that is appended: the comments at the end of the text, and an empty line.
    fn set_off(&mut self) -> String {
        let trailing = self.document.trailing().as_str().unwrap_or_default().to_owned();
        self.document.set_trailing("");
        let end = match trailing.as_str() {
            "" if self.document.is_empty() => "",
            text if text.is_empty() || text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        trailing + end
    }
}

/// Returns a string of TOML on one line.
pub(super) fn string(text: &str) -> Value {
    let mut value: Value = toml_string(text).parse().expect("it is written as TOML");
    value.decor_mut().clear();
    value
}

fn names(only: &[Pattern]) -> Array {
    only.iter().map(|pattern| string(pattern.text())).collect()
}

fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// Returns the empty lines and comments above a key.
fn above(key: &Key) -> String {
    text(key.leaf_decor().prefix())
}

/// Puts comments on the lines below a value or a header.
fn put_below(decor: &mut Decor, comments: &str) {
    let own = text(decor.suffix());
    decor.set_suffix(format!("{own}\n{}", comments.trim_end()));
}

/// Returns the last part of the first key that is written for an entry, which has what stands above it.
fn first_leaf<'a>((key, item): (KeyMut<'a>, &'a mut Item)) -> Option<KeyMut<'a>> {
    match item {
        Item::Table(table) if table.is_dotted() => table.iter_mut().next().and_then(first_leaf),
        _ => Some(key),
    }
}

/// Inserts a value before the others, on a line of its own if they have lines of their own.
fn push_first(array: &mut Array, mut value: Value) {
    if let Some(first) = array.get_mut(0) {
        let above = text(first.decor().prefix());
        match above.rsplit_once('\n') {
            Some((_, indent)) => value.decor_mut().set_prefix(format!("\n{indent}")),
            None => {
                value.decor_mut().set_prefix(above);
                first.decor_mut().set_prefix(" ");
            }
        }
    }
    array.insert_formatted(0, value);
}

/// Inserts an entry before the others of its table.
fn insert_first(table: &mut dyn TableLike, key: &str, item: Item) {
    let keys: Vec<Key> = table.iter().filter_map(|(key, _)| table.key(key).cloned()).collect();
    let others: Vec<(Key, Item)> =
        keys.into_iter().filter_map(|key| table.remove(key.get()).map(|item| (key, item))).collect();
    table.insert(key, item);
    for (key, item) in others {
        table.entry_format(&key).or_insert(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, edit: impl Fn(&mut Draft) -> Option<()>, after: &str) {
        let mut draft = Draft::read(before).expect("the text is TOML");
        edit(&mut draft).expect("the edit is possible");
        assert_eq!(draft.text(), after, "{before}");
        let mut draft = Draft::read(&before.replace('\n', "\r\n")).expect("the text is TOML");
        edit(&mut draft).expect("the edit is possible");
        assert_eq!(draft.text(), after.replace('\n', "\r\n"), "{before}");
    }

    #[test]
    fn a_new_value_takes_the_form_of_its_neighbours() {
        let add = |draft: &mut Draft| draft.set(&["hazards", "grant"], "approve");
        let cases = [
            ("version = 1\n# all\n", "version = 1\n# all\n\n[hazards]\ngrant = \"approve\"\n"),
            (
                "# of a shop\n[hazards] # some\n# two\ntruncate = 'skip' # sic\n\n[push]\n",
                "# of a shop\n[hazards] # some\ngrant = \"approve\"\n# two\ntruncate = 'skip' # sic\n\n[push]\n",
            ),
            (
                "version = 1\n\n# two\nhazards.truncate = 'skip'\n",
                "version = 1\n\n# two\nhazards.grant = \"approve\"\nhazards.truncate = 'skip'\n",
            ),
            ("hazards = { truncate = 'skip' } # sic\n", "hazards = { grant = \"approve\", truncate = 'skip' } # sic\n"),
            (
                "[hazards.truncate]\nmax_rows = 1\n# the end\n",
                "[hazards.truncate]\nmax_rows = 1\n# the end\n\n[hazards]\ngrant = \"approve\"\n",
            ),
            ("[hazards]\ngrant  =  'refuse'  # no\n", "[hazards]\ngrant  =  \"approve\"  # no\n"),
        ];
        for (before, after) in cases {
            check(before, add, after);
        }
        let texts = [("", ""), ("version = 1\n# no line end", "version = 1\n# no line end\n\n")];
        for (before, start) in texts {
            let mut draft = Draft::read(before).expect("the text is TOML");
            add(&mut draft).expect("the edit is possible");
            assert_eq!(draft.text(), format!("{start}[hazards]\ngrant = \"approve\"\n"));
        }
    }

    #[test]
    fn the_first_name_of_a_list_is_written_as_the_others_are() {
        let push = |draft: &mut Draft| draft.push(&["create", "tables"], "a\"b");
        let cases = [
            ("create.tables = []\n", "create.tables = ['a\"b']\n"),
            ("create = { tables = [ 'c' ] }\n", "create = { tables = [ 'a\"b', 'c' ] }\n"),
            (
                "create.tables = [\n    # one\n    'c', # two\n]\n",
                "create.tables = [\n    'a\"b',\n    # one\n    'c', # two\n]\n",
            ),
        ];
        for (before, after) in cases {
            check(before, push, after);
        }
    }

    #[test]
    fn comments_above_what_is_removed_stay() {
        let cases = [
            ("[a]\n# one\nb = 1 # two\n# three\nc = 2\n", "[a]\n# one\n# three\nc = 2\n"),
            ("[a]\nc = 2 # two\n# one\nb = 1\n", "[a]\nc = 2 # two\n# one\n"),
            ("[a] # two\n# one\nb = 1\n", "[a] # two\n# one\n"),
            ("# one\na.b = 1\na.c.d = 2\n", "# one\na.c.d = 2\n"),
            ("a = { b = 1, c = 2 }\n", "a = { c = 2 }\n"),
            ("a = { c = 2, b = 1 }\n", "a = { c = 2 }\n"),
        ];
        for (before, after) in cases {
            check(before, |draft| draft.remove(&["a", "b"]), after);
        }
    }
}
