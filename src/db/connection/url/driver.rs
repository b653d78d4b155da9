//! The drivers by which drizzle-kit connects to PostgreSQL.

use std::fmt;

/// The npm package that drizzle-kit has found to connect to PostgreSQL with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    #[default]
    Pg,
    PostgresJs,
    Vercel,
    Neon,
}

impl Driver {
    /// Every driver, in the order of drizzle-kit's preference (0.21 to 0.31, `preparePostgresDB`).
    pub const ALL: [Driver; 4] = [Driver::Pg, Driver::PostgresJs, Driver::Vercel, Driver::Neon];

    /// Returns the name of its package.
    pub fn package(self) -> &'static str {
        match self {
            Driver::Pg => "pg",
            Driver::PostgresJs => "postgres",
            Driver::Vercel => "@vercel/postgres",
            Driver::Neon => "@neondatabase/serverless",
        }
    }

    /// Returns the driver of this package.
    pub fn of_package(name: &str) -> Option<Driver> {
        Driver::ALL.into_iter().find(|driver| driver.package() == name)
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.package())
    }
}
