//! Blanks secrets out of text, also where a secret is cut in two by the way it arrives.

/// What stands where a secret stood.
const BLANK: &str = "[REDACTED]";

/// Secrets shorter than this are not searched for: blanking every "a" hides nothing and ruins the text.
const SHORTEST: usize = 3;

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

    /// Takes the values of variables whose names look like secrets, and the passwords of URLs, from an environment.
    pub fn from_env(env: impl IntoIterator<Item = (String, String)>) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, value) in env {
            let name = name.to_ascii_uppercase();
            let telling = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"];
            if telling.iter().any(|part| name.contains(part)) && value.len() >= 6 {
                secrets.add([value.clone()]);
            }
            if let Ok(url) = url::Url::parse(&value)
                && let Some(password) = url.password()
            {
                secrets.add([password.to_owned()]);
            }
        }
        secrets
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
        let clean = self.secrets.redact(&self.held);
        let n_open = self.secrets.n_open(&clean);
        let (shown, held) = clean.split_at(clean.len() - n_open);
        let shown = shown.to_owned();
        self.held = held.to_owned();
        shown
    }

    /// Returns what was held back: it turned out to be no secret.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
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
    fn variables_that_look_like_secrets_and_url_passwords_are_found() {
        let env = [("PGPASSWORD", "swordfish"), ("DATABASE_URL", "postgres://u:opensesame@h/db"), ("HOME", "/root")];
        let secrets = Secrets::from_env(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(secrets.redact("swordfish opensesame /root"), "[REDACTED] [REDACTED] /root");
    }
}
