//! Blanks secrets out of text, in every spelling, also where a secret is cut in two by the way it arrives.

mod spelling;
mod telling;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;
use regex::Regex;

/// What stands where a secret stood.
const BLANK: &str = "[REDACTED]";

/// Secrets shorter than this are not searched for: blanking every "a" hides nothing and ruins the text.
const SHORTEST: usize = 3;

/// Secrets longer than this are no secrets, and cost more to look for than they hide.
const LONGEST: usize = 64 << 10;

/// The values that must appear in no output. Passwords of URLs are blanked also where nobody has named them.
#[derive(Clone, Default)]
pub struct Secrets {
    /// All spellings of all values, the longest first.
    values: Vec<String>,
    /// Looks for all of them at once.
    searcher: Option<Arc<AhoCorasick>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

impl Secrets {
    /// Adds values that must not be shown, in every spelling. Very short ones are left out.
    pub fn add(&mut self, values: impl IntoIterator<Item = String>) {
        let is_of_use = |value: &String| value.len() >= SHORTEST && value.len() <= LONGEST;
        self.take(values.into_iter().filter(is_of_use).flat_map(|value| spelling::of(&value)).collect());
    }

    /// Adds texts as they are.
    fn take(&mut self, values: Vec<String>) {
        let is_new = |value: &String| value.len() >= SHORTEST && !self.values.contains(value);
        let new: Vec<String> = values.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        self.values.extend(new);
        self.values.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        self.values.dedup();
        // Only millions of values are too many for it.
        self.searcher = AhoCorasick::new(&self.values).ok().map(Arc::new);
    }

    /// Adds a password. `public` are names that are shown beside it: the user, the database, the host.
    pub fn add_password(&mut self, password: &str, public: &[&str]) {
        let public: Vec<String> = public.iter().map(|name| (*name).to_owned()).collect();
        self.add_found("", telling::Found { value: password.to_owned(), user: None, public });
    }

    /// Adds the secrets in a document, as in drizzle's `dbCredentials`.
    pub fn add_document(&mut self, document: &serde_json::Value, public: &[&str]) {
        let mut all = Vec::new();
        for mut found in telling::of_document("", document) {
            found.public.extend(public.iter().map(|name| (*name).to_owned()));
            all.extend(spellings("", found));
        }
        self.take(all);
    }

    fn add_found(&mut self, name: &str, found: telling::Found) {
        self.take(spellings(name, found));
    }

    /// Tells whether a variable names a file that has a secret in it.
    pub fn are_in_file_of(name: &str) -> bool {
        telling::names_file(name)
    }

    /// Returns a JSON value whose strings are without the secrets.
    pub fn redact_json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.redact(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.redact_json(value)).collect(),
            Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, self.redact_json(value))).collect(),
            other => other,
        }
    }

    /// Takes the secrets of an environment.
    pub fn from_env(env: impl IntoIterator<Item = (String, String)>) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add_env(env, &[]);
        secrets
    }

    /// Adds the secrets of an environment: values whose names tell that they are some, and what stands in URLs, in lists of
    /// settings and in JSON. `public` are names that are shown beside them.
    pub fn add_env(&mut self, env: impl IntoIterator<Item = (String, String)>, public: &[&str]) {
        let mut all = Vec::new();
        for (name, value) in env {
            for mut found in telling::of_setting(&name, &value) {
                found.public.extend(public.iter().map(|name| (*name).to_owned()));
                all.extend(spellings(&name, found));
            }
        }
        self.take(all);
    }

    /// Returns the text without the secrets.
    pub fn redact(&self, text: &str) -> String {
        let mut places = self.known(text);
        places.extend(telling::in_urls(text));
        places.extend(self.cut(text));
        blank(text, places)
    }

    /// Returns where the beginning of a value stands before the sign that a text was cut there.
    fn cut<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        const LEAST: usize = 4;
        text.match_indices('…').filter_map(|(end, _)| {
            let end = text[..end].trim_end().len();
            let n_open = self.n_begun(&text[..end]).filter(|n_open| *n_open >= LEAST)?;
            Some(end - n_open..end)
        })
    }

    /// Returns where the values stand in a text.
    fn known(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.searcher.iter().flat_map(|searcher| searcher.find_overlapping_iter(text));
        found.map(|found| found.range()).collect()
    }

    /// Returns where the text may be cut for this place: there, or behind the secret in whose middle that is. The end of one
    /// may look like the beginning of another.
    fn end_of_whole(&self, text: &str, place: usize) -> usize {
        let is_across = |found: &Range<usize>| found.start < place && found.end > place;
        self.known(text).into_iter().filter(is_across).map(|found| found.end).max().unwrap_or(place)
    }

    /// Returns how many bytes at the end of the text may be the beginning of a secret.
    fn n_open(&self, text: &str) -> usize {
        let of_url = OPEN_URL.find(text).map(|url| url.len()).filter(|length| *length <= LONGEST);
        self.n_begun(text).max(of_url).unwrap_or(0)
    }

    /// Returns how many bytes at the end of the text are the beginning of a value.
    fn n_begun(&self, text: &str) -> Option<usize> {
        let longest = self.values.first().map_or(0, String::len);
        (1..longest.min(text.len() + 1)).rev().filter(|n_bytes| text.is_char_boundary(text.len() - n_bytes)).find(
            |n_bytes| {
                let end = &text[text.len() - n_bytes..];
                self.values.iter().any(|value| value.len() > end.len() && value.starts_with(end))
            },
        )
    }
}

