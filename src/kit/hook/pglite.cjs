// Holds what is sent to PGlite, which is a PostgreSQL within node: the messages are those of the protocol, and all its calls
// end in a few that take them.
'use strict';

const net = require('node:net');
const path = require('node:path');

module.exports = (line, { frames, cString, framed, fields, complaint, replaced }) => {
  const passed = new WeakSet(); // messages that need not be held
  const known = new WeakSet(); // databases whose session was told
  const starting = new WeakMap(); // whether a database has started
  let statement;

  // Until PGlite is held it is not there: its program waits to be made.
  const gate = (ready) => {
    const { instantiate } = WebAssembly;
    WebAssembly.instantiate = async (...args) => {
      await ready;
      return instantiate.apply(WebAssembly, args);
    };
  };

  const CALLS = ['execProtocol', 'execProtocolRaw', 'execProtocolStream'];

  return (importing) => {
    const ready = importing('@electric-sql/pglite').then(({ PGlite }) => {
      const prototype = PGlite?.prototype;
      if (typeof prototype?.execProtocolRaw !== 'function') line.refuse('this version of PGlite cannot be held');
      for (const name of CALLS.filter((name) => typeof prototype[name] === 'function')) hold(prototype, name, prototype.execProtocolRaw);
    });
    ready.catch(() => {}); // drizzle-kit says itself that the package is not there
    gate(ready);
  };

  function hold(prototype, name, execute) {
    const call = prototype[name];
    prototype[name] = async function (message, ...rest) {
      // Its own start is no business of drizzle-kit's, who waits for the end of it. One of its calls makes another with the
      // same message.
      if (!starting.has(this)) {
        starting.set(this, false);
        this.waitReady.then(() => starting.set(this, true));
      }
      if (!starting.get(this) || passed.has(message)) return call.call(this, message, ...rest);
      await begin(this, execute);
      const sent = [];
      frames((letter, frame) => {
        const text = letter === 'Q' ? cString(frame, 5) : letter === 'P' ? cString(frame, frame.indexOf(0, 5) + 1) : undefined;
        if (text !== undefined || letter === 'F') {
          statement = text ?? '(a function by its number)';
          const { instead } = line.hold(statement);
          if (instead !== undefined) frame = replaced(letter, frame, instead);
        }
        sent.push(frame);
      })(Buffer.from(message));
      const held = new Uint8Array(Buffer.concat(sent));
      passed.add(held);
      try {
        return await call.call(this, held, ...rest);
      } catch (error) {
        const { message, code, detail, hint, position } = error;
        line.failed(statement ?? '', { message, code, detail, hint, position });
        throw error;
      }
    };
  }

  async function begin(database, execute) {
    if (known.has(database)) return;
    known.add(database);
    const told = {};
    const question = new Uint8Array(framed('Q', line.cleared.question));
    passed.add(question);
    const answer = await execute.call(database, question, { syncToFs: false });
    frames((letter, frame) => {
      if (letter === 'D') told.answers = fields(frame);
      if (letter === 'E') told.error = complaint(frame).message;
    })(Buffer.from(answer.data ?? answer));
    if (line.cleared.bridge) await serve(database, execute, path.join(line.cleared.bridge, '.s.PGSQL.5432'));
    line.exchange({ session: { driver: '@electric-sql/pglite', ...told } });
  }

  // Lets drizzle-pilot look into the same database, while drizzle-kit waits for an answer: nobody else can open it.
  function serve(database, execute, file) {
    const message = (letter, ...parts) => {
      const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([0, 0, 0, part]) : Buffer.from(part))));
      const head = Buffer.alloc(5, letter);
      head.writeUInt32BE(4 + body.length, 1);
      return Buffer.concat([head, body]);
    };
    const welcome = Buffer.concat([
      message('R', 0),
      message('S', 'client_encoding\0UTF8\0'),
      message('S', 'standard_conforming_strings\0on\0'),
      message('K', 0, 0),
      message('Z', 'I'),
    ]);
    const answer = async (frame) => {
      const held = new Uint8Array(frame);
      passed.add(held);
      const answer = await execute.call(database, held, { syncToFs: false });
      return Buffer.from(answer.data ?? answer);
    };
    const server = net.createServer((socket) => {
      socket.unref();
      let isKnown = false;
      let skips = false; // after an error, up to the end of what belongs to it
      let queue = Promise.resolve();
      const take = frames((letter, frame) => {
        queue = queue.then(async () => {
          if (letter === 'X') return void socket.end();
          if (letter === 'S' || letter === 'Q') skips = false;
          if (skips) return;
          const answered = await answer(frame);
          frames((letter) => (skips ||= letter === 'E' && !'SQ'.includes(String.fromCharCode(frame[0]))))(answered);
          socket.write(answered);
        });
      });
      socket.on('data', (piece) => {
        if (isKnown) return take(piece);
        isKnown = true;
        socket.write(welcome);
        if (piece.length > piece.readUInt32BE(0)) take(piece.subarray(piece.readUInt32BE(0)));
      });
      socket.on('error', () => {});
      // Whatever was left open there is drizzle-kit's session.
      socket.on('close', () => (queue = queue.then(() => answer(framed('Q', 'ROLLBACK')))));
    });
    server.unref();
    return new Promise((resolve, reject) => server.on('error', reject).listen(file, resolve));
  }
};
