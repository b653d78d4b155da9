//! What `init` writes: scripts, a CI workflow, a hook, a Compose service. Pure: what was found in, text out.

use crate::project::package::Manager;

/// What the texts depend on.
#[derive(Debug, Clone)]
pub struct Setting {
    pub manager: Manager,
    /// The package's folder, seen from the root of the repository; empty where they are the same.
    pub below: String,
    /// Whether the package's folder has the lock file, or the root of its workspace.
    pub has_lock: bool,
    /// What every command line names beside the command, as in ` --config db.config.ts`.
    pub config: String,
    /// The migrations folder, seen from the package's; none where there is none yet.
    pub migrations: Option<String>,
    /// Whether the repository has a Dockerfile.
    pub has_dockerfile: bool,
    /// Whether the database is a PostgreSQL that our own commands connect to.
    pub is_postgres: bool,
}

impl Setting {
    /// Returns a command line of ours as a file runs it that is not package.json.
    fn pilot(&self, args: &str) -> String {
        format!("{} drizzle-pilot {args}{}", self.manager.exec(), self.config)
    }

    fn changes(&self, waits: &str) -> String {
        match self.migrations {
            Some(_) => self.pilot(&format!("migrate{waits}")),
            None => self.pilot("push"),
        }
    }
}

/// Returns the scripts for package.json.
pub fn scripts(setting: &Setting) -> Vec<(&'static str, String)> {
    let then = if setting.migrations.is_some() { "migrate" } else { "push" };
    let reset = format!("reset --then {then}");
    let lines: [(&str, &str); 9] = [
        ("db:push", "push"),
        ("db:push:force", "push --accept-data-loss"),
        ("db:push:force:verbose", "push --accept-data-loss --verbose"),
        ("db:generate", "generate"),
        ("db:migrate", "migrate"),
        ("db:check", "check"),
        ("db:status", "status"),
        ("db:reset", &reset),
        ("db:sync", "sync"),
    ];
    // Where our own commands do not connect, drizzle-kit's migrator does, and the others would only say so.
    let other = |(name, line): (&'static str, &str)| match name {
        "db:migrate" if !setting.is_postgres => Some((name, format!("run{} -- migrate", setting.config))),
        "db:status" | "db:reset" | "db:sync" if !setting.is_postgres => None,
        _ => Some((name, format!("{line}{}", setting.config))),
    };
    let lines = lines.into_iter().filter_map(other);
    lines.map(|(name, line)| (name, format!("drizzle-pilot {line}"))).collect()
}