/// The end of a text that may be the beginning of a URL.
static OPEN_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"[A-Za-z][A-Za-z0-9+.-]*(?::/?|://[^\s"'`<>]*)$"#).expect("the pattern is right"));

/// Returns the texts to look for, for a secret that was found as the value of this name.
fn spellings(name: &str, found: telling::Found) -> Vec<String> {
    let telling::Found { value, user, public } = found;
    if value.len() < SHORTEST || value.len() > LONGEST {
        return Vec::new();
    }
    let login = user.map(|user| spelling::in_base64_whole(&format!("{user}:{value}")));
    let mut spelled = if telling::is_public(&value, &public) {
        let mut names = vec!["password".to_owned(), "PASSWORD".to_owned()];
        names.extend((!name.is_empty()).then(|| name.to_owned()));
        let settings = names.iter().flat_map(|name| {
            let around = [("=", ""), ("='", "'"), ("=\"", "\""), (": ", ""), (": '", "'"), (": \"", "\""), (" '", "'")];
            let json = format!("\"{name}\":\"{value}\"");
            around.map(|(before, after)| format!("{name}{before}{value}{after}")).into_iter().chain([json])
        });
        settings.chain([format!(":{value}@")]).collect()
    } else {
        spelling::of(&value)
    };
    spelled.extend(login);
    spelled
}

/// Returns a text with these places blanked. Places that overlap are one.
fn blank(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    let mut clean = String::with_capacity(text.len());
    let mut end = 0;
    for place in places.into_iter().filter(|place| !place.is_empty()) {
        if place.start >= end {
            clean += &text[end..place.start];
            clean += BLANK;
        }
        end = end.max(place.end);
    }
    clean + &text[end..]
}

/// Blanks secrets out of a stream of pieces. Holds back an end that may be the beginning of a secret.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Secrets,
    held: String,
}

impl Redactor {
    /// Adds values that must not be shown from here on.
    pub fn add(&mut self, secrets: &Secrets) {
        self.secrets.take(secrets.values.clone());
    }

    /// Takes a piece and returns what may be shown of it and of what was held back.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        // The end is looked for in the raw text: a secret may begin with another one.
        let open = self.held.len() - self.secrets.n_open(&self.held);
        let held = self.held.split_off(self.secrets.end_of_whole(&self.held, open));
        self.secrets.redact(&std::mem::replace(&mut self.held, held))
    }

    /// Returns what was held back: it is no secret, or a shorter one.
    pub fn finish(&mut self) -> String {
        self.secrets.redact(&std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_blanked_wherever_the_text_is_cut() {
        let text = "connecting to postgres://u:hunter2@host/db, hunter or hunter2 again";
        let mut secrets = Secrets::default();
        secrets.add(["hunter2".to_owned()]);
        for cut in 0..=text.len() {
            let mut redactor = Redactor::default();
            redactor.add(&secrets);
            let shown = redactor.push(&text[..cut]) + &redactor.push(&text[cut..]) + &redactor.finish();
            let expected = "connecting to postgres://u:[REDACTED]@host/db, hunter or [REDACTED] again";
            assert_eq!(shown, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_secret_that_ends_as_it_begins_is_blanked_wherever_the_text_is_cut() {
        let text = "an opensesameo and an opensesameopensesameo here";
        let mut secrets = Secrets::default();
        secrets.add(["opensesameo".to_owned(), "öffneö".to_owned()]);
        for cut in 0..=text.len() {
            let mut redactor = Redactor::default();
            redactor.add(&secrets);
            let shown = redactor.push(&text[..cut]) + &redactor.push(&text[cut..]) + &redactor.finish();
            assert!(!shown.contains("opensesameo"), "cut at {cut}: {shown}");
            assert!(shown.starts_with("an [REDACTED] and an [REDACTED]"), "cut at {cut}: {shown}");
        }
    }

    #[test]
    fn a_secret_that_begins_with_another_is_blanked_whole_wherever_it_is_cut() {
        let text = "a pass12 and a pass12345 here";
        let mut secrets = Secrets::default();
        secrets.add(["pass12".to_owned(), "pass12345".to_owned()]);
        for cut in 0..=text.len() {
            let mut redactor = Redactor::default();
            redactor.add(&secrets);
            let shown = redactor.push(&text[..cut]) + &redactor.push(&text[cut..]) + &redactor.finish();
            assert_eq!(shown, "a [REDACTED] and a [REDACTED] here", "cut at {cut}");
        }
    }

    #[test]
    fn a_password_that_is_an_ordinary_word_is_blanked_where_it_is_a_password() {
        let env = [("DATABASE_URL", "postgres://app:postgres@h/app_db"), ("OTHER_URL", "postgres://shop:shop@h/x")];
        let secrets = Secrets::from_env(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(
            secrets.redact("postgresql at postgres://app:postgres@h/app_db, shop at //shop:shop@h"),
            "postgresql at postgres://app[REDACTED]h/app_db, shop at //shop[REDACTED]h"
        );
        let json = serde_json::json!({ "shop": ["u:shop@h"], "n": 1 });
        assert_eq!(secrets.redact_json(json).to_string(), r#"{"shop":["u[REDACTED]h"],"n":1}"#);
    }

    #[test]
    fn variables_that_look_like_secrets_and_url_passwords_are_found() {
        let env = [("PGPASSWORD", "swordfish"), ("DATABASE_URL", "postgres://u:opensesame@h/db"), ("HOME", "/root")];
        let secrets = Secrets::from_env(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(secrets.redact("swordfish opensesame /root"), "[REDACTED] [REDACTED] /root");
    }
}
