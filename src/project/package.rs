//! A package, who installs packages for it, and what is around it. Pure.

use std::path::PathBuf;

/// Who installs the packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Npm,
    Pnpm {
        /// Whether package.json says its version.
        is_pinned: bool,
    },
    Yarn {
        is_classic: bool,
    },
    Bun,
}

impl Manager {
    pub fn name(self) -> &'static str {
        match self {
            Manager::Npm => "npm",
            Manager::Pnpm { .. } => "pnpm",
            Manager::Yarn { .. } => "yarn",
            Manager::Bun => "bun",
        }
    }

    /// Returns what starts an installed program, and never downloads one.
    pub fn exec(self) -> &'static str {
        match self {
            Manager::Npm => "npx --no-install",
            Manager::Pnpm { .. } => "pnpm exec",
            Manager::Yarn { .. } => "yarn run",
            Manager::Bun => "bun run",
        }
    }

    /// Returns how a CI job installs what the lock file names.
    pub fn install(self, has_lock: bool) -> &'static str {
        match (self, has_lock) {
            (Manager::Npm, true) => "npm ci",
            (Manager::Npm, false) => "npm install",
            (Manager::Pnpm { .. }, true) => "pnpm install --frozen-lockfile",
            (Manager::Pnpm { .. }, false) => "pnpm install",
            (Manager::Yarn { is_classic: true }, true) => "yarn install --frozen-lockfile",
            (Manager::Yarn { is_classic: false }, true) => "yarn install --immutable",
            (Manager::Yarn { .. }, false) => "yarn install",
            (Manager::Bun, true) => "bun install --frozen-lockfile",
            (Manager::Bun, false) => "bun install",
        }
    }

    /// Returns how a package is added for development.
    pub fn add_dev(self, package: &str) -> String {
        match self {
            Manager::Npm => format!("npm install --save-dev {package}"),
            Manager::Pnpm { .. } => format!("pnpm add --save-dev {package}"),
            Manager::Yarn { .. } => format!("yarn add --dev {package}"),
            Manager::Bun => format!("bun add --dev {package}"),
        }
    }

    /// Returns how a script is run.
    pub fn run(self, script: &str) -> String {
        match self {
            Manager::Npm => format!("npm run {script}"),
            Manager::Pnpm { .. } => format!("pnpm {script}"),
            Manager::Yarn { .. } => format!("yarn {script}"),
            Manager::Bun => format!("bun run {script}"),
        }
    }
}

/// A package, and what is around it.
#[derive(Debug)]
pub struct Project {
    pub package_path: PathBuf,
    /// The text of package.json.
    pub package: String,
    pub manager: Manager,
    /// Why it is this one.
    pub managed_by: String,
    pub has_lock: bool,
    /// The root of the workspace that the package is in, if it is not the package itself.
    pub workspace: Option<PathBuf>,
    /// The root of the repository; of the workspace or the package, where there is none.
    pub root: PathBuf,
    pub in_git: bool,
}
