//! Blanks secrets out of text, also where a secret is cut in two by the way it arrives.

/// What stands where a secret stood.
const BLANK: &str = "[REDACTED]";

/// Secrets shorter than this are not searched for: blanking every "a" hides nothing and ruins the text.
const SHORTEST: usize = 3;

/// Words that are in every report. A password that is one of them is not blanked wherever the word stands, which
/// would ruin the report and tell what the password is; only where it stands as a password.
const PUBLIC: [&str; 16] = [
    "postgresql",
    "postgres",
    "mysql",
    "sqlite",
    "singlestore",
    "turso",
    "drizzle",
    "localhost",
    "database",
    "password",
    "public",
    "admin",
    "root",
    "user",
    "test",
    "schema",
];

/// The values that must appear in no output.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Longest first, so that a secret that contains another one is blanked whole.
    values: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

impl Secrets {
    /// Adds values that must not be shown. Very short ones are left out.
    pub fn add(&mut self, values: impl IntoIterator<Item = String>) {
        self.values.extend(values.into_iter().filter(|value| value.len() >= SHORTEST));
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.values.dedup();
    }

    /// Adds a password. `public` are names that are shown beside it: the user, the database, the host.
    pub fn add_password(&mut self, password: &str, public: &[&str]) {
        let shown = PUBLIC.iter().chain(public).any(|word| word.contains(password));
        if !shown {
            return self.add([password.to_owned()]);
        }
        self.add([format!(":{password}@"), format!("password={password}"), format!("'{password}'")]);
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

    /// Takes the values of variables whose names look like secrets, and the passwords of URLs, from an environment.
    pub fn from_env(env: impl IntoIterator<Item = (String, String)>) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add_env(env, &[]);
        secrets
    }

    /// Adds the values of variables whose names look like secrets, and the passwords of URLs, from an environment. `public`
    /// are names that are shown beside them.
    pub fn add_env(&mut self, env: impl IntoIterator<Item = (String, String)>, public: &[&str]) {
        let secrets = self;
        for (name, value) in env {
            let name = name.to_ascii_uppercase();
            let telling = ["SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"];
            let is_password = ["PASSWORD", "PASSWD"].iter().any(|part| name.contains(part));
            if is_password || telling.iter().any(|part| name.contains(part)) && value.len() >= 6 {
                secrets.add_password(&value, public);
            }
            if let Ok(url) = url::Url::parse(&value)
                && let Some(password) = url.password()
            {
                secrets.add_password(password, &[url.username(), url.path(), url.host_str().unwrap_or_default()]);
            }
        }
    }

    /// Returns the text without the secrets.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for value in &self.values {
            if clean.contains(value.as_str()) {
                clean = clean.replace(value.as_str(), BLANK);
            }
        }
        clean
    }

    /// Returns where the text may be cut for this place: there, or behind the secret in whose middle that is. The end of one
    /// may look like the beginning of another.
    fn end_of_whole(&self, text: &str, place: usize) -> usize {
        let ends = self.values.iter().flat_map(|value| {
            let starts = place.saturating_sub(value.len() - 1)..place;
            let whole = starts.filter(|start| text.as_bytes()[*start..].starts_with(value.as_bytes()));
            whole.map(|start| start + value.len())
        });
        ends.max().unwrap_or(place).max(place)
    }

    /// Returns how many bytes at the end of the text may be the beginning of a secret.
    fn n_open(&self, text: &str) -> usize {
        let longest = self.values.first().map_or(0, String::len);
        (1..longest.min(text.len() + 1))
            .rev()
            .filter(|n_bytes| text.is_char_boundary(text.len() - n_bytes))
            .find(|n_bytes| {
                let end = &text[text.len() - n_bytes..];
                self.values.iter().any(|value| value.len() > end.len() && value.starts_with(end))
            })
            .unwrap_or(0)
    }
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
        self.secrets.add(secrets.values.iter().cloned());
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
