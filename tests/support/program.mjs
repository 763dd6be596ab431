// The program that tests in JavaScript run, and a port for it.
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

export function programPath() {
  const path = process.env.VARVE_BINARY ?? fileURLToPath(new URL('../../build/varve', import.meta.url));
  if (!existsSync(path)) throw new Error(`no program at ${path}: run ./dev build, or set VARVE_BINARY`);
  return path;
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
