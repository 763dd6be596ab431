// A real Chromium, and a fake varve that answers the page by a script.
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { delimiter, extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const DIST = fileURLToPath(new URL('../../web/dist/', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

// Every wait of these tests ends after this long, with what was waited for.
export const WAIT_MS = 20_000;

export function chromiumPath() {
  const places = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const found = places
    .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
    .find(existsSync);
  if (found === undefined)
    throw new Error('no Chromium found: install the package "chromium" (./dev setup test)');
  return found;
}

// Talks to nobody but the page's server.
export const CHROMIUM_ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// A browser with a new empty profile.
export function launchBrowser() {
  return chromium.launch({ executablePath: chromiumPath(), args: CHROMIUM_ARGUMENTS });
}

// A new page; `problems` gathers what must never happen: exceptions, CSP violations, foreign requests.
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) problems.push(`${message.text()} (${JSON.stringify(message.location())})`);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) problems.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return { page, problems, close: () => context.close() };
}

export async function until(what, condition, waitMs = WAIT_MS) {
  const end = Date.now() + waitMs;
  let last;
  for (;;) {
    last = await condition();
    if (last) return last;
    if (Date.now() > end) throw new Error(`waited ${waitMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function numberAt(page, id) {
  return Number(await page.locator(`#${id}`).getAttribute('value'));
}

// How many pixels of the chart are (nearly) of the colour of line `index` (from 1).
// `from` and `to` are shares of the width.
export function paintedPixels(page, index = 1, from = 0, to = 1) {
  return page.evaluate(
    ([line, left, right]) => {
      const canvas = document.querySelector('.plot canvas');
      if (canvas === null || canvas.width === 0) return 0;
      const hex = getComputedStyle(canvas).getPropertyValue(`--line-${line}`).trim();
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      const { data } = canvas
        .getContext('2d')
        .getImageData(canvas.width * left, 0, canvas.width * (right - left), canvas.height);
      let painted = 0;
      for (let i = 0; i < data.length; i += 4) {
        const off = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
        if (data[i + 3] > 200 && off < 24) painted++;
      }
      return painted;
    },
    [index, from, to],
  );
}

// Serves web/dist and the API under `base`, with the strictest CSP the page promises to bear.
// `world` is what the server knows; tests change it while the page looks:
//   status: object · tables: [TableInfo] · columns: {table: [Column]} · query: (sql, params) => answer | {status, error}
//   influx: (q) => answer | {status, error: text} · retry: (body) => answer · token: asked of every call, if any
//   refused: paths (a regex) this token may not ask for
//   live: (parameters) => undefined to follow | {status, error}; `send` reaches all who follow
export class FakeVarve {
  constructor(world, base = '/') {
    this.world = world;
    this.base = base;
    this.queries = [];
    this.retries = [];
    this.followers = new Map(); // response -> parameters of the live tail
    this.followed = 0; // live tails begun
    this.port = 0;
  }

  // Rows, as the live tail has them.
  send(columns, rows) {
    for (const response of this.followers.keys()) response.write(`id: 1\ndata: ${JSON.stringify({ columns, rows })}\n\n`);
  }

  async start() {
    await stat(join(DIST, 'index.html')).catch(() => {
      throw new Error('web/dist is not built: run ./dev build (or npm run build in web/)');
    });
    this.server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => response.destroy(error));
    });
    await new Promise((resolve, reject) => {
      this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve);
    });
    this.port = this.server.address().port; // the same one when started again
    this.url = `http://127.0.0.1:${this.port}${this.base}`;
    return this;
  }

  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    response.setHeader('Content-Security-Policy', "default-src 'self'");
    if (!pathname.startsWith(this.base))
      return send(response, 404, { error: { code: 'not_found', message: pathname } });
    const path = pathname.slice(this.base.length);
    const { status, tables, columns, token, refused } = this.world;
    if (/^(api\/|query$)/.test(path) && token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return send(response, 401, { error: { code: 'unauthorized', message: 'a token is needed' } });
    if (refused?.test(path))
      return send(response, 403, { error: { code: 'forbidden', message: 'this needs a token with the role read' } });
    if (path === 'api/v1/status') return send(response, 200, status);
    if (path === 'api/v1/tables') return send(response, 200, { tables });
    if (path.startsWith('api/v1/tables/')) {
      const name = decodeURIComponent(path.slice('api/v1/tables/'.length));
      const table = tables.find((t) => t.name === name);
      if (table) return send(response, 200, { ...table, columns: columns[name] });
      return send(response, 404, { error: { code: 'table_not_found', message: `no table ${name}` } });
    }
    if (path === 'api/v1/query' && request.method === 'POST') {
      const asked = JSON.parse(await bodyOf(request));
      this.queries.push(asked);
      const answer = this.world.query(asked.sql, asked.params);
      if (asked.format === 'csv' && !answer.error) {
        response.setHeader('Content-Type', 'text/csv');
        return response.end(`${answer.columns.map((column) => column.name)}\n${answer.rows.join('\n')}\n`);
      }
      return send(response, answer.error ? answer.status : 200, answer);
    }
    if (path === 'query' && request.method === 'POST') {
      const asked = Object.fromEntries(new URLSearchParams(await bodyOf(request)));
      this.queries.push(asked);
      const answer = this.world.influx(asked.q);
      return send(response, answer.error ? answer.status : 200, answer);
    }
    if (path === 'api/v1/quarantine/retry' && request.method === 'POST') {
      const asked = JSON.parse(await bodyOf(request));
      this.retries.push(asked);
      return send(response, 200, this.world.retry(asked));
    }
    if (path === 'api/v1/live') {
      const parameters = Object.fromEntries(new URL(request.url, this.url).searchParams);
      const refused = this.world.live?.(parameters);
      if (refused) return send(response, refused.status, refused);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('event: open\ndata: {}\n\n');
      this.followers.set(response, parameters);
      this.followed++;
      response.on('close', () => this.followers.delete(response));
      return undefined;
    }
    const file = normalize(join(DIST, path === '' ? 'index.html' : path));
    const content = file.startsWith(DIST.replace(/[/\\]$/, sep))
      ? await readFile(file).catch(() => undefined)
      : undefined;
    if (content === undefined)
      return send(response, 404, { error: { code: 'not_found', message: pathname } });
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
    response.end(content);
  }
}

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

