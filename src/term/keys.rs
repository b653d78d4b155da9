//! The keys this program can press.

/// A key. There is no Escape: drizzle-kit takes Escape at "No, abort" for consent
/// (seen in every version from 0.20.18 to 1.0.0-rc.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Up,
    Down,
    Enter,
    /// Ctrl-C. A prompt of drizzle-kit ends with it, exit status 1, and nothing is executed.
    Interrupt,
}

impl Key {
    /// Returns the bytes a terminal sends, always written in one piece: an arrow torn apart begins with an Escape.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Key::Up => b"\x1b[A",
            Key::Down => b"\x1b[B",
            Key::Enter => b"\r",
            Key::Interrupt => b"\x03",
        }
    }

    /// Returns the name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Key::Up => "up",
            Key::Down => "down",
            Key::Enter => "enter",
            Key::Interrupt => "ctrl-c",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_an_escape() {
        for key in [Key::Up, Key::Down, Key::Enter, Key::Interrupt] {
            assert!(!matches!(key.bytes(), b"\x1b" | b"\x1b\x1b"), "{key:?}");
            assert!(key.bytes()[0] != b'\x1b' || key.bytes().len() == 3, "{key:?} is whole");
        }
    }
}
