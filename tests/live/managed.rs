//! Databases as managed services hand them out: the application empties what is its own, and nothing of the service's.
//!
//! No service can be reached from here. These are their roles, as the services' manuals describe them.

use url::Url;

use crate::NEWEST;
use crate::support::{Database, OwnServer, Project, Ran};

/// The password of every role here.
const PASSWORD: &str = "of the tests";

/// A server with the roles of a service, and a database in it.
struct Service {
    database: Database,
    project: Project,
    // Dropped last: the database is dropped through it.
    #[expect(dead_code, reason = "it runs as long as it is held")]
    server: OwnServer,
}

impl Service {
    /// Sets one up by SQL, run as the superuser. `{database}` stands for the database's name.
    fn new(version: &str, sql: &str) -> Self {
        let server = OwnServer::start(version, &[]);
        let database = Database::create_at(server.url());
        let name = database.value("SELECT current_database()");
        database.sql(&sql.replace("{database}", &name).replace("{password}", PASSWORD));
        let project = Project::new(NEWEST, &database);
        std::fs::remove_file(project.path("drizzle.config.ts")).expect("it was copied");
        project.policy("[guard]\nhosts = ['127.0.0.1']\n");
        Self { database, project, server }
    }

    fn url(&self, role: &str) -> Url {
        let mut url = self.database.url();
        url.set_username(role).and_then(|()| url.set_password(Some(PASSWORD))).expect("the URL has a host");
        url
    }

    /// Resets as a role.
    fn reset(&self, role: &str, arguments: &[&str]) -> Ran {
        let url = self.url(role);
        self.project.pilot(&["reset", "--yes", "--url", url.as_str()]).args(arguments).run()
    }

    /// What belongs to nobody's application: it has to be the same afterwards.
    fn services(&self) -> Vec<String> {
        self.database.list(
            "SELECT 'extension ' || extname || ' ' || extnamespace::regnamespace FROM pg_extension
             UNION ALL SELECT 'schema ' || nspname || ' ' || nspowner::regrole || coalesce(nspacl::text, '') FROM pg_namespace
              WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'shop', 'drizzle')
             UNION ALL SELECT 'defaults ' || defaclrole::regrole || defaclnamespace::regnamespace || defaclacl::text FROM pg_default_acl
             UNION ALL SELECT 'table ' || schemaname || '.' || tablename || ' ' || tableowner FROM pg_tables
              WHERE schemaname !~ '^pg_' AND schemaname NOT IN ('information_schema', 'public', 'shop', 'drizzle')
             UNION ALL SELECT 'member ' || count(*) FROM pg_depend WHERE deptype = 'e'
             ORDER BY 1",
        )
    }

    fn tables(&self) -> Vec<String> {
        self.database.list(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'shop', 'drizzle') ORDER BY 1",
        )
    }
}

/// What an application makes for itself.
const APPLICATION: &str = "
    SET ROLE app; CREATE SCHEMA shop; CREATE TABLE users (id serial PRIMARY KEY, name text);
    CREATE TABLE shop.orders (id serial PRIMARY KEY, by int REFERENCES users); CREATE TYPE mood AS ENUM ('ok');
    RESET ROLE;";

#[test]
fn on_neon_the_owner_of_the_database_empties_its_own() {
    let neon = Service::new(
        "18",
        &format!(
            "CREATE ROLE neon_superuser; CREATE ROLE cloud_admin SUPERUSER; CREATE ROLE app LOGIN PASSWORD '{{password}}' IN ROLE neon_superuser;
             ALTER DATABASE {{database}} OWNER TO app; CREATE SCHEMA neon AUTHORIZATION cloud_admin;
             CREATE SCHEMA neon_auth AUTHORIZATION cloud_admin; CREATE TABLE neon_auth.users_sync (id text);
             ALTER TABLE neon_auth.users_sync OWNER TO cloud_admin;
             CREATE EXTENSION pg_trgm; CREATE EXTENSION citext; {APPLICATION}"
        ),
    );
    let before = neon.services();
    let ran = neon.reset("app", &["--all-schemas"]).expect(0).says(&["none is left"]);
    assert_eq!(neon.tables(), Vec::<String>::new(), "{ran}");
    assert_eq!(neon.services(), before, "{ran}");
    neon.reset("app", &["--schema", "neon_auth"]).expect(3).says(&["neon_auth", "Neon"]);
}

