//! Reads `[scratch]`. Pure.

use crate::policy::file::format::{ScratchEntry, StartEntry};
use crate::policy::model::Scratch;

/// Lays the keys of the file or of a profile over those of a policy.
pub(super) fn lay(scratch: &mut Scratch, entry: &ScratchEntry) {
    if let Some(url) = &entry.url {
        scratch.url = Some(url.get_ref().clone());
    }
    if let Some(start) = &entry.start {
        scratch.starts = matches!(start.get_ref(), StartEntry::Auto);
    }
    if let Some(prelude) = &entry.prelude {
        scratch.prelude = Some(prelude.get_ref().clone());
    }
    if let Some(cache) = &entry.cache {
        scratch.caches = *cache.get_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::policy::file::parse;
    use crate::policy::model::Scratch;

    #[test]
    fn the_keys_are_merged_one_by_one() {
        let text = "version = 1
[scratch]
start = \"never\"
prelude = \"auth.sql\"
[profiles.ci]
scratch = { start = \"auto\", cache = false, url = \"postgres://localhost/postgres\" }";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let base = Scratch { starts: false, prelude: Some("auth.sql".to_owned()), ..Scratch::default() };
        assert_eq!(policies.base.scratch(), &base);
        let ci = policies.select(Some("ci"), &|_| None, None).expect("the profile exists");
        let url = Some("postgres://localhost/postgres".to_owned());
        assert_eq!(ci.scratch(), &Scratch { starts: true, caches: false, url, ..base });
    }
}
