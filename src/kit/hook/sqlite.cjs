// Holds what is sent to a file of SQLite: better-sqlite3, and the package `libsql` below @libsql/client, which has the same
// calls. Both are CommonJS, and are met when they are loaded, whoever imports them.
'use strict';

module.exports = (line) => {
  const met = new WeakSet();
  const known = new WeakSet(); // databases whose session was told
  let within = false;

  // What one call makes of others within the driver is not held again.
  const apart = (act) => {
    within = true;
    try {
      return act();
    } finally {
      within = false;
    }
  };

  // Returns what the module exports from now on: its class, which tells why a file cannot be opened.
  return (driver, Database) => {
    if (typeof Database !== 'function' || typeof Database.prototype?.prepare !== 'function' || met.has(Database)) return Database;
    met.add(Database);
    const { prepare, exec, pragma } = Database.prototype;

    const begin = (database) => {
      if (known.has(database)) return;
      if (!line.cleared) line.refuse(`drizzle-kit opened a database with ${driver} before drizzle-pilot saw its config`);
      known.add(database);
      const ask = (sql) => {
        try {
          return prepare.call(database, sql).all().map(Object.values);
        } catch {
          return undefined;
        }
      };
      // A file that is none of SQLite tells it at the query that is waiting.
      const answers = line.cleared.catalog.map(ask);
      const counts = line.counts(answers).map(({ sql, ...of }) => ({ ...of, rows: ask(sql)?.[0]?.[0] }));
      line.exchange({ session: { driver, catalog: { answers, counts } } });
    };
    const told = (sql, act) => {
      try {
        return apart(act);
      } catch (error) {
        line.failed(sql, { message: error.message, code: error.code });
        throw error;
      }
    };
    const held = (database, sql, act) => {
      if (within) return act();
      apart(() => begin(database));
      line.hold(sql);
      return told(sql, act);
    };

    // A statement is held whenever it is executed: one that is prepared once may be executed twice.
    Database.prototype.prepare = function (sql, ...rest) {
      if (within) return prepare.call(this, sql, ...rest);
      apart(() => begin(this));
      const statement = told(sql, () => prepare.call(this, sql, ...rest));
      for (const name of ['run', 'get', 'all', 'iterate']) {
        const execute = statement[name];
        if (typeof execute !== 'function') continue;
        const value = (...args) => held(this, sql, () => execute.apply(statement, args));
        Object.defineProperty(statement, name, { value, configurable: true, writable: true });
      }
      return statement;
    };
    Database.prototype.exec = function (sql, ...rest) {
      return held(this, sql, () => exec.call(this, sql, ...rest));
    };
    Database.prototype.pragma = function (source, ...rest) {
      return held(this, `PRAGMA ${source}`, () => pragma.call(this, source, ...rest));
    };
    const opened = new Proxy(Database, {
      construct: (target, args, made) => {
        try {
          return Reflect.construct(target, args, made);
        } catch (error) {
          line.failed('', { message: error.message, code: error.code || 'SQLITE_CANTOPEN' });
          throw error;
        }
      },
    });
    met.add(opened);
    return opened;
  };
};
