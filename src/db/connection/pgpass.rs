//! Reads a `.pgpass` file as pgpass 1.0.5 does, which node-pg has. Pure.

use std::mem;

use secrecy::SecretString;

use crate::db::connection::dsn::Dsn;

/// Finds the password for an address in the text of a `.pgpass` file.
///
/// A line is `host:port:database:user:password`, the first four may be `*`, and a backslash takes `:` and `\` their
/// meaning (pgpass 1.0.5, `lib/helper.js`). The first line that fits wins. It compares hosts to the letter.
pub(super) fn find_in_pgpass(text: &str, dsn: &Dsn) -> Option<SecretString> {
    let address = dsn.address();
    let wanted = [&dsn.dialled, &address.port.to_string(), &address.database, &address.user];
    text.lines().filter(|line| !line.trim_start().starts_with('#')).find_map(|line| {
        let fields = pgpass_fields(line);
        let [places @ .., password] = &fields[..] else { return None };
        let fits = places.len() == wanted.len()
            && places.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        (fits && !password.is_empty()).then(|| password.clone().into())
    })
}

/// Returns the passwords in the text of a `.pgpass` file, each with its user.
pub fn passwords_in_pgpass(text: &str) -> impl Iterator<Item = (String, SecretString)> {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| match &pgpass_fields(line)[..] {
        [_, _, _, user, password] => Some((user.clone(), password.clone().into())),
        _ => None,
    })
}

fn pgpass_fields(line: &str) -> Vec<String> {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => field.extend(chars.next()),
            ':' if fields.len() < 4 => fields.push(mem::take(&mut field)),
            char => field.push(char),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_password_file_is_read_as_pgpass_reads_it() {
        let dsn = |url| Dsn::from_url(url, &|_| None).expect("a good URL");
        let find = |text, url| find_in_pgpass(text, &dsn(url)).map(|password| password.expose_secret().to_owned());
        let text = "# a comment\nother:5432:d:u:no\nh:*:d:u:a\\:b\\\\c:d\n*:*:*:*:last\n";
        assert_eq!(find(text, "postgres://u@h:77/d").as_deref(), Some("a:b\\c:d"));
        assert_eq!(find(text, "postgres://u@h:77/e").as_deref(), Some("last"));
        assert_eq!(find("h:5432:d:u", "postgres://u@h/d"), None);
        assert_eq!(find("/run/pg:5432:d:u:p", "socket:/run/pg?db=d&user=u").as_deref(), Some("p"));
    }
}
