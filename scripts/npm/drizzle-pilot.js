#!/usr/bin/env node
// Starts the program from the package of this platform transparently: it shares the terminal, passes on every signal, and ends
// the same way. It waits without blocking, because a launcher that blocks leaves its child behind when it is terminated.
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
// Registered before the child exists: a signal in between would end only this process.
for (const signal of SIGNALS) process.on(signal, () => child?.kill(signal));

// When terminated, npm and pnpm end the shell that runs a script, but not the processes in it (npm 11, pnpm 9), so this process
// ends its child itself. Outside scripts, staying alive may be intended (`nohup`).
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
  // Ends by the same signal as the program, so that a shell sees the same status.
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
