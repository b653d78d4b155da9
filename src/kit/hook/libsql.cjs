// Holds what @libsql/client sends to a server over HTTP, at its calls: below them texts are stored, numbered and packed.
'use strict';

const textOf = (statement) => (Array.isArray(statement) ? statement[0] : (statement?.sql ?? statement));

// A refused connection has its code in the cause of the cause, a refused token in the status of the answer.
const codeOf = (error) => {
  for (let cause = error; cause; cause = cause.cause) {
    if (cause.status === 401 || cause.status === 403) return 'SQLITE_AUTH';
    if (/^E[A-Z_]+$/.test(cause.code)) return cause.code;
  }
  return error.code;
};

module.exports = (line) => {
  const driver = '@libsql/client';
  let begun;

  const begin = (execute) => (begun ??= tell(execute));
  const tell = async (execute) => {
    const ask = async (sql) => {
      try {
        const { rows } = await execute(sql);
        return rows.map((row) => Array.from(row));
      } catch {
        return undefined;
      }
    };
    const answers = [];
    for (const sql of line.cleared.catalog) answers.push(await ask(sql));
    const counts = [];
    for (const { sql, ...of } of line.counts(answers)) counts.push({ ...of, rows: (await ask(sql))?.[0]?.[0] });
    line.exchange({ session: { driver, catalog: { answers, counts } } });
  };

  // What the client adds by itself (BEGIN, COMMIT, PRAGMA foreign_keys) is below its calls.
  const calls = {
    execute: (statement) => [textOf(statement)],
    batch: (statements) => statements.map(textOf),
    migrate: (statements) => statements.map(textOf),
    executeMultiple: (text) => [text],
  };
  const holding = (target, execute) => {
    for (const [name, texts] of Object.entries(calls)) {
      const call = target[name];
      if (typeof call !== 'function') continue;
      target[name] = async function (first, ...rest) {
        const statements = texts(first);
        await begin((sql) => execute.call(this, sql));
        for (const text of statements) line.hold(text);
        try {
          return await call.call(this, first, ...rest);
        } catch (error) {
          const statement = statements.length === 1 ? statements[0] : statements[error.statementIndex ?? 0];
          line.failed(statement ?? '', { message: error.cause?.message || error.message, code: codeOf(error) });
          throw error;
        }
      };
    }
  };

  // Until its calls are held, the client waits for its first answer.
  return (importing) => {
    const ready = importing('@libsql/client/http').then(({ HttpClient }) => {
      const { execute, transaction } = HttpClient.prototype;
      holding(HttpClient.prototype, execute);
      HttpClient.prototype.transaction = async function (...args) {
        const opened = await transaction.apply(this, args);
        holding(opened, execute.bind(this));
        return opened;
      };
    });
    ready.catch(() => {}); // drizzle-kit says itself that the package is not there
    const { fetch } = globalThis;
    globalThis.fetch = async (...args) => {
      await ready;
      return fetch(...args);
    };
  };
};
