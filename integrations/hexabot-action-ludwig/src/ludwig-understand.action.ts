/**
 * The action `ludwig_understand`. Hexabot finds it by the package's name (`hexabot-action-*`) and the file's
 * (`*.action.js`).
 */
import { type ConversationalWorkflowContext as Context, createAction, WorkflowType } from '@hexabot-ai/api';

import { answerSchema, nothingUnderstood, type Output, outputSchema, toOutput } from './answer';
import { askService, LudwigError } from './service';
import { type Input, inputSchema, type Settings, settingsSchema } from './settings';

/** How long a message may wait in all when the workflow sets no `timeout_ms`: one cold start, and a second attempt. */
const BUDGET_MS = 45_000;
/** The part of `timeout_ms` that is used, so that this action's error comes before the engine's. */
const USED_PART = 0.95;
/** Types of messages that a user wrote, or chose by a button. Pictures and places hold no text to understand. */
const TYPES_WITH_TEXT = ['text', 'postback', 'quickReply'];

/** The type is spelled out, so that the declarations name nothing that Hexabot does not export. */
type Action = ReturnType<typeof createAction<Input, Output, Context, Settings>>;

export const LudwigUnderstandAction: Action = createAction<Input, Output, Context, Settings>({
  name: 'ludwig_understand',
  description: 'Finds the intent, the language and the slots of the message, with Ludwig models.',
  group: 'nlu',
  icon: 'Brain',
  color: '#2f6f8f',
  workflowTypes: [WorkflowType.conversational],
  inputSchema,
  outputSchema,
  settingsSchema,
  async execute(args) {
    try {
      return await understand(args);
    } catch (error) {
      if (!(error instanceof LudwigError) || args.settings.onFailure === 'stop') throw error;
      warn(args.context, error.message);
      return nothingUnderstood(args.settings, args.input);
    }
  },
});

export default LudwigUnderstandAction;

type Args = { input: Input; context: Context; settings: Settings & { timeout_ms?: number }; signal?: AbortSignal };

async function understand({ input, context, settings, signal }: Args): Promise<Output> {
  // Not $input.text: Hexabot would evaluate a message such as "=1+1" as an expression.
  const text = TYPES_WITH_TEXT.includes(String(context.event.getMessageType())) ? context.event.getText() : '';
  if (text.trim() === '') return nothingUnderstood(settings, input);

  const reply = await askService({
    endpoint: settings.endpoint,
    token: await readToken(context, settings.credential),
    body: { text, ...(input.intents?.length ? { intents: input.intents } : {}) },
    budgetMs: settings.timeout_ms ? settings.timeout_ms * USED_PART : BUDGET_MS,
    signal,
    warn: (message) => warn(context, message),
  });
  const answer = answerSchema.safeParse(reply);
  if (!answer.success) {
    const { host } = new URL(settings.endpoint);
    throw new LudwigError(`${host} answered without what an answer of ludwig-serverless holds: check "endpoint".`);
  }
  for (const [name, { status }] of Object.entries(answer.data.models)) {
    if (status !== 'success') warn(context, `the model ${name} failed; look for the cause in the service's log.`);
  }
  return toOutput(answer.data, settings, input);
}

function warn(context: Context, message: string): void {
  context.services.logger.warn(`ludwig_understand: ${message}`);
}

/**
 * Read the token from Hexabot's credentials.
 *
 * An id is required: asked without one, Hexabot 3.5 returns the value of the first credential that it finds.
 */
async function readToken(context: Context, id?: string): Promise<string | undefined> {
  if (!id) return undefined;
  const token = (await context.services.credentials.findOneValue(id)).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new LudwigError(
      token === ''
        ? 'The credential was deleted, or is empty: choose another one in the setting "credential".'
        : 'The credential holds characters that no token has: enter the token again.',
    );
  }
  return token;
}
