#!/usr/bin/env node
// Starts the program from the package of this platform, and stays out of the way: the same terminal, every signal passed
// on, the same ending. It waits without blocking, because a starter that blocks leaves its child behind when it is told
// to end.
'use strict';

const { spawn } = require('node:child_process');

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

function give_up(code, text) {
  process.stderr.write(`${text}\nNothing was executed.\n`);
  process.exit(code);
}

function program() {
  if (process.env.DRIZZLE_PILOT_BINARY) return process.env.DRIZZLE_PILOT_BINARY;
  const name = `drizzle-pilot-${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${name}/bin/drizzle-pilot${process.platform === 'win32' ? '.exe' : ''}`);
  } catch {
    const { optionalDependencies } = require('../package.json');
    if (!(name in optionalDependencies)) {
      const platforms = Object.keys(optionalDependencies).map((one) => one.replace('drizzle-pilot-', ''));
      return give_up(
        127,
        `not-found: there is no program for ${process.platform}-${process.arch}, only for ${platforms.join(', ')}\n` +
          'hint: build it from its source and set DRIZZLE_PILOT_BINARY to it; on Windows, use WSL',
      );
    }
    return give_up(
      127,
      `not-found: the package ${name} is not installed\n` +
        'hint: install drizzle-pilot again, with optional dependencies; or set DRIZZLE_PILOT_BINARY to the program',
    );
  }
}

const path = program();
let child;
// Before there is a child: a signal that came in between would end this process alone.
for (const signal of SIGNALS) process.on(signal, () => child?.kill(signal));

// Told to end, npm and pnpm end the shell that they run a script by, and not what runs in it (npm 11, pnpm 9): whoever is
// left behind in a script is to end as well. Outside of scripts it may be meant (`nohup`).
const shell = process.ppid;
if (process.env.npm_lifecycle_event !== undefined) {
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 200);
}

child = spawn(path, process.argv.slice(2), { stdio: 'inherit' });
child.on('error', (error) => give_up(error.code === 'ENOENT' ? 127 : 126, `cannot-run: ${path}: ${error.message}`));
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  // Ends as the program ended, so that a shell sees the same.
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