/// Returns a workflow for GitHub.
pub fn github(setting: &Setting) -> String {
    let mut text = String::from(
        "# Written by `drizzle-pilot init --ci github`; yours to change.
name: database
on:
  pull_request:
  push:
    branches: [main, master]
permissions:
  contents: read
jobs:
  database:
    runs-on: ubuntu-latest
    timeout-minutes: 15
",
    );
    if !setting.below.is_empty() {
        text += &format!("    defaults:\n      run:\n        working-directory: {}\n", yaml(&setting.below));
    }
    text += "    services:
      postgres:
        image: postgres:17
        env:
          POSTGRES_PASSWORD: postgres
        ports: [\"5432:5432\"]
        options: --health-cmd pg_isready --health-interval 2s --health-timeout 5s --health-retries 30
    env:
      DATABASE_URL: postgres://postgres:postgres@localhost:5432/postgres
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0 # check --since needs the merge base with the other branch
";
    match &setting.manager {
        Manager::Pnpm { is_pinned } => {
            text += "      - uses: pnpm/action-setup@v4\n";
            if !is_pinned {
                text += "        with:\n          version: latest # or a packageManager in package.json\n";
            }
        }
        Manager::Bun => text += "      - uses: oven-sh/setup-bun@v2\n",
        Manager::Npm | Manager::Yarn { .. } => {}
    }
    text += "      - uses: actions/setup-node@v4\n        with:\n          node-version: 22\n";
    text += &format!("      - run: {}\n", setting.manager.install(setting.has_lock));
    if !setting.below.is_empty() {
        text += "        working-directory: .\n";
    }
    if setting.migrations.is_some() {
        let check = setting.pilot("check --since \"origin/$GITHUB_BASE_REF\" --schema");
        text += &format!("      - if: github.event_name == 'pull_request'\n        run: {check}\n");
    }
    text += "      # Runs before the tests, so that they find the database with the schema.\n";
    text += &format!("      - run: {} --report database.json --record database.cast\n", setting.changes(""));
    let files = |name: &str| match setting.below.as_str() {
        "" => name.to_owned(),
        below => format!("{below}/{name}"),
    };
    text += &format!(
        "      - if: failure()
        uses: actions/upload-artifact@v4
        with:
          name: database
          path: {}
",
        yaml(&files("database.*"))
    );
    text
}

/// Returns a job for GitLab.
pub fn gitlab(setting: &Setting) -> String {
    let mut text = String::from(
        "# Written by `drizzle-pilot init --ci gitlab`; yours to change.
database:
  image: node:22
  services:
    - name: postgres:17
      alias: postgres
  variables:
    POSTGRES_PASSWORD: postgres
    DATABASE_URL: postgres://postgres:postgres@postgres:5432/postgres
    GIT_DEPTH: \"0\" # check --since needs the merge base with the other branch
  rules:
    - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  before_script:
",
    );
    match setting.manager {
        Manager::Pnpm { .. } | Manager::Yarn { .. } => text += "    - corepack enable\n",
        Manager::Bun => text += "    - npm install --global bun\n",
        Manager::Npm => {}
    }
    text += &format!("    - {}\n  script:\n", setting.manager.install(setting.has_lock));
    if !setting.below.is_empty() {
        text += &format!("    - {}\n", yaml(&format!("cd {}", shell(&setting.below))));
    }
    if setting.migrations.is_some() {
        let check = setting.pilot("check --since \"$CI_MERGE_REQUEST_DIFF_BASE_SHA\" --schema");
        text += &format!("    - if [ -n \"$CI_MERGE_REQUEST_DIFF_BASE_SHA\" ]; then {check}; fi\n");
    }
    text += &format!("    - {} --report database.json\n", setting.changes(" --wait-for-db 60s"));
    let below = if setting.below.is_empty() { String::new() } else { format!("{}/", setting.below) };
    text += &format!(
        "  artifacts:\n    when: on_failure\n    paths:\n      - {}\n",
        yaml(&format!("{below}database.json"))
    );
    text
}

/// Returns the lines by which GitLab finds [`gitlab`].
pub fn gitlab_include(path: &str) -> String {
    format!("include:\n  - local: {path}\n")
}

/// Returns the hook that looks at migrations before they are committed.
pub fn hook(setting: &Setting) -> String {
    format!(
        "#!/bin/sh
# Written by `drizzle-pilot init --hook`: checks the migrations of a commit before it is made.
{}
",
        hook_lines(setting)
    )
}

/// Returns what a hook of the user's needs. git runs hooks at the root of the repository.
pub fn hook_lines(setting: &Setting) -> String {
    let folder = setting.migrations.as_deref().unwrap_or("drizzle");
    let check = setting.pilot(&format!("check --staged --migrations {}", shell(folder)));
    let here = if setting.below.is_empty() { String::new() } else { format!("cd {} && ", shell(&setting.below)) };
    let at = |file: &str| match setting.below.as_str() {
        "" => shell(file),
        below => shell(&format!("{below}/{file}")),
    };
    format!("if [ -e {} ]; then ({here}{check}) || exit $?; fi", at(&format!("{folder}/meta/_journal.json")))
}

/// Returns a Compose file with a database, and the service that brings it to where the schema is.
pub fn compose(setting: &Setting) -> String {
    format!(
        "# Written by `drizzle-pilot init --compose`; yours to change.
services:
  db:
    image: postgres:17
    environment:
      POSTGRES_USER: app
      POSTGRES_PASSWORD: app
      POSTGRES_DB: app
    ports: [\"127.0.0.1:5432:5432\"]
    healthcheck:
      test: [CMD-SHELL, pg_isready -U app -d app]
      interval: 2s
      timeout: 5s
      retries: 30
{}",
        compose_service(setting)
    )
}

/// Returns the service alone, for a Compose file that is there.
pub fn compose_service(setting: &Setting) -> String {
    let from = match (setting.has_dockerfile, setting.below.as_str()) {
        (true, "") => "    build: .\n".to_owned(),
        (true, below) => format!("    build: .\n    working_dir: {}\n", yaml(&format!("/app/{below}"))),
        (false, below) => {
            let folder = if below.is_empty() { "/app".to_owned() } else { format!("/app/{below}") };
            format!(
                "    image: node:22 # node_modules must have been installed on Linux\n    volumes: [\".:/app\"]\n    working_dir: {}\n",
                yaml(&folder)
            )
        }
    };
    format!(
        "  # `docker compose run --rm migrate`; a service with `depends_on: {{ migrate: {{ condition: service_completed_successfully }} }}` waits for it.
  migrate:
{from}    command: {}
    environment:
      DATABASE_URL: postgres://app:app@db:5432/app
    depends_on:
      db: {{ condition: service_healthy }}
",
        setting.changes(" --wait-for-db 60s")
    )
}

/// Writes a text as a value in YAML: as it is where that is safe.
fn yaml(text: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || matches!(char, '/' | '.' | '_' | '-' | '@' | ' ');
    let is_plain = text.chars().all(plain) && text.starts_with(|first: char| first.is_alphanumeric() || first == '/');
    // A string of JSON is one of YAML.
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn shell(word: &str) -> String {
    shell_words::quote(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(manager: Manager, below: &str) -> Setting {
        Setting {
            manager,
            below: below.to_owned(),
            has_lock: true,
            config: String::new(),
            migrations: Some("drizzle".to_owned()),
            is_postgres: true,
            has_dockerfile: false,
        }
    }

    #[test]
    fn a_hook_is_a_shell_script_whatever_the_folders_are_called() {
        for below in ["", "packages/db", "it's a $(folder)"] {
            let hook = hook(&setting(Manager::Npm, below));
            let shell = std::process::Command::new("sh").args(["-n", "-c", &hook]).output().expect("there is a shell");
            assert!(shell.status.success(), "{hook}{}", String::from_utf8_lossy(&shell.stderr));
        }
        assert_eq!(
            hook_lines(&setting(Manager::Pnpm { is_pinned: true }, "packages/db")),
            "if [ -e packages/db/drizzle/meta/_journal.json ]; then (cd packages/db && pnpm exec drizzle-pilot check --staged --migrations drizzle) || exit $?; fi"
        );
    }

    #[test]
    fn no_script_is_written_that_could_only_say_that_it_is_for_postgresql() {
        let written = |is_postgres: bool| {
            let setting = Setting { is_postgres, ..setting(Manager::Npm, "") };
            scripts(&setting).into_iter().map(|(name, line)| format!("{name}: {line}")).collect::<Vec<_>>()
        };
        let others = written(false);
        assert!(others.contains(&"db:migrate: drizzle-pilot run -- migrate".to_owned()), "{others:?}");
        for name in ["db:status", "db:reset", "db:sync"] {
            assert!(written(true).iter().any(|line| line.starts_with(name)), "{name}");
            assert!(!others.iter().any(|line| line.starts_with(name)), "{name}");
        }
    }

    #[test]
    fn every_manager_installs_and_starts_in_its_own_way() {
        let check = |manager: Manager, says: &[&str]| {
            for text in [github(&setting(manager, "")), gitlab(&setting(manager, ""))] {
                for says in says {
                    assert!(text.contains(says), "{says} is not in {text}");
                }
            }
        };
        check(Manager::Npm, &["npm ci", "npx --no-install drizzle-pilot migrate"]);
        check(Manager::Pnpm { is_pinned: false }, &["pnpm install --frozen-lockfile", "pnpm exec drizzle-pilot check"]);
        check(Manager::Yarn { is_classic: true }, &["yarn install --frozen-lockfile", "yarn run drizzle-pilot"]);
        check(Manager::Yarn { is_classic: false }, &["yarn install --immutable"]);
        check(Manager::Bun, &["bun install --frozen-lockfile", "bun run drizzle-pilot"]);
        let pushes = Setting { migrations: None, ..setting(Manager::Npm, "") };
        assert!(github(&pushes).contains("drizzle-pilot push --report") && !github(&pushes).contains("migrate"));
    }
}
