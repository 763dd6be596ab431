// `varve demo` as a child process.
import { spawn } from 'node:child_process';
import { freePort, programPath } from '../support/program.mjs';

// `said()` is all it has printed, for the message of a failure; `ended()` is null while it runs.
export async function startDemo(args) {
  const port = await freePort();
  const child = spawn(programPath(), ['demo', '--port', String(port), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output = (output + text).slice(-4000);
    });
  }
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: String(error) }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  let ended = null;
  void exited.then((end) => {
    ended = end;
  });
  return { child, exited, url: `http://127.0.0.1:${port}/`, ended: () => ended, said: () => output };
}
