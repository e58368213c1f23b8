/** What the action does when the service is slow, busy, wrong or gone; and that no error quotes a token or a message. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { CREDENTIAL, TOKEN, understand } from './bot';
import { compactAnswer, type Reply, ScriptedService } from './scripted';

const TEXT = 'my secret message';
const NOW = { 'retry-after': '0' };

/** Run the action against a script, and return how it ended. Checks that nothing secret was written anywhere. */
async function attempt(script: Reply[], settings: object = {}, credentials: Record<string, string> = { [CREDENTIAL]: TOKEN }) {
  const service = await ScriptedService.start(...script);
  const credential = Object.keys(credentials)[0];
  const all = { endpoint: service.endpoint, ...(credential ? { credential } : {}), ...settings };
  const ended = await understand(TEXT, all, { credentials }).then(
    ({ output, warnings }) => ({ output, warnings, message: '' }),
    (error: Error) => ({ output: undefined, warnings: [] as string[], message: error.message }),
  );
  await service.stop();
  const written = [ended.message, ...ended.warnings].join('\n');
  assert.ok(!written.includes(TOKEN) && !written.includes(TEXT), written);
  return { ...ended, requests: service.received.length, host: service.host };
}

const LOST: [number, RegExp, Record<string, string>?][] = [
  [400, /answered 400: it refused the request.*"intents"/],
  [401, /answered 401: it refused the token.*NLU_TOKEN_DIGESTS/],
  [401, /answered 401: it needs a token.*"credential"/, {}],
  [403, /answered 403: it refused the token/],
  [404, /answered 404: it has no POST \/understand\. Update ludwig-serverless.*"endpoint"/],
  [405, /answered 405: it has no POST \/understand/],
  [413, /answered 413: the message is longer/],
  [500, /answered 500: the service failed.*log/],
];
for (const [status, message, credentials] of LOST) {
  test(`${status} is an error at once (${message.source})`, async () => {
    const quoting = { error: `no, ${TOKEN} and ${TEXT}` };
    const ended = await attempt([{ status, body: quoting }], {}, credentials);
    assert.match(ended.message, message);
    assert.ok(ended.message.startsWith(ended.host));
    assert.equal(ended.requests, 1);
  });
}

for (const status of [429, 502, 503, 504]) {
  test(`${status} is asked again, and a service that has started is used`, async () => {
    const { output, warnings, requests } = await attempt([{ status, headers: NOW }, { status, headers: NOW }, { body: compactAnswer() }]);
    assert.equal(output?.intent, 'book_flight');
    assert.equal(requests, 3);
    assert.match(warnings[0]!, new RegExp(`answered ${status}: .* Attempt 2 of 4 follows in 0 ms`));
  });
}

test('a service that never starts is asked four times', async () => {
  const ended = await attempt([{ status: 503, headers: NOW }]);
  assert.equal(ended.requests, 4);
  assert.match(ended.message, /answered 503: the service is starting or busy\. Keep an instance warm/);
});

test('a connection that is lost is tried again', async () => {
  assert.equal((await attempt([{ lose: true }, { body: compactAnswer() }])).output?.intent, 'book_flight');
});

for (const wait of ['3600', new Date(Date.now() + 3_600_000).toUTCString()]) {
  test(`Retry-After: ${wait.length < 5 ? wait : 'a date'} is longer than a user waits`, async () => {
    const ended = await attempt([{ status: 429, headers: { 'retry-after': wait } }]);
    assert.equal(ended.requests, 1);
    assert.match(ended.message, /answered 429/);
  });
}

test('a Retry-After that nobody can read, and none, wait a quarter of a second', async () => {
  for (const headers of [{ 'retry-after': 'soon' }, {}] as Record<string, string>[]) {
    const { warnings } = await attempt([{ status: 503, headers }, { body: compactAnswer() }]);
    assert.match(warnings[0]!, /follows in 250 ms/);
  }
});

