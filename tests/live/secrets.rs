//! Secrets appear in no output: each of these places has one of its own, everything the project can run prints all of them in
//! every spelling, and nothing that any command leaves has one.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::NEWEST;
use crate::ci::installed;
use crate::support::{Database, Project, Ran, Run};

/// A secret by the place where it stands.
struct Planted {
    place: &'static str,
    secret: &'static str,
}

/// Where secrets are: in our environment, in files that it names, in `.env`, and in drizzle's config.
const PLACES: [(&str, &str); 26] = [
    ("the password of DATABASE_URL", "p4ss/w'rd+&ü"),
    ("sslpassword in the query of DATABASE_URL", "ssl-sesame-1"),
    ("password in the query of a URL", "query-sesame-2"),
    ("authToken in the query of a libSQL URL", "eyJhbGciOi.token-3"),
    ("a URL with two hosts", "hosts-sesame-4"),
    ("a URL whose password has a # and a /", "s#sa/me-5"),
    ("DB_PASS", "pass-sesame-6"),
    ("MYSQL_PWD", "pwd-sesame-7"),
    ("PASSPHRASE", "phrase of sesame 8"),
    ("STRIPE_KEY", "sk_live_sesame9"),
    ("GITHUB_PAT", "ghp_sesame10"),
    ("the key in SENTRY_DSN", "0123456789abcdef11"),
    ("BASIC_AUTH", "user12:auth-sesame-12"),
    ("SESSION_COOKIE", "sid=cookie-sesame-13"),
    ("SESSION", "session-sesame-14"),
    ("a line of PRIVATE_KEY", "MIIBVgIBADANBgkqhkiG15"),
    ("a line of a key whose line ends are written", "MIIBVgIBADANBgkqhkiG16"),
    ("private_key in JSON", "json-sesame-17"),
    ("a list of settings", "list-sesame-18"),
    ("the file of PGPASSFILE", "pgpass:sesame-19"),
    ("a file of DB_PASSWORD_FILE", "file-sesame-20"),
    ("APP_SECRET in .env", "env-sesame-21"),
    ("ssl.passphrase in drizzle's config", "ssl-phrase-22"),
    ("a line of ssl.key in drizzle's config", "MIIBVgIBADANBgkqhkiG23"),
    ("a URL in the text of drizzle's config", "text-sesame-24"),
    ("a decoded variable in base64", "coded-sesame-25"),
];

fn planted() -> Vec<Planted> {
    PLACES.iter().map(|(place, secret)| Planted { place, secret }).collect()
}

fn secret(place: &str) -> &'static str {
    PLACES.iter().find(|(known, _)| *known == place).expect("the place is in the list").1
}

fn spellings(secret: &str) -> [String; 6] {
    let json = serde_json::Value::from(secret).to_string();
    [
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        secret.replace('\'', "''"),
        json[1..json.len() - 1].to_owned(),
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD.encode(format!("user:{secret}")),
    ]
}