#[test]
fn on_supabase_what_the_role_could_drop_is_the_services_all_the_same() {
    let supabase = Service::new(
        "15",
        &format!(
            "CREATE ROLE supabase_admin SUPERUSER; CREATE ROLE supabase_auth_admin; CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role;
             CREATE ROLE app LOGIN PASSWORD '{{password}}' CREATEROLE; GRANT supabase_auth_admin TO app;
             ALTER DATABASE {{database}} OWNER TO app; GRANT CREATE ON DATABASE {{database}} TO supabase_auth_admin;
             CREATE SCHEMA extensions AUTHORIZATION supabase_admin; CREATE EXTENSION pgcrypto SCHEMA extensions; CREATE EXTENSION \"uuid-ossp\" SCHEMA extensions;
             CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin; CREATE SCHEMA storage AUTHORIZATION supabase_admin;
             SET ROLE supabase_auth_admin; CREATE TABLE auth.users (id uuid PRIMARY KEY); RESET ROLE;
             GRANT USAGE ON SCHEMA public, auth TO anon, authenticated, service_role, app; GRANT REFERENCES ON auth.users TO app;
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role; {APPLICATION}
             SET ROLE app; CREATE TABLE profiles (id uuid REFERENCES auth.users); RESET ROLE;"
        ),
    );
    let before = supabase.services();
    supabase.reset("app", &["--schema", "auth"]).expect(3).says(&["auth", "Supabase"]);
    let ran = supabase.reset("app", &["--all-schemas"]).expect(0);
    assert_eq!(supabase.tables(), Vec::<String>::new(), "{ran}");
    assert_eq!(supabase.services(), before, "{ran}");
}

#[test]
fn on_rds_a_schema_of_the_masters_is_emptied_by_who_owns_what_is_in_it() {
    let rds = Service::new(
        "13",
        &format!(
            "CREATE ROLE rds_superuser; CREATE ROLE rdsadmin SUPERUSER; CREATE ROLE master LOGIN PASSWORD '{{password}}' CREATEROLE IN ROLE rds_superuser;
             ALTER SCHEMA public OWNER TO master; ALTER DATABASE {{database}} OWNER TO master;
             CREATE ROLE app LOGIN PASSWORD '{{password}}'; GRANT CREATE ON DATABASE {{database}} TO app; GRANT CREATE, USAGE ON SCHEMA public TO app;
             CREATE EXTENSION pg_trgm; {APPLICATION}"
        ),
    );
    let before = rds.services();
    let ran = rds.reset("app", &["--schema", "public", "--schema", "shop"]).expect(0);
    assert_eq!(rds.tables(), Vec::<String>::new(), "{ran}");
    assert_eq!(rds.services(), before, "{ran}");
}

#[test]
fn in_a_shared_database_nothing_of_anybody_else_goes() {
    let shared = Service::new(
        "15",
        &format!(
            "CREATE ROLE app LOGIN PASSWORD '{{password}}'; CREATE ROLE other; ALTER DATABASE {{database}} OWNER TO app;
             ALTER SCHEMA public OWNER TO app; GRANT CREATE ON SCHEMA public TO other; {APPLICATION}
             SET ROLE other; CREATE TABLE theirs (id int); RESET ROLE;"
        ),
    );
    let before = shared.tables();
    let ran = shared.reset("app", &["--schema", "public", "--schema", "shop"]).expect(3).says(&["theirs", "other"]);
    assert_eq!(shared.tables(), before, "{ran}");
}
