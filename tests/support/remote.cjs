// Stands in for a server of libSQL (Hrana over HTTP, version 2) and for D1, with a file of SQLite behind them. No test can have the
// real ones. What matters here is as with those: every request of Hrana without a baton, and every request to D1, is a session
// of its own; D1 executes what one request brings in a transaction. Prints its port.
//
//   node remote.cjs FILE [TOKEN]
'use strict';

const http = require('node:http');
const path = require('node:path');
const Database = require(require.resolve('libsql', { paths: [path.join(process.cwd(), 'node_modules')] }));

const [, , file, token] = process.argv;

const toHrana = (value) => {
  if (value === null) return { type: 'null' };
  if (typeof value === 'bigint' || Number.isInteger(value)) return { type: 'integer', value: String(value) };
  if (typeof value === 'number') return { type: 'float', value };
  return { type: 'text', value: String(value) };
};

const ofHrana = ({ type, value }) => (type === 'null' ? null : type === 'text' ? value : Number(value));

// Rows as arrays, and the columns of a statement that has some.
const run = (database, sql, values) => {
  const statement = database.prepare(sql);
  let returnsRows = true;
  try {
    statement.raw(true);
  } catch {
    returnsRows = false;
  }
  if (returnsRows) return { columns: statement.columns(), rows: statement.all(...values) };
  statement.run(...values);
  return { columns: [], rows: [] };
};

const hrana = (database, { requests }) => {
  const texts = new Map();
  const execute = ({ sql, sql_id: id, args = [] }) => {
    const { columns, rows } = run(database, sql ?? texts.get(id), args.map(ofHrana));
    const cols = columns.map(({ name, type }) => ({ name, decltype: type }));
    return { cols, rows: rows.map((row) => row.map(toHrana)), affected_row_count: 0, last_insert_rowid: null };
  };
  const isMet = (condition, results) => {
    switch (condition?.type) {
      case 'ok':
        return Boolean(results[condition.step]);
      case 'not':
        return !isMet(condition.cond, results);
      case 'and':
        return condition.conds.every((each) => isMet(each, results));
      case 'is_autocommit':
        return !database.inTransaction;
      default:
        return true;
    }
  };
  const answer = (request) => {
    switch (request.type) {
      case 'execute':
        return { type: 'execute', result: execute(request.stmt) };
      case 'batch': {
        const [results, errors] = [[], []];
        request.batch.steps.forEach(({ condition, stmt }, idx) => {
          [results[idx], errors[idx]] = [null, null];
          if (!isMet(condition, results)) return;
          try {
            results[idx] = execute(stmt);
          } catch ({ message }) {
            errors[idx] = { message, code: 'SQLITE_ERROR' };
          }
        });
        return { type: 'batch', result: { step_results: results, step_errors: errors } };
      }
      case 'sequence':
        database.exec(request.sql ?? texts.get(request.sql_id));
        return { type: 'sequence' };
      case 'store_sql':
        texts.set(request.sql_id, request.sql);
        return { type: 'store_sql' };
      default:
        return { type: request.type };
    }
  };
  const results = requests.map((request) => {
    try {
      return { type: 'ok', response: answer(request) };
    } catch ({ message }) {
      return { type: 'error', error: { message, code: 'SQLITE_ERROR' } };
    }
  });
  return { baton: null, base_url: null, results };
};

const d1 = (database, { sql, params }, isRaw) => {
  try {
    // The references are checked at the end of it, and the switch is no longer one.
    database.exec('BEGIN');
    const { columns: described, rows } = run(database, sql, params ?? []);
    database.exec('COMMIT');
    const columns = described.map(({ name }) => name);
    const results = isRaw
      ? { columns, rows }
      : rows.map((row) => Object.fromEntries(columns.map((column, idx) => [column, row[idx]])));
    return { success: true, errors: [], result: [{ results }] };
  } catch ({ message }) {
    if (database.inTransaction) database.exec('ROLLBACK');
    return { success: false, errors: [{ code: 7500, message }], result: [] };
  }
};

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const reply = (status, value) => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (token && request.headers.authorization !== `Bearer ${token}`) {
      return reply(401, { success: false, errors: [{ code: 10000, message: 'Authentication error' }], error: 'unauthorized' });
    }
    if (request.method !== 'POST') return reply(request.url === '/v2' ? 200 : 404, {});
    const body = JSON.parse(Buffer.concat(pieces).toString());
    const database = new Database(file);
    try {
      database.exec('PRAGMA foreign_keys=ON');
      if (request.url === '/v2/pipeline') return reply(200, hrana(database, body));
      if (/\/(?:query|raw)$/.test(request.url)) return reply(200, d1(database, body, request.url.endsWith('/raw')));
      return reply(404, {});
    } finally {
      database.close();
    }
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
