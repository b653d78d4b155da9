//! Percent escapes as JavaScript writes and reads them. Pure.

use percent_encoding::utf8_percent_encode;

use crate::db::connection::url::error::DsnError;
use crate::percent::WHOLE_URL;

/// What `decodeURI` leaves encoded, so that a `%2F` in a database name stays.
pub(super) const RESERVED: &str = ";/?:@&=+$,#";

/// Says whether pg-connection-string takes the text for one that nobody has encoded: ``/ |%[^a-f0-9]|%[a-f0-9][^a-f0-9]/i``.
pub(super) fn needs_encoding(text: &str) -> bool {
    text.bytes().enumerate().any(|(idx, byte)| {
        let is_other = |offset| text.as_bytes().get(idx + offset).is_some_and(|byte: &u8| !byte.is_ascii_hexdigit());
        byte == b' ' || byte == b'%' && (is_other(1) || is_other(2))
    })
}

/// Mirrors `encodeURI(str).replace(/%25(\d\d)/g, '%$1')`.
///
/// Only escapes of two decimal digits survive: beside a blank, `%2F` in a password means itself.
pub(super) fn encode_again(text: &str) -> String {
    let encoded = utf8_percent_encode(text, WHOLE_URL).to_string();
    let mut parts = encoded.split("%25");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_escape = part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_digit());
        out.push_str(if is_escape { "%" } else { "%25" });
        out.push_str(part);
    }
    out
}

/// Tells whether there is an escape in a path that `decodeURI` leaves alone.
pub(super) fn is_reserved_escape(path: &str) -> bool {
    decode(path, RESERVED).is_ok_and(|decoded| decode(path, "").is_ok_and(|all| all != decoded))
}

/// Mirrors `decodeURIComponent`, and `decodeURI` where some characters are to stay encoded. Both refuse what is no escape,
/// which `percent_encoding` takes for itself.
pub(super) fn decode(text: &str, kept: &str) -> Result<String, DsnError> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(DsnError::Encoding)?;
        if byte.is_ascii() && kept.contains(char::from(byte)) {
            out.push(b'%');
            out.extend_from_slice(part.as_bytes());
        } else {
            out.push(byte);
            out.extend_from_slice(&part.as_bytes()[2..]);
        }
    }
    String::from_utf8(out).map_err(|_| DsnError::Encoding)
}
