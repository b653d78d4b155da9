// Holds what is sent to D1, at the request: drizzle-kit brings an HTTP client of its own, which ends in node's.
'use strict';

const https = require('node:https');
const http = require('node:http');

const zlib = require('node:zlib');

const PATH = /^\/client\/v4\/accounts\/[^/]+\/d1\/database\/[^/]+\/(?:query|raw)$/;

module.exports = (line) => {
  const driver = 'd1-http';
  let begun;

  const answerOf = (module, request, options, sql) =>
    new Promise((resolve) => {
      const body = Buffer.from(JSON.stringify({ sql, params: [] }));
      const headers = { ...options.headers };
      for (const name of Object.keys(headers)) {
        if (/^(?:content-length|accept-encoding|transfer-encoding)$/i.test(name)) delete headers[name];
      }
      const path = options.path.replace(/\/query$/, '/raw');
      const asked = request.call(module, { ...options, path, headers: { ...headers, 'Content-Length': body.length } });
      asked.on('error', () => resolve(undefined));
      asked.on('response', (response) => {
        const pieces = [];
        response.on('data', (piece) => pieces.push(piece));
        response.on('error', () => resolve(undefined));
        response.on('end', () => {
          try {
            const { success, result } = JSON.parse(Buffer.concat(pieces).toString());
            resolve(success ? result[0].results.rows : undefined);
          } catch {
            resolve(undefined);
          }
        });
      });
      asked.end(body);
    });

  // drizzle-kit reads the same answer, and does not always say what it has read.
  const watch = (sql, response) => {
    const pieces = [];
    response.on('data', (piece) => pieces.push(piece));
    response.on('end', () => {
      try {
        const packed = Buffer.concat(pieces);
        const unpack = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync, br: zlib.brotliDecompressSync }[response.headers['content-encoding']];
        const { success, errors } = JSON.parse((unpack ? unpack(packed) : packed).toString());
        if (success) return;
        const message = errors.map(({ code, message }) => `${code}: ${message}`).join('; ');
        const isRefused = response.statusCode === 401 || response.statusCode === 403;
        line.failed(sql, { message, code: isRefused ? 'SQLITE_AUTH' : undefined });
      } catch {
        // drizzle-kit cannot read it either
      }
    });
  };

  const begin = (ask) => (begun ??= tell(ask));
  const tell = async (ask) => {
    if (!line.cleared) line.refuse('drizzle-kit connected to D1 before drizzle-pilot saw its config');
    const answers = [];
    for (const sql of line.cleared.catalog) answers.push(await ask(sql));
    const counts = [];
    for (const { sql, ...of } of line.counts(answers)) counts.push({ ...of, rows: (await ask(sql))?.[0]?.[0] });
    line.exchange({ session: { driver, catalog: { answers, counts } } });
  };

  for (const module of [http, https]) {
    const { request } = module;
    module.request = function (...args) {
      const made = request.apply(this, args);
      if (made.method !== 'POST' || !PATH.test(made.path)) return made;
      const [, port] = /:(\d+)$/.exec(made.getHeader('host') ?? '') ?? [];
      const options = {
        protocol: made.protocol,
        hostname: made.host,
        port,
        path: made.path,
        method: 'POST',
        headers: made.getHeaders(),
      };
      const { write, end } = made;
      const pieces = [];
      const take = (chunk, encoding) => {
        if (typeof chunk === 'function' || chunk === null || chunk === undefined) return;
        pieces.push(typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(chunk));
      };
      const done = (...args) => args.find((arg) => typeof arg === 'function');
      made.write = (...args) => {
        take(...args);
        if (done(...args)) process.nextTick(done(...args));
        return true;
      };
      made.end = (...args) => {
        take(...args);
        const body = Buffer.concat(pieces);
        begin((sql) => answerOf(module, request, options, sql)).then(() => {
          let sql;
          try {
            ({ sql } = JSON.parse(body.toString()));
          } catch {
            // as it is
          }
          if (typeof sql !== 'string') line.refuse('drizzle-kit sent D1 something other than a query');
          line.hold(sql);
          made.on('error', ({ message, code }) => line.failed(sql, { message, code }));
          made.on('response', (response) => watch(sql, response));
          write.call(made, body);
          end.call(made, done(...args));
        });
        return made;
      };
      return made;
    };
  }
};
