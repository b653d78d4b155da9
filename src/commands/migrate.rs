use crate::cli::{MigrateArgs, Shared};
use crate::console::Console;
use crate::exit::Exit;
pub fn run(_: &Shared, _: &MigrateArgs, _: &mut Console) -> Exit { Exit::Internal }