test('a service that hangs is given up before the engine gives up the step', async () => {
  const ended = await attempt([{ hang: true }], { timeout_ms: 200 });
  assert.match(ended.message, /did not answer within 190 ms: keep an instance warm, or raise "timeout_ms"/);
});

test('a service that is not there is named', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const ended = understand(TEXT, { endpoint: `http://127.0.0.1:${port}`, timeout_ms: 200 });
  await assert.rejects(ended, { message: new RegExp(`^127.0.0.1:${port} cannot be reached \\(ECONNREFUSED\\)`) });
});

test('a redirect is not followed: the message and the token go to no other address', async () => {
  const other = await ScriptedService.start({ body: compactAnswer() });
  const ended = await attempt([{ status: 308, headers: { location: `${other.endpoint}/understand` } }]);
  await other.stop();
  assert.equal(other.received.length, 0);
  assert.match(ended.message, new RegExp(`it redirects to ${other.host}`));
});

for (const body of ['<html>my secret message</html>', '', { intent: { predictions: {} } }, []]) {
  test(`a page, or another service, is not taken for an answer: ${JSON.stringify(body)}`, async () => {
    const ended = await attempt([{ body }]);
    assert.match(ended.message, /^127.0.0.1:\d+ answered .*"endpoint"/);
  });
}

for (const [value, message] of [
  ['', /was deleted, or is empty/],
  ['tok\nX-Other: 1', /characters that no token has/],
  ['tök', /characters that no token has/],
] as const) {
  test(`the credential ${JSON.stringify(value)} is an error before anything is sent`, async () => {
    const ended = await attempt([{ body: compactAnswer() }], {}, { [CREDENTIAL]: value });
    assert.equal(ended.requests, 0);
    assert.match(ended.message, message);
  });
}

test('with onFailure: continue, the workflow goes on without an intent, and the log names the cause', async () => {
  const { output, warnings, host } = await attempt([{ status: 401 }], { onFailure: 'continue', language: 'fr' });
  assert.deepEqual(output, { intent: null, confidence: 0, language: 'fr', entities: [], slots: {} });
  assert.deepEqual(warnings.length, 1);
  assert.ok(warnings[0]!.startsWith(`ludwig_understand: ${host} answered 401`));
});

test('a canceled workflow ends the wait with the reason of the engine', async () => {
  const service = await ScriptedService.start({ status: 503, headers: { 'retry-after': '20' } });
  const canceling = new AbortController();
  const running = understand(TEXT, { endpoint: service.endpoint }, { signal: canceling.signal });
  setTimeout(() => canceling.abort(new Error('the workflow was canceled')), 100);
  await assert.rejects(running, { message: 'the workflow was canceled' });
  await service.stop();
});

const REFUSED: [string, object, RegExp][] = [
  ['no endpoint', {}, /endpoint/],
  ['an endpoint that is no address', { endpoint: 'nlu' }, /Invalid URL/],
  ['another scheme', { endpoint: 'file:///etc/passwd' }, /Invalid URL/],
  ['a token in the endpoint', { endpoint: `https://nlu.example.org/?token=${TOKEN}` }, /put the token into a credential/],
  ['a password in the endpoint', { endpoint: `https://me:${TOKEN}@nlu.example.org` }, /put the token into a credential/],
  ['a token instead of a credential', { endpoint: 'https://nlu.example.org', credential: TOKEN }, /not the token itself/],
  ['a confidence in percent', { endpoint: 'https://nlu.example.org', minConfidence: 50 }, /minConfidence/],
  ['a setting with a typing error', { endpoint: 'https://nlu.example.org', minconfidence: 0.5 }, /minconfidence/],
];
for (const [what, settings, message] of REFUSED) {
  test(`settings with ${what} are refused when the workflow is saved`, async () => {
    const ended = understand(TEXT, settings);
    await assert.rejects(ended, (error: Error) => message.test(error.message) && !error.message.includes(TOKEN));
  });
}
