//! Why a file was not read. Pure.

use std::io;
use std::path::PathBuf;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is a folder")]
    Folder,
    #[error("it is a link to {}, which does not exist", to.display())]
    Dangling { to: PathBuf },
    #[error("it is larger than {}", size(*limit))]
    TooLarge { limit: u64 },
    #[error("it has a line of more than {}", size(*limit))]
    LongLine { limit: u64 },
    #[error("it is not UTF-8 text")]
    NotText,
}

/// Says a limit in words.
fn size(n_bytes: u64) -> String {
    match n_bytes {
        n if n % (1 << 30) == 0 => format!("{} GiB", n >> 30),
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}
