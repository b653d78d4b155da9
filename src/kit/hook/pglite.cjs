// Holds what is sent to PGlite, which is a PostgreSQL within node: the messages are those of the protocol, and the call that
// takes them is the same for all others of its calls.
'use strict';

module.exports = (line, { frames, cString, framed, fields, complaint, replaced }) => {
  // Until PGlite is held it is not there: its program waits to be made.
  const gate = (ready) => {
    const { instantiate } = WebAssembly;
    WebAssembly.instantiate = async (...args) => {
      await ready;
      return instantiate.apply(WebAssembly, args);
    };
  };

  return (importing) => {
    const ready = importing('@electric-sql/pglite').then(({ PGlite }) => {
      let owner = PGlite?.prototype;
      while (owner && !Object.hasOwn(owner, 'execProtocolRawSync')) owner = Object.getPrototypeOf(owner);
      if (!owner) line.refuse('this version of PGlite cannot be held; 0.2.14 and later can');
      hold(owner);
    });
    ready.catch(() => {}); // drizzle-kit says itself that the package is not there
    gate(ready);
  };

  function hold(owner) {
    const { execProtocolRawSync } = owner;
    const known = new WeakSet();
    const begin = (database) => {
      if (known.has(database)) return;
      known.add(database);
      const told = {};
      const answer = execProtocolRawSync.call(database, framed('Q', line.cleared.question));
      frames((letter, frame) => {
        if (letter === 'D') told.answers = fields(frame);
        if (letter === 'E') told.error = complaint(frame).message;
      })(Buffer.from(answer));
      line.exchange({ session: { driver: '@electric-sql/pglite', ...told } });
    };
    owner.execProtocolRawSync = function (message) {
      // Its own start is no business of drizzle-kit's.
      if (!this.ready) return execProtocolRawSync.call(this, message);
      const sent = [];
      let statement;
      frames((letter, frame) => {
        const text = letter === 'Q' ? cString(frame, 5) : letter === 'P' ? cString(frame, frame.indexOf(0, 5) + 1) : undefined;
        if (text !== undefined || letter === 'F') {
          begin(this);
          statement = text ?? '(a function by its number)';
          const instead = line.hold(statement);
          if (instead !== undefined) frame = replaced(letter, frame, instead);
          this.drizzlePilotStatement = statement;
        }
        sent.push(frame);
      })(Buffer.from(message));
      const answer = execProtocolRawSync.call(this, sent.length === 0 ? message : new Uint8Array(Buffer.concat(sent)));
      frames((letter, frame) => {
        if (letter === 'E') line.failed(statement ?? this.drizzlePilotStatement ?? '', complaint(frame));
      })(Buffer.from(answer));
      return answer;
    };
  }
};
