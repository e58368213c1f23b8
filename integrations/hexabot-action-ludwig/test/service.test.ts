/**
 * The action and the examples against a running ludwig-serverless with the models of examples/bundles.
 *
 * LUDWIG_ENDPOINT and LUDWIG_TOKEN name the service: tests/integrations/test_hexabot_action.py starts it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { messageEvent } from '@hexabot-ai/api';

import { CREDENTIAL, makeBot, understand } from './bot';

const ENDPOINT = process.env['LUDWIG_ENDPOINT'] ?? 'http://127.0.0.1:8000';
const TOKEN = process.env['LUDWIG_TOKEN'] ?? '';
const SETTINGS = { endpoint: ENDPOINT, credential: CREDENTIAL };
const CREDENTIALS = { [CREDENTIAL]: TOKEN };

/** Read a workflow of examples/hexabot, with this service and this token in it. */
function example(name: string): string {
  return readFileSync(join(__dirname, '../../../examples/hexabot', name), 'utf8')
    .replaceAll('http://127.0.0.1:8000', ENDPOINT)
    .replaceAll('language: en', `language: en\n      credential: ${CREDENTIAL}`)
    .replace('Bearer TOKEN', `Bearer ${TOKEN}`);
}

const ask = (text: string, settings: object = {}, input: object = {}) =>
  understand(text, { ...SETTINGS, ...settings }, { credentials: CREDENTIALS, input });

const CONVERSATIONS: [string, string][][] = [
  [['hello', 'Hello!']],
  [['Je voudrais un vol pour Lyon', 'Je cherche un vol pour Lyon.']],
  [['I want to fly from London to New York.', 'I am looking for a flight to New York.']],
  [
    ['i want to book a flight', 'Where do you want to go? For example: to Rome'],
    ['hm', 'Where do you want to go? For example: to Rome'],
    ['to Rome', 'I am looking for a flight to Rome.'],
  ],
  [
    ['could you book me a hotel room july 14th, for three nights?', 'Where do you want to go? For example: to Rome'],
    ['in Cairo', 'I am looking for a hotel in Cairo.'],
  ],
  [
    ['i want to book a flight', 'Where do you want to go? For example: to Rome'],
    ['no', 'Where do you want to go? For example: to Rome'],
    ['no', 'Where do you want to go? For example: to Rome'],
    ['no', 'A colleague will answer you.'],
  ],
  [['what is the capital of Peru', 'A colleague will answer you.']],
];
for (const conversation of CONVERSATIONS) {
  test(`travel-agency.yml: ${conversation.map(([said]) => said).join(' / ')}`, async () => {
    const bot = await makeBot(CREDENTIALS);
    const running = bot.converse(example('travel-agency.yml'));
    for (const [said, expected] of conversation) assert.deepEqual(await running.say(messageEvent(said)), [expected]);
  });
}

test("the README's workflow runs", async () => {
  const [, yaml] = /```yaml\n(.*?)```/s.exec(readFileSync(join(__dirname, '../README.md'), 'utf8'))!;
  const bot = await makeBot(CREDENTIALS);
  const running = bot.converse(yaml!.replace('https://nlu.example.org', ENDPOINT));
  assert.deepEqual(await running.say(messageEvent('I want to fly to Paris')), ['A flight to Paris']);
});

test('slots of earlier messages are kept while the user answers', async () => {
  const bot = await makeBot(CREDENTIALS);
  const conversation = bot.converse(example('travel-agency.yml'));
  await conversation.say(messageEvent('could you book me a hotel room for three nights?'));
  await conversation.say(messageEvent('to Rome'));
  const { destination, duration } = conversation.outputs!['slots'] as Record<string, string>;
  assert.deepEqual([destination, typeof duration], ['Rome', 'string']);
});

for (const text of ['=1+1', '=) hello', '=$string($context)&"leak"', 'say "hi" \\ to\n"Rome"', '🛫  to\tNew York.']) {
  test(`an awkward message is understood as text: ${JSON.stringify(text)}`, async () => {
    const { output } = await ask(text);
    for (const { value, start, end } of output.entities) assert.equal(text.slice(start, end), value);
    const bot = await makeBot(CREDENTIALS);
    const [answer] = await bot.converse(example('http-request.yml')).say(messageEvent(text));
    assert.match(answer!, /^Intent: /);
  });
}

test('only intents that the bot knows are answered', async () => {
  const known = await ask('I want to fly to Paris', {}, { intents: ['greet', 'goodbye'] });
  assert.ok(['greet', 'goodbye'].includes(known.output.intent!));
  const sure = await ask('I want to fly to Paris', { minConfidence: 0.5 }, { intents: ['greet', 'goodbye'] });
  assert.equal(sure.output.intent, null);
});

test('http-request.yml says so when the service cannot be reached', async () => {
  const bot = await makeBot(CREDENTIALS);
  const unreachable = example('http-request.yml').replaceAll(ENDPOINT, 'http://127.0.0.1:9');
  assert.deepEqual(await bot.converse(unreachable).say(messageEvent('hello')), ['Please try again later.']);
});

test('a wrong token, no token and a wrong address are told apart', async () => {
  await assert.rejects(understand('hi', SETTINGS, { credentials: { [CREDENTIAL]: 'wrong' } }), /refused the token/);
  await assert.rejects(understand('hi', { endpoint: ENDPOINT }), /needs a token/);
  await assert.rejects(ask('hi', { endpoint: `${ENDPOINT}/elsewhere` }), /has no POST \/elsewhere\/understand/);
});

test('a message that is too long is an error that does not quote it', async () => {
  await assert.rejects(ask('secret '.repeat(2000)), (error: Error) => /413/.test(error.message) && !/secret/.test(error.message));
});
