/** The built-in actions that the examples use. */
import { z } from 'zod';

import { createAction } from './actions';
import type { ConversationalWorkflowContext } from './context';

const sendTextMessage = createAction<{ text: string }, object, ConversationalWorkflowContext, { typing?: number }>({
  name: 'send_text_message',
  description: 'Sends a text message.',
  inputSchema: z.object({ text: z.string().min(1).default('Hello World!') }),
  settingsSchema: z.strictObject({ typing: z.int().nonnegative().default(0).optional() }),
  outputSchema: z.object({ sent: z.object({ type: z.string() }) }),
  execute({ input, context }) {
    context.sent.push(input.text);
    return { sent: { type: 'text' } };
  },
});

const awaitReply = createAction<object, object, ConversationalWorkflowContext, object>({
  name: 'await_reply',
  description: 'Waits for the next message.',
  outputSchema: z.looseObject({ text: z.string() }),
  execute: ({ context }) => context.suspend(),
});

type Request = { url: string; headers?: Record<string, string>; body?: string };

const httpRequest = createAction<Request, object, ConversationalWorkflowContext, { method: 'GET' | 'POST' }>({
  name: 'http_request',
  description: 'Sends a request. Failures are in the output.',
  inputSchema: z.object({
    url: z.url(),
    headers: z.record(z.string(), z.string()).optional(),
    body: z.string().default('{}').optional(),
  }),
  settingsSchema: z.strictObject({ method: z.enum(['GET', 'POST']).default('GET') }),
  outputSchema: z.looseObject({ ok: z.boolean(), status: z.int() }),
  async execute({ input, settings, signal }) {
    try {
      const response = await fetch(input.url, {
        method: settings.method,
        headers: { 'content-type': 'application/json', ...input.headers },
        body: settings.method === 'POST' ? input.body : undefined,
        signal,
      });
      return { ok: response.ok, status: response.status, body: await response.json() };
    } catch (error) {
      return { ok: false, status: 0, status_text: 'network_error', body: '', error: String(error) };
    }
  },
});

export const BUILT_IN_ACTIONS = [sendTextMessage, awaitReply, httpRequest];
