//! The characters that URLs and their parts cannot have as they are, for [`percent_encoding::utf8_percent_encode`].

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What `encodeURIComponent` escapes.
pub(crate) const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What is escaped in a path: it has the rest of `encodeURI`'s characters, but for those that would end it.
pub(crate) const PATH: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',');

/// What `encodeURI` escapes.
pub(crate) const WHOLE_URL: &AsciiSet = &PATH.remove(b'?').remove(b'#');

/// What the WHATWG URL standard escapes in a user or a password.
pub(crate) const USER_INFO: &AsciiSet = &COMPONENT.remove(b'$').remove(b'&').remove(b'+').remove(b',').remove(b'%');
