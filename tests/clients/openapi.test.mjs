// The API's description: a validator of OpenAPI reads it, every example in it is sent to a real varve, and what comes back
// has the status, the type and the shape that are described.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv2020 from 'ajv/dist/2020.js';
import { startVarve } from './support.mjs';

const LINES =
  'water,site=north ph=7.31,ok=true 1735689600\nwater,site=south ph=6.9,ok=true 1735689601\n';

describe('the description of the API', () => {
  let varve, api, ajv;
  before(async () => {
    varve = await startVarve();
    const wrote = await fetch(`${varve.url}/write?precision=s`, { method: 'POST', body: LINES });
    assert.equal(wrote.status, 204);
    api = await (await fetch(`${varve.url}/api/v1/openapi.json`)).json();
    ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(api, 'api');
  });
  after(() => varve?.stop());

  const pointer = (...keys) => keys.map((key) => key.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  const target = (part) =>
    part.$ref ? part.$ref.slice(2).split('/').reduce((at, key) => at[key], api) : part;

  // Whether `answer` is one of those described for `method path`.
  async function check(path, method, answer, body) {
    const where = `${method} ${path}: ${answer.status}`;
    const responses = api.paths[path][method].responses;
    assert.ok(responses[answer.status], `${where} is not described; it said ${body}`);
    assert.match(answer.headers.get('x-request-id'), /^[\w.-]{1,64}$/, where);
    const response = target(responses[answer.status]);
    if (!response.content) {
      assert.equal(body, '', where);
      return;
    }
    const type = answer.headers.get('content-type').split(';')[0];
    assert.ok(response.content[type], `${where} has the type ${type}`);
    if (type !== 'application/json') return;
    const at = responses[answer.status].$ref?.slice(2) ?? pointer('paths', path, method, 'responses', `${answer.status}`);
    const valid = ajv.compile({ $ref: `api#/${encodeURI(at)}/${pointer('content', type)}/schema` });
    assert.ok(valid(JSON.parse(body)), `${where}: ${JSON.stringify(valid.errors)} in ${body}`);
  }

  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(api);
    assert.deepEqual(result.errors ?? [], []);
    assert.equal(result.valid, true);
  });

  it('has examples that work', async () => {
    let sent = 0;
    for (const [path, operations] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const parameters = (operation.parameters ?? []).map(target);
        if (parameters.some((one) => one.required && one.example === undefined)) continue;
        const query = new URLSearchParams();
        let url = path;
        for (const one of parameters.filter((each) => each.example !== undefined)) {
          if (one.in === 'path') url = url.replace(`{${one.name}}`, encodeURIComponent(one.example));
          else query.set(one.name, one.example);
        }
        const bodies = operation.requestBody ? Object.entries(target(operation.requestBody).content) : [[]];
        for (const [type, media] of bodies) {
          if (type && media.example === undefined) continue;
          let body = media?.example;
          if (type === 'application/json') body = JSON.stringify(body);
          if (type === 'application/x-www-form-urlencoded') body = new URLSearchParams(body).toString();
          const stop = new AbortController();
          const answer = await fetch(`${varve.url}${url}?${query}`, {
            method: method.toUpperCase(),
            headers: type ? { 'content-type': type } : {},
            body,
            signal: stop.signal,
          });
          assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
          if (answer.headers.get('content-type') === 'text/event-stream') {
            const { value } = await answer.body.getReader().read();
            assert.match(Buffer.from(value).toString(), /^event: open\ndata: \{.*\}\n\n/);
            await check(path, method, answer, '');
            stop.abort();
          } else {
            await check(path, method, answer, await answer.text());
          }
          sent += 1;
        }
      }
    }
    assert.ok(sent >= 18, `only ${sent} examples were sent`);
  });

  it('describes errors as they are', async () => {
    const json = { 'content-type': 'application/json' };
    const cases = [
      [400, 'get', '/api/v1/query', '?q=SELEC'],
      [404, 'get', '/api/v1/query', '?q=SELECT%20*%20FROM%20wader'],
      [400, 'post', '/api/v1/query', '', json, '{"sql":1}'],
      [403, 'post', '/api/v1/query', '', { origin: 'http://evil.example' }, 'SELECT 1'],
      [415, 'post', '/api/v1/query', '', { 'content-encoding': 'br' }, 'SELECT 1'],
      [404, 'delete', '/api/v1/queries/{id}', '/999999'],
      [400, 'delete', '/api/v1/queries/{id}', '/x'],
      [404, 'get', '/api/v1/tables/{table}', '/wader'],
      [400, 'get', '/api/v1/live', '?table=water&where=ph%20%3E'],
      [404, 'get', '/api/v1/live', '?table=wader'],
      [400, 'post', '/api/v1/ingest/resume', '', json, '{}'],
      [404, 'post', '/api/v1/ingest/resume', '', json, '{"topic":"t","partition":0,"from":"skip"}'],
      [404, 'post', '/api/v1/ingest/rewind', '', json, '{"time":"2025-01-01T00:00:00Z"}'],
      [404, 'post', '/api/v1/mirror/backfill', '', json, '{}'],
      [400, 'post', '/api/v1/quarantine/retry', '', json, '{"where":"1; 2"}'],
      [400, 'post', '/write', '', {}, 'no line'],
      [400, 'post', '/api/v2/write', '?bucket=b', {}, 'no line'],
      [422, 'post', '/api/v2/write', '?bucket=varve&precision=s', {}, 'water,site=north ph="text" 1'],
      [400, 'post', '/api/v3/write_lp', '?db=b', {}, 'no line'],
      [400, 'get', '/query', '?q=SELEC'],
      [400, 'post', '/query', '', {}, ''],
    ];
    for (const [status, method, path, more, headers = {}, body] of cases) {
      const url = varve.url + path.replace(/\/\{.*\}/, '') + more;
      const answer = await fetch(url, { method: method.toUpperCase(), headers, body });
      const text = await answer.text();
      assert.equal(answer.status, status, `${method} ${path}${more}: ${text}`);
      await check(path, method, answer, text);
    }
  });

  it('describes what a live tail sends', async () => {
    const stop = new AbortController();
    const answer = await fetch(`${varve.url}/api/v1/live?table=water&fields=site,ph`, { signal: stop.signal });
    const reader = answer.body.getReader();
    await reader.read(); // open
    const wrote = await fetch(`${varve.url}/write?precision=s`, { method: 'POST', body: LINES });
    assert.equal(wrote.status, 204);
    const text = Buffer.from((await reader.read()).value).toString();
    const [, id, data] = text.match(/^id: (\d+)\ndata: (.*)\n\n$/);
    assert.ok(Number(id) > 0);
    const valid = ajv.compile({ $ref: 'api#/components/schemas/LiveRows' });
    assert.ok(valid(JSON.parse(data)), JSON.stringify(valid.errors));
    assert.deepEqual(JSON.parse(data).rows, [
      ['2025-01-01T00:00:00Z', 'north', 7.31],
      ['2025-01-01T00:00:01Z', 'south', 6.9],
    ]);
    stop.abort();
  });
});
