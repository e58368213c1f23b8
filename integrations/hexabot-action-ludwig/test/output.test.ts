/** What the action sends, and what it makes of an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CREDENTIAL, OTHER_CREDENTIAL, TOKEN, understand } from './bot';
import { compactAnswer, entity, type Reply, ScriptedService } from './scripted';

async function ask(reply: Reply | Reply[], settings: object = {}, options: Parameters<typeof understand>[2] = {}, text = 'Fly to New York.') {
  const service = await ScriptedService.start(...[reply].flat());
  try {
    return { ...(await understand(text, { endpoint: service.endpoint, ...settings }, options)), service };
  } finally {
    await service.stop();
  }
}

test('the output has what the next steps need, without expressions', async () => {
  const { output } = await ask({ body: compactAnswer() });
  assert.deepEqual(output, {
    intent: 'book_flight',
    confidence: 0.93,
    language: 'en',
    entities: [entity('destination', 'New York', 7)],
    slots: { destination: 'New York' },
  });
});

test('the message is sent as it is, in JSON, to POST /understand', async () => {
  const text = ' "Quotes" \\ \n\t =1+1 été 🛫 ';
  const { service } = await ask({ body: compactAnswer() }, {}, {}, text);
  const [{ method, path, headers, body }] = service.received as [(typeof service.received)[0]];
  assert.deepEqual([method, path, body], ['POST', '/understand', { text }]);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers.authorization, undefined);
});

for (const suffix of ['', '/', '//', '/understand', '/predict', '/parse/', '#top']) {
  test(`an endpoint that ends in "${suffix}" leads to the same route`, async () => {
    const service = await ScriptedService.start({ body: compactAnswer() });
    await understand('hello', { endpoint: `${service.endpoint}/nlu${suffix}` }).finally(() => service.stop());
    assert.equal(service.received[0]!.path, '/nlu/understand');
  });
}

test('intents and known slots come from the inputs', async () => {
  const { service, output } = await ask({ body: compactAnswer() }, {}, {
    input: { intents: ['book_flight', 'greet'], slots: { date: 'friday', destination: 'Rome' } },
  });
  assert.deepEqual(service.received[0]!.body['intents'], ['book_flight', 'greet']);
  assert.deepEqual(output.slots, { date: 'friday', destination: 'New York' });
});

test('the first entity of a name fills the slot, with its canonical value', async () => {
  const first = entity('city', 'NYC', 0, { canonicalValue: 'New York City' });
  const { output } = await ask({ body: compactAnswer({ entities: [first, entity('city', 'Rome', 7)] }) });
  assert.deepEqual(output.slots, { city: 'New York City' });
  assert.equal(output.entities.length, 2);
});

test('intents and entities below minConfidence are left out', async () => {
  const entities = [entity('city', 'Rome', 0, { confidence: 0.4 }), entity('code', 'AB', 8, { confidence: 1 })];
  const { output } = await ask({ body: compactAnswer({ entities }) }, { minConfidence: 0.95 });
  assert.deepEqual([output.intent, output.confidence, output.slots], [null, 0, { code: 'AB' }]);
});

test('an intent that the service withholds is null', async () => {
  const { output } = await ask({ body: compactAnswer({ intent: { name: null, confidence: 0, ranking: [] } }) });
  assert.deepEqual([output.intent, output.confidence], [null, 0]);
});

for (const [confidence, setting, expected] of [
  [0, 'fr', 'fr'],
  [0, undefined, 'en'],
  [0.6, 'fr', 'en'],
] as const) {
  test(`a language with confidence ${confidence} and the setting ${setting} is answered ${expected}`, async () => {
    const reply = { body: compactAnswer({ language: { value: 'en', confidence } }) };
    const { output } = await ask(reply, setting === undefined ? {} : { language: setting });
    assert.equal(output.language, expected);
  });
}

test('no value begins with "=", which Hexabot would evaluate; offsets stay right', async () => {
  const text = 'to =$string($context) or = =Rome or === now';
  const entities = [
    entity('destination', '=$string($context)', 3),
    entity('other', '= =Rome', 25),
    entity('nothing', '===', 36),
    entity('plain', 'a=b', 40, { canonicalValue: '=1+1' }),
  ];
  const { output } = await ask({ body: compactAnswer({ text, entities }) }, {}, {}, text);
  assert.deepEqual(output.slots, { destination: '$string($context)', other: 'Rome', plain: '1+1' });
  for (const { value, start, end } of output.entities.slice(0, 2)) assert.equal(text.slice(start, end), value);
});

for (const [type, text] of [
  ['attachment', 'attachment:image:https://example.org/cat.png'],
  ['location', ''],
  ['text', ' \n'],
] as const) {
  test(`a message of type ${type} without text is not sent`, async () => {
    const { service, output } = await ask({ body: compactAnswer() }, { language: 'fr' }, { type, input: { slots: { a: 'b' } } }, text);
    assert.equal(service.received.length, 0);
    assert.deepEqual(output, { intent: null, confidence: 0, language: 'fr', entities: [], slots: { a: 'b' } });
  });
}

for (const type of ['postback', 'quickReply']) {
  test(`the text of a ${type} is understood`, async () => {
    const { service } = await ask({ body: compactAnswer() }, {}, { type }, 'Book a flight');
    assert.deepEqual(service.received[0]!.body, { text: 'Book a flight' });
  });
}

test('the token comes from the chosen credential', async () => {
  const credentials = { [OTHER_CREDENTIAL]: 'secret-of-another-service', [CREDENTIAL]: `${TOKEN}\n` };
  const { service } = await ask({ body: compactAnswer() }, { credential: CREDENTIAL }, { credentials });
  assert.equal(service.received[0]!.headers.authorization, `Bearer ${TOKEN}`);
});

test('without a credential no token is sent, although Hexabot would give the first one it has', async () => {
  const { service } = await ask({ body: compactAnswer() }, {}, { credentials: { [OTHER_CREDENTIAL]: 'secret' } });
  assert.equal(service.received[0]!.headers.authorization, undefined);
});

test('a model that failed is named in the log, and the others are used', async () => {
  const models = { intent: { status: 'success' }, slots: { status: 'failed', error: 'secret detail' } };
  const { output, warnings } = await ask({ body: compactAnswer({ models, entities: [] }) });
  assert.equal(output.intent, 'book_flight');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /the model slots failed/);
});
