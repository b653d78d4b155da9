//! The program with databases that npm alone does not bring: better-sqlite3, which is compiled, and MariaDB. Run by
//! `scripts/engines`, which prepares both.

#[allow(dead_code, unused_imports, reason = "the rest is for PostgreSQL")]
#[path = "../support/mod.rs"]
mod support;

mod better_sqlite3;
mod mariadb;
