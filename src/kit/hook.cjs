// Loaded by node before drizzle-kit starts (--require). Three times it stands between drizzle-kit and what it wants to do,
// tells drizzle-pilot, and goes on only when told to:
//
// 1. drizzle-kit has read its config file, by its own loader: so the config is read once, by the very code that will use
//    it, and every guard stands before the first connection.
// 2. A session with the server begins: it is asked, within itself, where it is and what it is set to.
// 3. A query is about to be sent: it is held until it is known to be a read, or the very one that was approved.
//
// The last two stand where bytes leave for the socket, which is the same place for every driver and every version. Where
// there is no socket, or what leaves there cannot be read, they stand at the driver's own calls (the folder hook).
// Mail goes out through one named pipe and comes back through another: plain blocking reads, no event loop.
'use strict';

const {
  DRIZZLE_PILOT_MAIL: mail,
  DRIZZLE_PILOT_CONFIG: file,
  DRIZZLE_PILOT_ASK: ask,
  DRIZZLE_PILOT_PROBE: probe,
} = process.env;

// A package runner's NODE_OPTIONS reach drizzle-kit's worker threads too: esbuild waits in one for good if it fails,
// and there process.argv[1] is not set yet.
if (mail && require('node:worker_threads').isMainThread && process.argv[1]) {
  const fs = require('node:fs');
  const net = require('node:net');
  const path = require('node:path');
  const Module = require('node:module');

  const real = (name) => {
    try {
      return fs.realpathSync(name);
    } catch {
      return path.resolve(name);
    }
  };
  const wanted = file && real(file);
  // What `export` prints is SQL for a file, and node's warnings are none.
  if (process.argv.includes('export')) process.removeAllListeners('warning');

  // --- Mail ---------------------------------------------------------------------------------------------------------

  let pipes;
  const open = () => {
    pipes ??= { up: fs.openSync(path.join(mail, 'up'), 'w'), down: fs.openSync(path.join(mail, 'down'), 'r') };
    return pipes;
  };
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
    const bytes = Buffer.from(json + '\n');
    for (let sent = 0; sent < bytes.length; ) sent += fs.writeSync(open().up, bytes, sent);
  };
  const receive = () => {
    const piece = Buffer.alloc(65536);
    let line = Buffer.alloc(0);
    while (line[line.length - 1] !== 10) {
      const length = fs.readSync(open().down, piece);
      if (length === 0) break;
      line = Buffer.concat([line, piece.subarray(0, length)]);
    }
    return line.length === 0 ? { stop: true } : JSON.parse(line.toString());
  };
  // Whoever is not told to go on ends here: nothing of what was asked about has happened.
  const exchange = (value) => {
    send(value);
    const reply = receive();
    if (reply.stop) process.exit(1);
    return reply;
  };
  const refuse = (why) => {
    send({ refused: why });
    process.exit(1);
  };

  // What holds drizzle-kit here is node's: its module loader, its sockets.
  const { bun, deno } = process.versions;
  if (bun || deno) refuse(`drizzle-kit runs under ${bun ? `bun ${bun}` : `deno ${deno}`} instead of node`);

  let cleared; // what drizzle-pilot let go on; until then nothing goes to a server

  // What the adaptors of the drivers have.
  const line = {
    get cleared() {
      return cleared;
    },
    send,
    exchange,
    refuse,
    // Waits until a query may be sent. Returns what is sent instead of it, if something is; or, to who can do that, that it
    // is kept and answered as if it had been sent.
    hold: (query, keeps = false) => {
      if (!cleared) refuse('drizzle-kit sent a query before drizzle-pilot saw its config');
      if (!cleared.hold) return {};
      const { instead, kept } = exchange({ query });
      if (kept && !keeps) refuse('drizzle-kit sent a statement through a driver that cannot keep it');
      return { instead: instead ?? undefined, kept };
    },
    failed: (text, error) => {
      const statement = text.slice(0, 65536).replace(/[\ud800-\udbff]$/, '');
      send({ failed: { statement, ...error } });
    },
    // The rows of SQLite that lose something when those that they refer to are deleted: each has table, target, column and
    // action, as `pragma_foreign_key_list` tells them.
    counts: (answers) => {
      const name = (text) => `"${text.replaceAll('"', '""')}"`;
      const references = (answers[cleared.references] ?? []).filter(([, , , action]) => /CASCADE|SET/i.test(action));
      return references.map(([table, , column]) => ({
        table,
        column,
        sql: `SELECT count(*) FROM (SELECT 1 FROM ${name(table)} WHERE ${name(column)} IS NOT NULL LIMIT ${cleared.most})`,
      }));
    },
  };

  // --- Sessions with PostgreSQL -----------------------------------------------------------------------------------------
  // Frames of the protocol, version 3 (PostgreSQL's documentation, "Message Formats"): a letter, a length that counts
  // itself, and the rest. The first message of a client has no letter.

  const PROTOCOL_3 = 3; // the upper half of the start-up message's number; requests for TLS and the like have 1234
  // Cuts whole frames off a stream of pieces, and hands each over with its letter.
  const frames = (take) => {
    let rest = Buffer.alloc(0);
    return (piece) => {
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
        const frame = rest.subarray(0, 1 + rest.readUInt32BE(1));
        rest = rest.subarray(frame.length);
        take(String.fromCharCode(frame[0]), frame);
      }
    };
  };
  const cString = (bytes, from) => bytes.toString('utf8', from, bytes.indexOf(0, from));
  const message = (letter, ...parts) => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const head = Buffer.alloc(5, letter);
    head.writeUInt32BE(4 + body.length, 1);
    return Buffer.concat([head, body]);
  };
  const framed = (letter, text) => message(letter, text + '\0');
  const fields = (frame) => {
    const values = [];
    for (let at = 7, left = frame.readUInt16BE(5); left > 0; left -= 1) {
      const length = frame.readInt32BE(at);
      values.push(length < 0 ? null : frame.toString('utf8', at + 4, at + 4 + length));
      at += 4 + Math.max(length, 0);
    }
    return values;
  };
  // An error as drivers have it: its parts by their letters ("Error and Notice Message Fields").
  const complaint = (frame) => {
    const parts = {};
    for (let at = 5; frame[at] !== 0; ) {
      const text = cString(frame, at + 1);
      parts[String.fromCharCode(frame[at])] = text;
      at += 2 + Buffer.byteLength(text);
    }
    return { message: parts.M, code: parts.C, detail: parts.D, hint: parts.H, position: parts.P };
  };

  // The same message with another query in it.
  const replaced = (letter, frame, query) => {
    if (letter === 'Q') return framed('Q', query);
    const at = frame.indexOf(0, 5) + 1;
    return message(letter, frame.subarray(5, at), query, frame.subarray(frame.indexOf(0, at)));
  };

  class Session {
    constructor(socket, write) {
      Object.assign(this, { socket, write });
      this.statements = new Map(); // prepared ones, by name
      this.portals = new Map();
      this.running = []; // what was sent and is not answered yet
      this.waiting = []; // what may not be sent before the session is known
      this.known = false;
      this.asking = undefined;
      this.outgoing = frames((letter, frame) => this.leave(letter, frame));
      this.incoming = frames((letter, frame) => this.arrive(letter, frame));
      const emit = socket.emit;
      this.deliver = (bytes) => process.nextTick(() => emit.call(socket, 'data', bytes));
      socket.emit = (event, ...args) => {
        if (event === 'close') sessions.delete(socket);
        if (event !== 'data') return emit.call(socket, event, ...args);
        this.passed = [];
        const wasAsking = this.asking;
        this.incoming(args[0]);
        if (!wasAsking) return emit.call(socket, event, ...args);
        // What answers us is nobody else's; what came along with it is.
        return this.passed.length > 0 && emit.call(socket, event, Buffer.concat(this.passed));
      };
    }

    // Takes what the driver sends. Everything but logging in and leaving waits until the session is known.
    leave(letter, frame) {
      if (!this.known && 'QPF'.includes(letter)) {
        this.waiting.push([letter, frame]);
        if (!this.asking) this.question();
      } else if (this.waiting.length > 0) {
        this.waiting.push([letter, frame]);
      } else {
        this.pass(letter, frame);
      }
    }

    question() {
      this.asking = {};
      this.write.call(this.socket, framed('Q', cleared.question));
    }

    answered({ answers, error }) {
      this.asking = undefined;
      exchange({ session: { answers, error } });
      this.known = true;
      for (const [letter, frame] of this.waiting.splice(0)) this.pass(letter, frame);
    }

    pass(letter, frame) {
      const text = letter === 'Q' ? cString(frame, 5) : letter === 'P' ? cString(frame, frame.indexOf(0, 5) + 1) : undefined;
      if (this.keeping && letter !== 'X') return this.answerKept(letter, frame);
      if (text !== undefined || letter === 'F') {
        const { instead, kept } = line.hold(text ?? '(a function by its number)', true);
        if (kept) return this.answerKept(letter, frame);
        if (instead !== undefined) frame = replaced(letter, frame, instead);
      }
      if (letter === 'P') this.statements.set(cString(frame, 5), text);
      if (letter === 'B') {
        const portal = cString(frame, 5);
        this.portals.set(portal, this.statements.get(cString(frame, frame.indexOf(0, 5) + 1)));
        this.bound = this.portals.get(portal);
      }
      if (letter === 'Q') this.running.push(text);
      if (letter === 'S') this.running.push(this.bound ?? this.statements.get(''));
      this.write.call(this.socket, frame);
    }

    // Answers a message in the server's place, as for a statement that returns no rows. What belongs to an extended query is
    // kept along with it, up to its end.
    answerKept(letter, frame) {
      const complete = framed('C', 'SELECT 0');
      const ready = message('Z', 'I');
      const noData = message('n');
      this.keeping = letter !== 'Q' && letter !== 'S';
      const answers = {
        Q: [complete, ready],
        P: [message('1')],
        B: [message('2')],
        D: String.fromCharCode(frame[5]) === 'S' ? [message('t', [0, 0]), noData] : [noData],
        E: [complete],
        C: [message('3')],
        S: [ready],
      };
      if (answers[letter]) this.deliver(Buffer.concat(answers[letter]));
    }

    // Takes what the server sends.
    arrive(letter, frame) {
      const { asking } = this;
      if (!asking) {
        if (letter === 'E') this.failed(complaint(frame));
        if (letter === 'Z') this.running.shift();
        return;
      }
      if (letter === 'D') asking.answers = fields(frame);
      else if (letter === 'E') asking.error = complaint(frame).message;
      else if (letter === 'Z') this.answered(asking);
      else if (!'TC'.includes(letter)) this.passed.push(frame);
    }

    // drizzle-kit never says which statement failed, and from 0.31.10 on it prints no reason for a migration that failed.
    failed(error) {
      const text = this.running[0];
      if (text === undefined) return; // a login; or the server ends the session
      line.failed(text, error);
    }
  }

  const mysql = require(path.join(mail, 'mysql.cjs'))(line);
  const sessions = new WeakMap();
  const write = net.Socket.prototype.write;
  const begin = (socket, bytes) => {
    const isStartUp = bytes.length >= 9 && bytes.readUInt32BE(0) === bytes.length && bytes.readUInt16BE(4) === PROTOCOL_3;
    if (!isStartUp) return mysql.begin(socket, bytes, write, () => sessions.delete(socket));
    if (!cleared) refuse('drizzle-kit connected to PostgreSQL before drizzle-pilot saw its config');
    return new Session(socket, write);
  };
  net.Socket.prototype.write = function (chunk, encoding, callback) {
    let session = sessions.get(this);
    if (session === undefined && chunk !== null && chunk !== undefined) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk);
      session = begin(this, bytes);
      // A request for TLS has eight bytes and is followed by the start-up message, here or within TLS.
      if (session || (bytes.length !== 8 && !mysql.isUpgrade(bytes))) sessions.set(this, session);
      return write.apply(this, arguments);
    }
    if (!session) return write.apply(this, arguments);
    const done = typeof encoding === 'function' ? encoding : callback;
    session.outgoing(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
    if (done) process.nextTick(done);
    return true;
  };
  const end = net.Socket.prototype.end;
  net.Socket.prototype.end = function (chunk, encoding, callback) {
    if (!sessions.get(this) || chunk === null || chunk === undefined || typeof chunk === 'function') {
      return end.apply(this, arguments);
    }
    this.write(chunk, encoding);
    return end.call(this, typeof encoding === 'function' ? encoding : callback);
  };

  // --- Drivers without a socket, or above it ---------------------------------------------------------------------------

  // An import from drizzle-kit's own place: finds what drizzle-kit finds, and is done before an import that begins later.
  const importing = (name) => {
    const importer = new Module(path.join(path.dirname(real(process.argv[1])), 'drizzle-pilot.cjs'));
    importer.filename = importer.id;
    importer._compile('module.exports = (name) => import(name);', importer.id);
    return importer.exports(name);
  };
  const sqlite = require(path.join(mail, 'sqlite.cjs'))(line);
  const libsql = require(path.join(mail, 'libsql.cjs'))(line);
  const pglite = require(path.join(mail, 'pglite.cjs'))(line, { frames, cString, framed, fields, complaint, replaced });
  require(path.join(mail, 'd1.cjs'))(line);
  const holdDriver = ({ dialect, driver, dbCredentials }) => {
    if (driver === 'pglite') pglite(importing);
    const isRemote = /^(?:libsql|https?):/i.test(dbCredentials?.url ?? '');
    if (isRemote && ['sqlite', 'turso', undefined].includes(dialect)) libsql(importing);
  };

  // --- The config -----------------------------------------------------------------------------------------------------

  const kit = real(process.argv[1]);
  const required = Module.createRequire(kit);
  // drizzle-kit imports its drivers from its own place. An import knows no NODE_PATH, in which package managers list what is
  // no dependency of anybody here.
  const placeOf = (name) => {
    if (process.versions.pnp) {
      try {
        return required.resolve(`${name}/package.json`);
      } catch (error) {
        // What a package does not export is there.
        return error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? '' : undefined;
      }
    }
    for (let folder = path.dirname(kit); ; folder = path.dirname(folder)) {
      const place = path.join(folder, 'node_modules', name, 'package.json');
      if (fs.existsSync(place)) return place;
      if (folder === path.dirname(folder)) return undefined;
    }
  };
  // In the order of drizzle-kit's `preparePostgresDB` and its siblings, which take the first that they find.
  const clients = {
    postgresql: ['pg', 'postgres', '@vercel/postgres', '@neondatabase/serverless'],
    mysql: ['mysql2', '@planetscale/database'],
    singlestore: ['mysql2'],
    sqlite: ['@libsql/client', 'better-sqlite3'],
    turso: ['@libsql/client'],
  };
  const installed = (dialect = 'postgresql') => {
    const place = placeOf('drizzle-orm');
    return {
      client: clients[dialect]?.find((name) => placeOf(name) !== undefined),
      orm: place ? JSON.parse(fs.readFileSync(place, 'utf8')).version : undefined,
    };
  };
  // What drizzle-kit's dotenv and the config have set or taken away: the drivers fill gaps from it.
  const before = { ...process.env };
  const changed = () => {
    const names = Object.keys({ ...before, ...process.env }).filter((name) => before[name] !== process.env[name]);
    return Object.fromEntries(names.map((name) => [name, process.env[name] ?? null]));
  };
  const clear = (config) => {
    const { dialect, driver, out, schema, schemaFilter, tablesFilter, casing, migrations, dbCredentials } = config ?? {};
    const known = { dialect, driver, out, schema, schemaFilter, tablesFilter, casing, migrations, dbCredentials };
    const { client, orm } = installed(dialect);
    const reply = exchange({ config: { ...known, client, orm, variables: changed() } });
    Object.assign(process.env, reply.env);
    delete process.env.DRIZZLE_PILOT_MAIL;
    delete process.env.DRIZZLE_PILOT_CONFIG;
    delete process.env.DRIZZLE_PILOT_ASK;
    delete process.env.NODE_PG_FORCE_NATIVE; // libpq has sockets of its own
    // What drizzle-kit starts from here on is no drizzle-kit, and finds no hook.
    const ours = ` --require ${JSON.stringify(path.join(mail, 'hook.cjs'))}`;
    process.env.NODE_OPTIONS = (process.env.NODE_OPTIONS ?? '').replace(ours, '');
    // Both ends are open: from here on nobody else can have the pipes.
    // They are unlinked one by one: after fs.rmSync of a pipe node believes that the next file that it looks at is none.
    for (const name of fs.readdirSync(mail)) fs.unlinkSync(path.join(mail, name));
    fs.rmdirSync(mail);
    return reply;
  };

  // The package that a script belongs to.
  const packageOf = (script) => {
    for (let folder = path.dirname(script); folder !== path.dirname(folder); folder = path.dirname(folder)) {
      try {
        const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
        if (name) return { name, version };
      } catch {
        // none here
      }
    }
    return {};
  };

  // What the project's own files print while they are loaded must not look like drizzle-kit's words: it does not reach the
  // terminal, and is handed over instead.
  let nLoading = 0;
  const divert = () => {
    for (const stream of [process.stdout, process.stderr]) {
      const { write } = stream;
      stream.write = function (chunk, encoding, callback) {
        if (nLoading === 0) return write.apply(this, arguments);
        send({ printed: typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString() });
        const done = typeof encoding === 'function' ? encoding : callback;
        if (done) process.nextTick(done);
        return true;
      };
    }
  };
  const ofProject = (load) => {
    if (nLoading === 0 && !told) divert();
    nLoading += 1;
    try {
      return load();
    } finally {
      nLoading -= 1;
    }
  };

  let told = false;
  const failed = (error) => {
    if (!told) send({ error: String(error && (error.stack || error.message || error)), variables: changed() });
    told = true;
  };
  // Has drizzle-pilot look at the config, and returns the one that drizzle-kit gets.
  const see = (config) => {
    if (!told) {
      told = true;
      cleared = clear(config);
      // With the parts that are replaced, as drizzle-kit will have it.
      holdDriver({ ...config, ...cleared.config });
    }
    const { credentials, ...parts } = cleared?.config ?? {};
    if (credentials) parts.dbCredentials = { ...(parts.dbCredentials ?? config.dbCredentials), ...credentials };
    return Object.keys(parts).length > 0 ? { ...config, ...parts } : config;
  };

  // drizzle-kit 1.0 loads its files in other ways. What it prints for programs goes through the pipe: another would be cut
  // where drizzle-kit ends without waiting (node 20 and 24, at 64 KiB).
  if (!probe && file && !/^0\./.test(packageOf(kit).version ?? '0.')) {
    require(path.join(mail, 'config1.cjs'))({
      wanted,
      real,
      see,
      ofProject,
      failed,
      loaded: (filename) => told && send({ loaded: filename }),
    });
    if (process.argv.some((word) => word.startsWith('--output'))) {
      process.stdout.write = (chunk, encoding, callback) => {
        send({ out: typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString() });
        const done = typeof encoding === 'function' ? encoding : callback;
        if (done) process.nextTick(done);
        return true;
      };
    }
    return;
  }

  const { load: loadFile } = Module.prototype;
  Module.prototype.load = function (filename) {
    // By its number a server of MySQL tells what the driver has a name for.
    if (/[\\/]mysql2[\\/]lib[\\/]constants[\\/]errors\.js$/.test(filename)) {
      const result = loadFile.call(this, filename);
      line.mysqlErrors = this.exports;
      return result;
    }
    if (/[\\/](?:better-sqlite3|libsql)[\\/]/.test(filename)) {
      const result = loadFile.call(this, filename);
      const { name } = packageOf(filename);
      if (name === 'better-sqlite3' || name === 'libsql') this.exports = sqlite(name, this.exports);
      return result;
    }
    if (!told || filename.includes(`${path.sep}node_modules${path.sep}`)) return loadFile.call(this, filename);
    send({ loaded: filename });
    return ofProject(() => loadFile.call(this, filename));
  };
  const load = Module._load;
  Module._load = function (request, ...rest) {
    if (probe) {
      const script = Module._resolveFilename(request, ...rest);
      const { name, version } = path.isAbsolute(script) ? packageOf(real(script)) : {};
      if (name !== 'drizzle-kit') return load.call(this, request, ...rest);
      send({ hello: { version } });
      process.exit(0);
    }
    if (typeof request !== 'string' || !path.isAbsolute(request)) return load.call(this, request, ...rest);
    if (real(request) !== wanted) return load.call(this, request, ...rest);
    let loaded;
    try {
      loaded = ofProject(() => load.call(this, request, ...rest));
    } catch (error) {
      failed(error);
      throw error;
    }
    const own = loaded && loaded.default ? loaded.default : loaded;
    const config = see(own);
    // Asking before executing, and showing what would be executed, is not left to the project's config.
    // As flags they cannot be given together with a config file before drizzle-kit 0.23.1.
    if (ask) return { default: { ...config, strict: true, verbose: true } };
    return config === own ? loaded : { default: config };
  };
}
