// Holds what is sent to MySQL and its kin, at the socket (mysql2). Packets of its protocol: three bytes of length, a number
// within the command, and the rest (MySQL's documentation, "Client/Server Protocol").
'use strict';

const COM_QUERY = 0x03;
const COM_STMT_PREPARE = 0x16;
const COM_STMT_EXECUTE = 0x17;
// To leave, to ask whether the server is there, and what only prepares or ends a statement that was held already.
const HARMLESS = [0x01, 0x0e, 0x18, 0x19, 0x1a, 0x1c];
const CLIENT_COMPRESS = 0x20;
const CLIENT_PROTOCOL_41 = 0x200;
const CLIENT_SSL = 0x800;
const CLIENT_QUERY_ATTRIBUTES = 0x08000000;
const LONGEST = 0xffffff; // of a packet; a longer message goes on in the next

// A client's first packet has its flags, a number, a character set and 23 zeros. With TLS nothing follows; else a name does.
const ZEROS = Buffer.alloc(23);
const flagsOf = (bytes) => {
  const isFirst = bytes.length >= 36 && bytes.readUIntLE(0, 3) === bytes.length - 4 && (bytes[3] === 1 || bytes[3] === 2);
  return isFirst && ZEROS.equals(bytes.subarray(13, 36)) ? bytes.readUInt32LE(4) : 0;
};

const packets = (take) => {
  let rest = Buffer.alloc(0);
  return (piece) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUIntLE(0, 3)) {
      const packet = rest.subarray(0, 4 + rest.readUIntLE(0, 3));
      rest = rest.subarray(packet.length);
      take(packet);
    }
  };
};
const command = (code, text) => {
  const body = Buffer.concat([Buffer.from([code]), Buffer.from(text)]);
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  return Buffer.concat([head, body]);
};
// The fields of a row: each has its length before it.
const fields = (packet) => {
  const values = [];
  for (let at = 4; at < packet.length; ) {
    const first = packet[at];
    if (first === 0xfb) values.push(null);
    const width = { 0xfc: 2, 0xfd: 3 }[first] ?? 0;
    const length = first === 0xfb ? 0 : width === 0 ? first : packet.readUIntLE(at + 1, width);
    at += 1 + width;
    if (first !== 0xfb) values.push(packet.toString('utf8', at, at + length));
    at += length;
  }
  return values;
};

module.exports = (line) => {
  const complaint = (packet) => {
    const hasState = packet[7] === 0x23; // '#'
    const state = hasState ? packet.toString('utf8', 8, 13) : undefined;
    const code = line.mysqlErrors?.[packet.readUInt16LE(5)] ?? state;
    return { message: packet.toString('utf8', hasState ? 13 : 7), code };
  };

  class Session {
    constructor(socket, write, flags, ended) {
      Object.assign(this, { socket, write, flags });
      this.statements = new Map(); // prepared ones, by number
      this.waiting = [];
      this.known = false;
      this.running = undefined; // what was sent last
      this.asking = undefined;
      this.outgoing = packets((packet) => this.leave(packet));
      this.incoming = packets((packet) => this.arrive(packet));
      const { emit } = socket;
      socket.emit = (event, ...args) => {
        if (event === 'close') ended();
        if (event !== 'data') return emit.call(socket, event, ...args);
        this.passed = [];
        const wasAsking = this.asking;
        this.incoming(args[0]);
        if (!wasAsking) return emit.call(socket, event, ...args);
        return this.passed.length > 0 && emit.call(socket, event, Buffer.concat(this.passed));
      };
    }

    // Logging in counts on from the server's greeting; every command begins at zero.
    leave(packet) {
      if (packet[3] !== 0) return void this.write.call(this.socket, packet);
      if (this.known) return this.pass(packet);
      this.waiting.push(packet);
      if (this.asking) return;
      this.asking = { packets: 0, columns: undefined };
      this.write.call(this.socket, command(COM_QUERY, line.cleared.mysqlQuestion));
    }

    pass(packet) {
      let [code] = packet.subarray(4);
      if (packet.length === 4 + LONGEST) line.refuse('drizzle-kit sends a query of more than 16 MiB, which cannot be held');
      this.running = undefined;
      if (code === COM_QUERY || code === COM_STMT_PREPARE) {
        const text = this.text(packet);
        const { instead } = line.hold(text);
        if (instead !== undefined) packet = command(code, instead);
        this.running = { text, prepares: code === COM_STMT_PREPARE };
      } else if (code === COM_STMT_EXECUTE) {
        const statement = this.statements.get(packet.readUInt32LE(5));
        if (statement === undefined || statement.used) line.hold(statement?.text ?? '(a statement by its number)');
        if (statement) statement.used = true;
        this.running = { text: statement?.text };
      } else if (!HARMLESS.includes(code)) {
        line.hold(`(the command ${code} of MySQL's protocol)`);
      }
      this.write.call(this.socket, packet);
    }

    text(packet) {
      let at = 5;
      if (packet[4] === COM_QUERY && this.flags & CLIENT_QUERY_ATTRIBUTES) {
        if (packet[5] !== 0) line.refuse('drizzle-kit sends a query with attributes, which cannot be held');
        at = 7;
      }
      return packet.toString('utf8', at);
    }

    arrive(packet) {
      const { asking, running } = this;
      if (asking) return this.answer(asking, packet);
      // Before a session is known, a login was refused.
      if (!this.known && packet[4] === 0xff && packet.length > 7) line.failed('', complaint(packet));
      if (!running?.text) return;
      if (packet[4] === 0xff && packet.length > 7) {
        line.failed(running.text, complaint(packet));
        this.running = undefined;
      } else if (running.prepares && packet[3] === 1 && packet[4] === 0) {
        this.statements.set(packet.readUInt32LE(5), { text: running.text, used: false });
        this.running = undefined;
      }
    }

    // The number of columns, each of them, an end perhaps, a row, and the end.
    answer(asking, packet) {
      asking.packets += 1;
      if (packet[4] === 0xff) return this.answered({ error: complaint(packet).message });
      if (asking.columns === undefined) asking.columns = packet[4];
      else if (asking.packets <= 1 + asking.columns) return;
      else if (packet[4] !== 0xfe) asking.answers = fields(packet);
      else if (asking.answers) this.answered(asking);
    }

    answered({ answers, error }) {
      this.asking = undefined;
      line.exchange({ session: { driver: 'mysql2', answers, error } });
      this.known = true;
      for (const packet of this.waiting.splice(0)) this.pass(packet);
    }
  }

  return {
    // After it the same login comes again, within TLS.
    isUpgrade: (bytes) => bytes.length === 36 && Boolean(flagsOf(bytes) & CLIENT_SSL),
    begin: (socket, bytes, write, ended) => {
      const flags = flagsOf(bytes);
      if (!(flags & CLIENT_PROTOCOL_41)) return false;
      if (!line.cleared) line.refuse('drizzle-kit connected to MySQL before drizzle-pilot saw its config');
      if (flags & CLIENT_COMPRESS) line.refuse('drizzle-kit connects to MySQL with compression, which cannot be held');
      return new Session(socket, write, flags, ended);
    },
  };
};
