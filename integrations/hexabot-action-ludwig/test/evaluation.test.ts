/** Hexabot evaluates results a second time: where a message would run as an expression, and where it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { messageEvent } from '@hexabot-ai/api';

import { makeBot } from './bot';
import { compactAnswer, entity, ScriptedService } from './scripted';

const ECHO = `
defs:
  say:
    kind: task
    action: send_text_message
    inputs: {text: "=$input.text"}
flow: [{do: say}]
outputs: {text: "=$input.message_type"}
`;

test('an input that passes the message on runs it: the reason why the action reads the event', async () => {
  const bot = await makeBot();
  assert.deepEqual(await bot.converse(ECHO).say(messageEvent('=$string($context)&"leak"')), ['{"channel":{"name":"web"}}leak']);
  await assert.rejects(bot.converse(ECHO).say(messageEvent('=) hello')));
});

for (const text of ['=1+1', '=) hello', '=$string($context)&"leak"', '= =', '="']) {
  test(`the message ${text} reaches the service, and its slots reach the user, as text`, async () => {
    const service = await ScriptedService.start({ body: compactAnswer({ text, entities: [entity('what', text, 0)] }) });
    const bot = await makeBot();
    const conversation = bot.converse(`
defs:
  understand:
    kind: task
    action: ludwig_understand
    settings: {endpoint: "${service.endpoint}"}
  repeat:
    kind: task
    action: send_text_message
    inputs: {text: "=$output.understand.slots.what ?? 'nothing'"}
flow: [{do: understand}, {do: repeat}]
outputs: {slots: "=$output.understand.slots", entities: "=$output.understand.entities"}
`);
    const sent = await conversation.say(messageEvent(text));
    await service.stop();
    assert.deepEqual(service.received[0]!.body, { text });
    assert.deepEqual(sent, [text.replace(/^[=\s]+/, '') || 'nothing']);
    assert.deepEqual(conversation.outputs!['slots'], conversation.output['understand']!['slots' as never]);
  });
}
