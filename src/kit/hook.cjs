// Loaded by node before drizzle-kit starts (--require). Waits for the moment when drizzle-kit, by its own loader, has
// read the config file; hands that config to drizzle-pilot; goes on only when told to. So the config is read once, by
// the very code that will use it, and every guard stands before drizzle-kit's first connection.
//
// Mail goes out through one named pipe and comes back through another: plain blocking reads, no event loop.
'use strict';

const { DRIZZLE_PILOT_MAIL: mail, DRIZZLE_PILOT_CONFIG: file, DRIZZLE_PILOT_ASK: ask } = process.env;

// A package runner's NODE_OPTIONS reach drizzle-kit's worker threads too: esbuild waits in one for good if it fails,
// and there process.argv[1] is not set yet.
if (mail && file && require('node:worker_threads').isMainThread && process.argv[1]) {
  const fs = require('node:fs');
  const path = require('node:path');
  const Module = require('node:module');

  const real = (name) => {
    try {
      return fs.realpathSync(name);
    } catch {
      return path.resolve(name);
    }
  };
  const wanted = real(file);
  // What `export` prints is SQL for a file, and node's warnings are none.
  if (process.argv.includes('export')) process.removeAllListeners('warning');
  const send = (value) => {
    // Functions and cycles are nothing that a credential consists of.
    const seen = new Set();
    const json = JSON.stringify(value, (_key, part) => {
      if (typeof part === 'bigint') return part.toString();
      if (typeof part === 'object' && part !== null) {
        if (seen.has(part)) return undefined;
        seen.add(part);
      }
      return part;
    });
    fs.writeFileSync(path.join(mail, 'up'), json + '\n');
  };
  const kit = real(process.argv[1]);
  // drizzle-kit looks for its drivers from its own place, and takes this one where it is.
  const required = Module.createRequire(kit);
  const hasPg = () => {
    try {
      return Boolean(required.resolve('pg'));
    } catch {
      return false;
    }
  };
  // drizzle-kit never says which statement failed, and from 0.31.10 on it prints no reason for a migration that failed.
  // Its driver knows both, and is asked to say so.
  const overhear = () => {
    let pg;
    try {
      const { version } = JSON.parse(fs.readFileSync(path.join(path.dirname(kit), 'package.json'), 'utf8'));
      if (/^0\.2[0-2]\./.test(version)) return; // its driver is built in
      pg = required('pg');
    } catch {
      return; // another driver; drizzle-kit's own words are all there is
    }
    const up = fs.openSync(path.join(mail, 'up'), 'w');
    const tell = (query, error) => {
      if (!error || !error.severity) return; // not the server's
      const text = String((query && query.text) || query);
      const statement = text.slice(0, 65536).replace(/[\ud800-\udbff]$/, '');
      const { message, code, detail, hint, position } = error;
      try {
        fs.writeSync(up, JSON.stringify({ failed: { statement, message, code, detail, hint, position } }) + '\n');
      } catch {
        // nobody listens any more
      }
    };
    const query = pg.Client.prototype.query;
    pg.Client.prototype.query = function (...args) {
      const last = args[args.length - 1];
      if (typeof last === 'function') {
        args[args.length - 1] = (error, ...rest) => {
          tell(args[0], error);
          return last(error, ...rest);
        };
        return query.apply(this, args);
      }
      const running = query.apply(this, args);
      if (running && typeof running.then === 'function') running.then(undefined, (error) => tell(args[0], error));
      return running;
    };
  };
  const receive = (isPostgres) => {
    const down = fs.openSync(path.join(mail, 'down'), 'r');
    const piece = Buffer.alloc(65536);
    let line = Buffer.alloc(0);
    while (line[line.length - 1] !== 10) {
      const length = fs.readSync(down, piece);
      if (length === 0) break;
      line = Buffer.concat([line, piece.subarray(0, length)]);
    }
    fs.closeSync(down);
    if (isPostgres && /^(?:migrate|push)$/.test(process.argv[2])) overhear();
    fs.rmSync(mail, { recursive: true, force: true });
    return line.length === 0 ? { stop: true } : JSON.parse(line.toString());
  };

  let told = false;
  let overlay = {};
  const load = Module._load;
  Module._load = function (request, ...rest) {
    const isConfig = typeof request === 'string' && path.isAbsolute(request) && real(request) === wanted;
    if (!isConfig) return load.call(this, request, ...rest);
    let loaded;
    try {
      loaded = load.call(this, request, ...rest);
    } catch (error) {
      if (!told) send({ error: String(error && (error.stack || error.message || error)) });
      told = true;
      throw error;
    }
    const config = loaded && loaded.default ? loaded.default : loaded;
    if (!told) {
      told = true;
      const { dialect, driver, out, schema, schemaFilter, tablesFilter, migrations, dbCredentials } = config ?? {};
      const known = { dialect, driver, out, schema, schemaFilter, tablesFilter, migrations, dbCredentials };
      send({ config: { ...known, hasPg: hasPg() } });
      const reply = receive(dialect === 'postgresql');
      if (reply.stop) process.exit(1);
      Object.assign(process.env, reply.env);
      overlay = reply.config ?? {};
      delete process.env.DRIZZLE_PILOT_MAIL;
      delete process.env.DRIZZLE_PILOT_CONFIG;
      delete process.env.DRIZZLE_PILOT_ASK;
    }
    // Asking before executing, and showing what would be executed, is not left to the project's config.
    // As flags they cannot be given together with a config file before drizzle-kit 0.23.1.
    const asking = ask ? { strict: true, verbose: true } : {};
    const { credentials, ...parts } = overlay;
    if (credentials) parts.dbCredentials = { ...(parts.dbCredentials ?? config.dbCredentials), ...credentials };
    const ours = { ...parts, ...asking };
    return Object.keys(ours).length > 0 ? { default: { ...config, ...ours } } : loaded;
  };
}
