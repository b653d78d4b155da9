//! One spelling for each host, and patterns of hosts. Pure; whoever guards, locks, plans or reports by a host compares these.

use core::net::IpAddr;
use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use url::quirks::domain_to_unicode;

/// Returns the one spelling of a host: a name in lowercase, in ASCII and without a dot at its end; an IP address in its
/// shortest form, without brackets; the folder of a unix socket without what `.` and doubled slashes add.
///
/// Names are not looked up, so `localhost` and `127.0.0.1` stay two hosts.
pub fn spell(host: &str) -> String {
    if host.starts_with('/') {
        // What `..` leads to only the file system knows.
        let parts: Vec<&str> = host.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        return format!("/{}", parts.join("/"));
    }
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().to_string();
    }
    let absolute = bare.trim_end_matches('.');
    // A name that has its `%` to the letter has no other spelling.
    match url::Host::parse(absolute) {
        Ok(url::Host::Domain(name)) if !absolute.contains('%') => name,
        Ok(url::Host::Ipv4(address)) if !absolute.contains('%') => address.to_string(),
        _ => absolute.to_lowercase(),
    }
}

/// Tells whether a host is the folder of a unix socket.
pub fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

/// Returns a pattern that matches a host alone.
pub fn exactly(host: &str) -> String {
    globset::escape(host)
}

/// Hosts by name, perhaps with a glob. `*` alone stands for all; the folder of a unix socket is matched by what begins with
/// `/`, and by no name: nothing says that the server behind it is on this machine.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// The one host that is meant, where there is no glob.
    exact: Option<String>,
    glob: GlobMatcher,
}

impl Pattern {
    /// Reads a pattern. Where it has no glob it is spelled as hosts are.
    ///
    /// # Errors
    /// With what is wrong with its glob.
    pub fn parse(text: &str) -> Result<Pattern, globset::ErrorKind> {
        let trimmed = text.trim();
        // In brackets stands an address, and not a choice of its letters.
        let is_address = trimmed.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_glob = trimmed.contains(['*', '?', '[', '{', '\\']) && !is_address;
        let exact = (!is_glob).then(|| spell(trimmed));
        let written = match &exact {
            Some(host) => exactly(host),
            None if is_socket(trimmed) => trimmed.trim_end_matches('/').to_owned(),
            None => trimmed.trim_end_matches('.').to_owned(),
        };
        let glob = GlobBuilder::new(&written).case_insensitive(!is_socket(&written)).build();
        let glob = glob.map_err(|error| error.kind().clone())?.compile_matcher();
        Ok(Pattern { text: text.to_owned(), exact, glob })
    }

    /// Returns the pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the one host that is meant, in its one spelling, where there is no glob.
    pub fn exact(&self) -> Option<String> {
        self.exact.clone()
    }

    /// Tells whether a host in its one spelling is meant.
    pub fn matches(&self, host: &str) -> bool {
        let is_all = self.text.trim() == "*";
        let is_meant = is_all || is_socket(self.text.trim()) == is_socket(host);
        // A glob may have letters that are spelled otherwise in ASCII.
        is_meant && (self.glob.is_match(host) || self.glob.is_match(domain_to_unicode(host)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (host, expected) in [
            ("localhost", "localhost"),
            ("LocalHost.", "localhost"),
            ("DB.Prod.Example.com.", "db.prod.example.com"),
            ("my_db", "my_db"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("FE80::0001", "fe80::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("::ffff:10.0.0.5", "10.0.0.5"),
            ("::ffff:a00:5", "10.0.0.5"),
            ("Bücher.de", "xn--bcher-kva.de"),
            ("xn--BCHER-kva.de", "xn--bcher-kva.de"),
            ("ｌocalhost", "localhost"),
            ("h%41", "h%41"),
            ("h1,H2", "h1,h2"),
            ("my db", "my db"),
            ("", ""),
            (".", ""),
            ("/run/postgresql", "/run/postgresql"),
            ("/run//postgresql/./", "/run/postgresql"),
            ("/tmp/../cloudsql/App", "/tmp/../cloudsql/App"),
            ("/", "/"),
        ] {
            assert_eq!(spell(host), expected, "{host:?}");
            assert_eq!(spell(expected), expected, "a spelling stays as it is");
        }
    }

    #[test]
    fn a_pattern_means_every_spelling_of_its_hosts() {
        let check = |pattern: &str, host: &str, expected: bool| {
            let read = Pattern::parse(pattern).expect("a good pattern");
            assert_eq!(read.matches(&spell(host)), expected, "{pattern} {host}");
        };
        check("localhost", "LOCALHOST.", true);
        check("localhost", "localhost.example.com", false);
        check("DB.example.com.", "db.example.com", true);
        check("*.Prod.Example.com.", "a.prod.example.com.", true);
        check("*.prod.example.com", "prod.example.com", false);
        check("[::1]", "::1", true);
        check("[::1]", "1", false);
        check("0:0::1", "[::1]", true);
        check("10.0.0.*", "::ffff:10.0.0.5", true);
        check("127.1", "127.0.0.1", true);
        check("bücher.de", "xn--bcher-kva.de", true);
        check("*.bücher.de", "db.BÜCHER.de", true);
        check("db-{a,b}", "db-b", true);
        check(" localhost ", "localhost", true);
    }

    #[test]
    fn the_folder_of_a_socket_is_named_by_its_path_alone() {
        let check = |pattern: &str, folder: &str, expected: bool| {
            let read = Pattern::parse(pattern).expect("a good pattern");
            assert_eq!(read.matches(&spell(folder)), expected, "{pattern} {folder}");
        };
        for folder in ["/cloudsql/shop:europe:prod", "/var/run/postgresql", "/tmp", "/tmp/localhost"] {
            for name in ["localhost", "127.0.0.1", "::1", "*localhost", "*.example.com", "**"] {
                check(name, folder, false);
            }
            check("*", folder, true);
            check(folder, folder, true);
            check(&format!("{folder}/"), &format!("/.{folder}//"), true);
        }
        check("/cloudsql/*", "/cloudsql/shop:europe:prod", true);
        check("/run/postgresql", "/run/PostgreSQL", false);
        check("/*", "localhost", false);
        check("/tmp", "/tmp/../cloudsql/prod", false);
    }
}
