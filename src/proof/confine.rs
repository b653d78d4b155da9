//! The gate before every statement that runs in a scratch database, or for a try: it must stay in its database.

use std::cell::RefCell;

use crate::db::change::confine::{Asks, Confine, Found};
use crate::sql::action::confined::{Confined, Function, Known, Leaves, Server};

/// Does something with statements that have passed the gate or will, and returns what it came to and why the gate refused.
pub fn confined<T>(statements: &[String], run: impl FnOnce(&Confine) -> T) -> (T, Option<Leaves>) {
    let read = Confined::read(statements);
    let refused = RefCell::new(None);
    let judge = |found: &Found| match read.within(&known(found)) {
        Ok(statements) => Some(statements),
        Err(leaves) => {
            refused.replace(Some(leaves));
            None
        }
    };
    let done = run(&Confine { asks: asks(&read), judge: &judge });
    (done, refused.into_inner())
}

/// Returns what the server has to be asked about statements.
pub fn asks(read: &Confined) -> Asks {
    let asked = read.asks();
    Asks { functions: asked.functions.into_iter().collect(), roles: asked.roles.into_iter().collect() }
}

/// Returns what its answer says about them.
pub fn known(found: &Found) -> Known {
    let leaving = found.functions.iter().filter_map(|function| {
        let extension = function.extension.as_deref();
        let leaves = Function { name: &function.name, is_volatile: function.is_volatile, extension }.leaves()?;
        Some((function.name.clone(), leaves))
    });
    Known {
        server: Server::Shared,
        leaving: leaving.collect(),
        roles: found.roles.iter().cloned().collect(),
        extensions: found.extensions.iter().cloned().collect(),
    }
}
