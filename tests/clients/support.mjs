// A real varve in a folder of its own, for the clients of tests/clients.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { freePort, programPath } from '../support/program.mjs';

const START_MS = 60_000; // a loaded machine takes its time
const WAIT_MS = 20_000;

// Runs a program to its end; `output` is what it printed.
export function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.once('error', reject).once('exit', (code) => resolve({ code, output }));
  });
}

// `varve serve`; `sql` answers rows as arrays, `until` waits until it answers these, `stop` ends it and removes its folder.
export async function startVarve() {
  const folder = await mkdtemp(join(tmpdir(), 'varve-clients-'));
  const port = await freePort();
  const config = join(folder, 'varve.toml');
  await writeFile(
    config,
    `[server]\nlisten = "127.0.0.1:${port}"\n[storage]\ndata = "${join(folder, 'data')}"\n`,
  );
  const child = spawn(programPath(), ['serve', '--allow-root', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => (output = (output + text).slice(-4000)));
  }
  const exited = new Promise((resolve) => child.once('error', resolve).once('exit', resolve));
  let ended = false;
  void exited.then(() => (ended = true));

  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + START_MS;
  while (!(await fetch(`${url}/readyz`).then((answer) => answer.ok, () => false))) {
    if (ended || Date.now() > end) throw new Error(`varve does not answer; it printed:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  async function sql(text) {
    const answer = await fetch(`${url}/api/v1/query`, { method: 'POST', body: text });
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${text}: ${JSON.stringify(body)}`);
    return body.rows;
  }
  return {
    url,
    port,
    folder,
    sql,
    async until(text, rows) {
      const deadline = Date.now() + WAIT_MS;
      for (;;) {
        const found = await sql(text).catch(String); // its table may be on its way, too
        if (isDeepStrictEqual(found, rows)) return;
        if (Date.now() > deadline) throw new Error(`${text}: waited in vain; last: ${JSON.stringify(found)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
