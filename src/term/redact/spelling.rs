//! Every spelling in which a secret may turn up in somebody's output. Pure: a value in, texts to look for out.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use crate::percent::{COMPONENT, USER_INFO, WHOLE_URL};

/// Base64 of fewer characters stands in texts by chance.
const SHORTEST_BASE64: usize = 6;

/// A line of a secret that is shorter tells nothing.
const SHORTEST_LINE: usize = 6;

/// Returns the value in every spelling: as it is, with the escapes of URLs, of JSON, of JavaScript, of SQL and of shells, in
/// base64 wherever it stands there, and the same of each of its lines and of what it says without its own escapes.
pub(super) fn of(value: &str) -> Vec<String> {
    let mut values = vec![value.to_owned()];
    values.extend(unescaped(value));
    values.extend(values.clone().iter().flat_map(|value| lines(value)));
    let mut spelled: Vec<String> = values.iter().flat_map(|value| escaped(value)).collect();
    spelled.sort_unstable();
    spelled.dedup();
    spelled
}

/// Returns what a value says without the escapes of a URL, or out of base64.
fn unescaped(value: &str) -> Vec<String> {
    let plain = value.contains('%').then(|| percent_decode_str(value).decode_utf8().ok()).flatten();
    let bytes = [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD].iter().find_map(|engine| {
        let value = value.trim_end_matches('=');
        (value.len() >= 16).then(|| engine.decode(value).ok()).flatten()
    });
    let is_text = |text: &String| text.chars().all(|character| !character.is_control() || character.is_whitespace());
    let decoded = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(is_text);
    plain.map(|plain| plain.into_owned()).into_iter().chain(decoded).filter(|other| other != value).collect()
}

/// Returns the lines of a value that has several, also where their ends are written as `\n`. The frame of a key is no secret.
fn lines(value: &str) -> Vec<String> {
    let lines: Vec<&str> = value.split(['\n', '\r']).flat_map(|line| line.split("\\n")).map(str::trim).collect();
    if lines.len() < 2 {
        return Vec::new();
    }
    let tells = |line: &&str| line.chars().count() >= SHORTEST_LINE && !line.starts_with("-----");
    lines.into_iter().filter(tells).map(str::to_owned).collect()
}

fn escaped(value: &str) -> Vec<String> {
    let json = |text: &str| {
        let json = serde_json::Value::from(text).to_string();
        json[1..json.len() - 1].to_owned()
    };
    let mut spelled = vec![value.to_owned(), json(value), json(&json(value))];
    for set in [COMPONENT, USER_INFO, WHOLE_URL] {
        let encoded = utf8_percent_encode(value, set).to_string();
        spelled.push(lower_escapes(&encoded));
        spelled.push(encoded);
    }
    spelled.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
    // JavaScript's console, SQL and shells put texts between single quotes.
    spelled.extend(["\\'", "''", "'\\''"].map(|quote| value.replace('\'', quote)));
    spelled.push(value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
    spelled.extend(in_base64(value));
    spelled
}

/// Returns a text whose escapes have small letters, as in `%2f`.
fn lower_escapes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(part.len().min(2));
        text + "%" + &digits.to_ascii_lowercase() + rest
    })
}

/// Returns what base64 makes of a text that stands alone, as a login does in a header.
pub(super) fn in_base64_whole(text: &str) -> String {
    BASE64_STANDARD_NO_PAD.encode(text)
}

/// Returns what base64 makes of a value wherever it stands in a longer text, as a password behind its user: what stands
/// before it shifts it by none, one or two bytes, and the characters that it shares with its neighbours are left out.
fn in_base64(value: &str) -> impl Iterator<Item = String> {
    let shifted = |n_before: usize| {
        let bytes = [vec![0; n_before], value.as_bytes().to_vec()].concat();
        let (from, to) = ((n_before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let encoded = [BASE64_STANDARD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)];
        encoded.map(|text| text.get(from..to).unwrap_or_default().to_owned())
    };
    (0..3).flat_map(shifted).filter(|text| text.len() >= SHORTEST_BASE64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let check = |value: &str, text: &str| {
            assert!(of(value).iter().any(|spelled| text.contains(spelled.as_str())), "{value:?} in {text:?}");
        };
        let value = "s/w &rd'%\"\\+ä";
        for text in [
            value,
            r#"{"password":"s/w &rd'%\"\\+ä"}"#,
            "s%2Fw%20%26rd'%25%22%5C%2B%C3%A4",
            "s%2fw%20%26rd'%25%22%5c%2b%c3%a4",
            "s%2Fw+%26rd%27%25%22%5C%2B%C3%A4",
            "'s/w &rd''%\"\\+ä'",
            "'s/w &rd\\'%\"\\+ä'",
        ] {
            check(value, text);
        }
        for user in ["", "a", "ab", "abc"] {
            for rest in ["", "\n", " and more"] {
                let text = format!("{user}:{value}{rest}");
                check(value, &BASE64_STANDARD.encode(&text));
                check(value, &BASE64_URL_SAFE_NO_PAD.encode(&text));
            }
        }
        check("s%2Fw%26rd", "the password s/w&rd");
        check("dXNlcjpzd29yZGZpc2g=", "user:swordfish");
        assert_eq!(of("plain").iter().filter(|spelled| !spelled.contains("plain")).count(), 3, "{:?}", of("plain"));
    }

    #[test]
    fn a_secret_of_several_lines_is_found_line_by_line() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADAN\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n";
        for value in [key.to_owned(), key.replace('\n', "\r\n"), key.replace('\n', "\\n")] {
            let spelled = of(&value);
            for line in ["MIIBVgIBADAN", "hkiG9w0BAQEFAASC"] {
                assert!(spelled.iter().any(|spelled| spelled == line), "{line} of {value:?}");
            }
            assert!(!spelled.iter().any(|spelled| spelled.starts_with("-----") && spelled.len() < 30), "{spelled:?}");
        }
    }
}