/// Prints every variable in every spelling, as a config or a seed may do that somebody debugs.
const PRINT: &str = r#"
import { readFileSync } from 'node:fs';
const shown = (text: string) => {
    const quoted = JSON.stringify(text).slice(1, -1);
    const coded = (text: string) => Buffer.from(text).toString('base64');
    return [text, encodeURIComponent(text), quoted, coded(text), coded('user:' + text), coded('a:' + text)].join('\n');
};
export const all = (): string[] => {
    const files = Object.entries(process.env).filter(([name]) => /(PASS|_)FILE$/.test(name)).map(([, path]) => readFileSync(path!, 'utf8'));
    const texts = [...Object.values(process.env), ...files.map((text) => text.replaceAll('\\:', ':').trim())];
    const values = texts.flatMap((value) => [value!, ...value!.split('\n'), ...value!.split('\\n')]);
    const parts = values.flatMap((value) => [...value.matchAll(/[^\s?&=;,"']+/g)].map((part) => part[0]));
    const inner = values.flatMap((value) => [...value.matchAll(/:([^:]+)@/g)].map((part) => part[1]!));
    const decode = (text: string) => { try { return decodeURIComponent(text); } catch { return text; } };
    const plain = [...values, ...parts, ...inner].flatMap((text) => [text, decode(text)]);
    const coded = plain.filter((text) => /^[A-Za-z0-9+/=]{16,}$/.test(text)).map((text) => Buffer.from(text, 'base64').toString());
    return [...new Set([...plain, ...coded.filter((text) => /^[ -~]+$/.test(text))])].filter((text) => text.length > 3);
};
export const print = (where: string) => console.log(where + '\n' + all().map(shown).join('\n'));
"#;

/// What all commands of one project leave.
struct Left {
    outputs: Vec<(String, String)>,
}

impl Left {
    fn note(&mut self, what: &str, text: String) {
        self.outputs.push((what.to_owned(), text));
    }

    /// Reads what lies in a folder, whatever it is.
    fn read(&mut self, what: &str, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.expect("the folder can be read").path();
            // tsx, by which drizzle-kit reads TypeScript, keeps the project's own text there.
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tsx-")) {
                continue;
            }
            if path.is_dir() {
                self.read(what, &path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.note(&format!("{what}: {}", path.display()), String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
}

/// Returns the pieces of a recording as one text: a secret may be cut in two by the way it came.
fn played(cast: &str) -> String {
    let pieces = cast.lines().skip(1).map(|line| serde_json::from_str(line).expect("a recording has JSON lines"));
    pieces.map(|(_, _, text): (f64, String, String)| text).collect()
}

fn set(project: &Project, database: &Database) -> Vec<(String, String)> {
    let role = format!("{}_keeper", database.value("SELECT current_database()"));
    let quoted = secret("the password of DATABASE_URL").replace('\'', "''");
    database.sql(&format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{quoted}'"));
    let mut url = database.url();
    url.set_username(&role).expect("it has a host");
    url.set_password(Some(secret("the password of DATABASE_URL"))).expect("it has a host");
    url.query_pairs_mut().append_pair("sslpassword", secret("sslpassword in the query of DATABASE_URL"));
    let file = |name: &str, text: String| {
        project.write(name, &text);
        project.path(name).display().to_string()
    };
    let pgpass = secret("the file of PGPASSFILE").replace(':', "\\:");
    let key =
        |line: &str| format!("-----BEGIN PRIVATE KEY-----\n{line}\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n");
    let line = secret("a line of a key whose line ends are written");
    [
        ("DATABASE_URL", url.to_string()),
        ("OTHER_URL", format!("postgres://u@h/d?password={}", secret("password in the query of a URL"))),
        (
            "LIBSQL_URL",
            format!("libsql://h.example.com?authToken={}", secret("authToken in the query of a libSQL URL")),
        ),
        ("REPLICAS", format!("postgres://u:{}@h1:5432,h2:5433/d", secret("a URL with two hosts"))),
        ("BROKEN_URL", format!("postgres://u:{}@h/d", secret("a URL whose password has a # and a /"))),
        ("DB_PASS", secret("DB_PASS").to_owned()),
        ("MYSQL_PWD", secret("MYSQL_PWD").to_owned()),
        ("PASSPHRASE", secret("PASSPHRASE").to_owned()),
        ("STRIPE_KEY", secret("STRIPE_KEY").to_owned()),
        ("GITHUB_PAT", secret("GITHUB_PAT").to_owned()),
        ("SENTRY_DSN", format!("https://{}@sentry.example.com/1", secret("the key in SENTRY_DSN"))),
        ("BASIC_AUTH", secret("BASIC_AUTH").to_owned()),
        ("SESSION_COOKIE", secret("SESSION_COOKIE").to_owned()),
        ("SESSION", secret("SESSION").to_owned()),
        ("PRIVATE_KEY", key(secret("a line of PRIVATE_KEY"))),
        ("SIGNING_KEY", key(line).replace('\n', "\\n")),
        ("GOOGLE", format!("{{\"type\":\"service\",\"private_key\":\"{}\"}}", secret("private_key in JSON"))),
        ("PGLIST", format!("host=h user=u password='{}' dbname=d", secret("a list of settings"))),
        ("PGPASSFILE", file("pgpass", format!("# a comment\nh:*:*:u:{pgpass}\n"))),
        ("DB_PASSWORD_FILE", file("db-password", format!("{}\n", secret("a file of DB_PASSWORD_FILE")))),
        ("CODED_TOKEN", BASE64_STANDARD.encode(secret("a decoded variable in base64"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn config(project: &Project, at_the_end: &str) {
    project.write("print.ts", PRINT);
    project.write(".env", &format!("APP_SECRET={}\n", secret("APP_SECRET in .env")));
    let key = secret("a line of ssl.key in drizzle's config");
    let (phrase, text) =
        (secret("ssl.passphrase in drizzle's config"), secret("a URL in the text of drizzle's config"));
    project.config(&format!(
        "import {{ appendFileSync, readFileSync }} from 'node:fs';
         import {{ print, all }} from './print';
         const ssl = {{ passphrase: '{phrase}', key: '-----BEGIN K-----\\n{key}\\nhkiG9w0BAQEFAASC\\n-----END K-----' }};
         // What everybody on this machine sees of us.
         for (let pid: string | number = process.pid; Number(pid) > 1; ) {{
             const line = readFileSync(`/proc/${{pid}}/cmdline`, 'utf8');
             if (line.includes('/live-')) break; // what runs this test
             appendFileSync('cmdlines', line + '\\n');
             pid = readFileSync(`/proc/${{pid}}/stat`, 'utf8').split(') ').pop()!.split(' ')[1]!;
         }}
         print('config');
         console.log(ssl, Buffer.from(ssl.passphrase).toString('base64'), 'postgres://u:{text}@h/d');
         {at_the_end}
         export default {{
             dialect: 'postgresql', schema: './schema.ts', out: './drizzle',
             dbCredentials: {{ url: process.env.DATABASE_URL, ssl }},
         }};\n",
    ));
}

#[test]
fn no_output_of_any_command_has_a_secret_in_any_spelling() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    let outside = tempfile::tempdir().expect("there is a temporary folder");
    let file = |name: &str| outside.path().join(name);
    for folder in ["tmp", "out"] {
        std::fs::create_dir(file(folder)).expect("the folder is ours");
    }
    config(&project, "");
    project.schema(
        "import { print } from './print';
         print('schema');
         export const users = pgTable('users', { id: integer('id'), note: text('note').default(process.env.DB_PASS!) });\n",
    );
    let print = "node -e \"for (const [k, v] of Object.entries(process.env)) { console.log(k + '=' + v); console.error(encodeURIComponent(v), Buffer.from('user:' + v).toString('base64'), JSON.stringify(v)) }\"";
    let quoted = serde_json::Value::from(print);
    project.policy(&format!(
        "[guard]\nhosts = ['127.0.0.1']\n[reset]\nbefore = [{quoted}]\nafter = [{quoted}]\n[hazards]\ndrop_table = 'approve'\n"
    ));
    let variables = set(&project, &database);
    let text = |path: PathBuf| path.to_str().expect("the path is UTF-8").to_owned();
    let prepared = |run: Run| {
        let run = run.env("TMPDIR", &text(file("tmp"))).env("GITHUB_ACTIONS", "true").env("CI", "true");
        let run = run.env("GITHUB_STEP_SUMMARY", &text(file("out/summary.md"))).without_paste();
        installed(variables.iter().fold(run, |run, (name, value)| run.env(name, value)))
    };
    let mut left = Left { outputs: Vec::new() };
    let mut n_runs = 0;
    let mut run = |arguments: &[&str], codes: &[i32], left: &mut Left| -> Ran {
        n_runs += 1;
        let named = |kind: &str| text(file(&format!("out/{n_runs}.{kind}")));
        let (page, cast, log) = (named("html"), named("cast"), named("log"));
        let mut all = vec![arguments[0], "-v", "--log", &log, "--report-html", &page];
        if !["doctor", "next"].contains(&arguments[0]) {
            all.extend(["--record", &cast]);
        }
        all.extend(&arguments[1..]);
        let ran = prepared(project.pilot(&all)).run();
        assert!(codes.contains(&ran.code), "{arguments:?}: {codes:?}\n{ran}");
        let what = arguments.join(" ");
        left.note(&format!("{what}: stdout"), ran.stdout.clone());
        left.note(&format!("{what}: stderr"), ran.stderr.clone());
        left.note(&format!("{what}: report"), format!("{:#}", ran.report));
        if let Ok(cast) = std::fs::read_to_string(&cast) {
            left.note(&format!("{what}: recording, played"), played(&cast));
        }
        ran
    };
    run(&["doctor"], &[0], &mut left);
    run(&["plan"], &[2], &mut left).says(&["[REDACTED]"]);
    for form in ["json", "markdown", "sql"] {
        run(&["plan", "--format", form], &[2], &mut left);
    }
    run(&["push", "-vv"], &[0], &mut left).says(&["project: config", "project: schema", "[REDACTED]"]);
    run(&["run", "--", "export"], &[0], &mut left).says(&["CREATE TABLE"]);
    run(&["run", "--", "pull"], &[0], &mut left);
    std::fs::remove_dir_all(project.path("drizzle")).expect("pull has written it");
    run(&["generate"], &[0], &mut left);
    run(&["check", "--schema"], &[0, 2], &mut left);
    run(&["status"], &[0, 2], &mut left);
    run(&["next"], &[0, 2], &mut left);
    run(&["sync", "--dry-run"], &[0, 2], &mut left);
    run(&["reset", "--yes", "--then", "migrate"], &[0], &mut left).says(&["PGPASSFILE=", "[REDACTED]"]);
    run(&["migrate"], &[0], &mut left);
    // Arguments are quoted in what is said about them.
    let elsewhere = format!("--url=postgres://u:{}@h/d", secret("DB_PASS"));
    run(&["push", &elsewhere], &[64], &mut left);
    // A config that throws, before anybody knows what it had read.
    config(&project, "throw new Error('no database at ' + all().join(' ') + ' nor at ' + ssl.passphrase.length);");
    for arguments in [&["push"][..], &["plan", "--format", "json"], &["doctor"], &["status"], &["reset", "--yes"]] {
        run(arguments, &[78], &mut left).says(&["no database at"]);
    }
    left.read("a file that was asked for", &file("out"));
    assert!(left.outputs.iter().any(|(what, _)| what.ends_with(".html")), "pages were looked at");
    assert!(left.outputs.iter().any(|(what, text)| what.ends_with("summary.md") && text.contains("REDACTED")));
    left.read("a temporary file", &file("tmp"));
    left.note(
        "the command lines of our processes",
        std::fs::read_to_string(project.path("cmdlines")).expect("it printed"),
    );
    let mut found = Vec::new();
    for Planted { place, secret } in planted() {
        for spelling in spellings(secret) {
            let has = |text: &str| text.contains(&spelling);
            let where_to = left.outputs.iter().filter(|(_, text)| has(text)).map(|(what, _)| what.as_str());
            found.extend(where_to.map(|what| format!("{place} as {spelling} in {what}")));
        }
    }
    assert!(found.is_empty(), "{}\n{:#?}", found.join("\n"), left.outputs);
}
