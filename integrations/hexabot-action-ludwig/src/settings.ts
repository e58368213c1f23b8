/** What a user configures in Hexabot: the action's inputs and settings. */
import { z } from 'zod';

/** Inputs are evaluated by the workflow; neither holds the message, which the action reads from the event. */
export const inputSchema = z.strictObject({
  intents: z.array(z.string().min(1)).optional().meta({
    title: 'Intents',
    description: 'Only these intents can be answered. Leave empty to allow all intents of the model.',
  }),
  slots: z.record(z.string(), z.string()).optional().meta({
    title: 'Known slots',
    description:
      'Slots of earlier messages, such as =$output.understand.slots. The answer keeps them; new values replace old ones.',
  }),
});

/** Hexabot adds `timeout_ms` and `retries` to the settings of every action. */
export const settingsSchema = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(isBareAddress, 'The address holds a user name, a password or a query: put the token into a credential.')
    .meta({
      title: 'Endpoint',
      description: 'Address of ludwig-serverless without a route, such as https://nlu.example.org.',
    }),
  // A UUID: a token that is pasted here by mistake is refused, and so never stored in the workflow's YAML.
  credential: z
    .uuid('Choose a credential: the setting takes the id of a credential, not the token itself.')
    .optional()
    .meta({
      title: 'Credential',
      description: 'The credential that holds the token of the service. Leave empty if the service is open.',
      'ui:widget': 'AutoCompleteWidget',
      'ui:options': { entity: 'Credential', valueKey: 'id', labelKey: 'name', enableEntityAddButton: true },
      // With this mark Hexabot's export and import of a workflow carry the credential along.
      'x-hexabot:resourceRef': { kind: 'credential' },
    }),
  language: z.string().min(1).optional().meta({
    title: 'Default language',
    description: 'The language to answer when the service is not sure, such as en. Leave empty to use its own default.',
  }),
  minConfidence: z.number().min(0).max(1).default(0).meta({
    title: 'Minimum confidence',
    description: 'Intents and entities with a lower confidence are left out (0 to 1).',
  }),
  onFailure: z.enum(['stop', 'continue']).default('stop').meta({
    title: 'If the service fails',
    description: 'stop: the run fails. continue: the cause is logged, and the workflow goes on without an intent.',
  }),
});

export type Input = z.infer<typeof inputSchema>;
export type Settings = z.infer<typeof settingsSchema>;

function isBareAddress(endpoint: string): boolean {
  // Zod runs this check on an invalid URL, too, and reports that fault by itself.
  if (!URL.canParse(endpoint)) return true;
  const { username, password, search } = new URL(endpoint);
  return username === '' && password === '' && search === '';
}