function send(response, status, answer) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(answer));
}

export function statusWith({ rows = 0, lag = 0, state = 'running' } = {}) {
  return {
    version: '0.1.0',
    uptime_seconds: 12.3,
    ready: true,
    ingest: {
      rows_total: rows,
      bytes_total: rows * 190,
      rejected_total: 0,
      sources: [
        {
          name: 'kafka.0',
          kind: 'kafka',
          state,
          detail: '',
          partitions: [
            {
              topic: 'readings',
              partition: 0,
              next_offset: rows,
              high_watermark: rows + lag,
              lag,
              last_event_time: new Date().toISOString(),
            },
          ],
        },
      ],
    },
    wal: { bytes: 1_048_576, files: 1, last_lsn: 5, durable_lsn: 5 },
    segments: { count: 3, bytes: 52_428_800 },
    memtable: { rows: 10, bytes: 100 },
    mirrors: [],
    quarantine: { rows_total: 0 },
  };
}

export function waterColumns() {
  return [
    { name: 'time', kind: 'time', type: 'timestamp' },
    { name: 'site', kind: 'tag', type: 'string' },
    { name: 'note', kind: 'field', type: 'string' },
    { name: 'temperature', kind: 'field', type: 'double' },
    { name: 'ph', kind: 'field', type: 'double' },
  ];
}

export function tableWith(name, rows, from, to) {
  return {
    name,
    database: 'varve',
    rows,
    bytes: rows * 4,
    series: 4,
    retention: '0',
    time_min: new Date(from).toISOString(),
    time_max: new Date(to).toISOString(),
  };
}

// Answers the queries of charts with waves; `sites` are the values of the tag.
export function waves(sites, from, to, points = 120) {
  return (sql) => {
    if (/count\(distinct/.test(sql)) return table(['double'], [[sites.length]]);
    if (/count\("/.test(sql)) return table(['int64', 'int64', 'int64'], [[1000, 1000, 1000]]);
    if (/SELECT DISTINCT/.test(sql)) return table(['string'], sites.map((site) => [site]));
    const split = /GROUP BY t, site/.test(sql);
    const lines = split ? sites : [undefined];
    const rows = [];
    for (let i = 0; i < points; i++) {
      const at = new Date(Math.round(from() + ((to() - from()) * i) / (points - 1))).toISOString();
      lines.forEach((site, line) => {
        const reading = 14 + 3 * line + 2 * Math.sin(i / 11 + line) + 0.3 * Math.sin(i * 1.7 + line);
        rows.push(split ? [at, reading, site] : [at, reading]);
      });
    }
    return table(split ? ['timestamp', 'double', 'string'] : ['timestamp', 'double'], rows, split ? ['t', 'v', 'site'] : ['t', 'v']);
  };
}

// An answer with columns of these types.
export function table(types, rows, names = types.map((type, i) => `${type}${i}`)) {
  return {
    columns: types.map((type, i) => ({ name: names[i], type })),
    rows,
    row_count: rows.length,
    stats: { elapsed_ms: 0.4, engine: 'native', rows_scanned: 1440 },
  };
}

export const now = () => Date.now();
export const recently = () => Date.now() - 10 * 60_000;

export function emptyWorld() {
  return { status: statusWith(), tables: [], columns: {}, query: () => ({ columns: [], rows: [] }) };
}

export function liveWorld() {
  return {
    status: statusWith({ rows: 1000, lag: 7 }),
    tables: [tableWith('readings', 1000, recently(), now())],
    columns: { readings: waterColumns() },
    query: waves(['north', 'south', "o'hare"], recently, now),
  };
}

// Runs `look` on a page over `world`; no exception, CSP violation or foreign request may happen.
export async function withPage(browser, world, look, { base = '/', hash = '', ...options } = {}) {
  const server = await new FakeVarve(world, base).start();
  const opened = await openPage(browser, server.url + hash, options);
  try {
    await look(opened.page, server);
    if (opened.problems.length > 0) throw new Error(`the page had problems: ${opened.problems.join('\n')}`);
  } finally {
    await opened.close();
    await server.stop().catch(() => {}); // a test may have stopped it already
  }
}

// The editor when it has been loaded; `write` replaces its text as a person would.
export async function editorOf(page) {
  await page.locator('.editor[data-ready=true]').waitFor();
  const box = page.getByRole('textbox', { name: /query$/ });
  return {
    box,
    text: async () => (await box.locator('.cm-line').allInnerTexts()).map((line) => line.replace(/\n$/, '')).join('\n'),
    write: async (text) => {
      await box.click();
      await page.keyboard.press('Control+a');
      await page.keyboard.press('Delete');
      await page.keyboard.insertText(text);
    },
  };
}
