/** The stand-in of Hexabot with this package's action in it. */
import {
  ActionService,
  BUILT_IN_ACTIONS,
  Conversation,
  ConversationalWorkflowContext,
  credentialsOf,
  messageEvent,
} from '@hexabot-ai/api';

import { LudwigUnderstandAction } from '../dist/ludwig-understand.action';
import type { Output } from '../dist/answer';

export const CREDENTIAL = '3f2b8f1e-7a54-4d0c-9c1b-2f4f6c8a9d10';
export const OTHER_CREDENTIAL = '9a1d2c3b-4e5f-4a6b-8c7d-0e1f2a3b4c5d';
export const TOKEN = 'tok-0123456789';

type Options = { signal?: AbortSignal; type?: string; credentials?: Record<string, string>; input?: object };

/** A bot whose actions are registered as Hexabot registers them. `warnings` is what its log holds. */
export async function makeBot(credentials: Record<string, string> = {}) {
  const service = new ActionService();
  for (const action of [LudwigUnderstandAction, ...BUILT_IN_ACTIONS]) await new action(service).onModuleInit();
  const warnings: string[] = [];
  const logger = { warn: (message: string) => void warnings.push(message) };
  const context = new ConversationalWorkflowContext({ logger, credentials: credentialsOf(credentials) });
  const converse = (yaml: string) => new Conversation(yaml, service, context);
  return { service, context, warnings, converse };
}

/** Run the action by itself on one message, as the engine runs it. */
export async function understand(text: string, settings: object, options: Options = {}) {
  const bot = await makeBot(options.credentials);
  bot.context.event = messageEvent(text, options.type);
  const action = bot.service.actions['ludwig_understand']!;
  const output = (await action.run(
    options.input ?? {},
    bot.context,
    action.parseSettings(settings),
    options.signal,
  )) as Output;
  return { output, warnings: bot.warnings };
}
