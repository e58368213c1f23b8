/** From the service's compact answer to the action's output. */
import { z } from 'zod';

import type { Input, Settings } from './settings';

const entitySchema = z.object({
  entity: z.string(),
  value: z.string(),
  canonicalValue: z.string(),
  start: z.number().int(),
  end: z.number().int(),
  confidence: z.number(),
  source: z.string(),
});

/** The part of the compact answer that the action reads. */
export const answerSchema = z.object({
  language: z.object({ value: z.string(), confidence: z.number() }),
  intent: z.object({ name: z.string().nullable(), confidence: z.number() }),
  entities: z.array(entitySchema),
  models: z.record(z.string(), z.object({ status: z.string() })),
});

/** What the next steps of a workflow read: `$output.understand.intent`, `$output.understand.slots.city`. */
export const outputSchema = z.object({
  intent: z.string().nullable().meta({
    title: 'Intent',
    description: 'Name of the intent; null if there is none, or none that is sure enough.',
  }),
  confidence: z.number().meta({ title: 'Confidence', description: 'Confidence of the intent, 0 if it is null.' }),
  language: z.string().meta({ title: 'Language', description: 'Code of the language, such as en; empty if none is known.' }),
  entities: z.array(entitySchema).meta({
    title: 'Entities',
    description: 'Entities with their offsets in the message, in UTF-16 code units.',
  }),
  slots: z.record(z.string(), z.string()).meta({
    title: 'Slots',
    description: 'The canonical value of the first entity of each name, and the known slots.',
  }),
});

export type Answer = z.infer<typeof answerSchema>;
export type Entity = z.infer<typeof entitySchema>;
export type Output = z.infer<typeof outputSchema>;

/**
 * Make the output of an answer.
 *
 * @param answer - The compact answer of the service.
 * @param settings - The action's settings; `language` is used when the service's confidence is 0.
 * @param input - The action's input; its slots are kept where the message has no new value.
 */
export function toOutput(answer: Answer, settings: Settings, input: Input): Output {
  const isSure = answer.intent.name !== null && answer.intent.confidence >= settings.minConfidence;
  const entities = answer.entities
    .filter((entity) => entity.confidence >= settings.minConfidence)
    .flatMap((entity) => withoutExpression(entity));
  return {
    intent: isSure ? answer.intent.name : null,
    confidence: isSure ? answer.intent.confidence : 0,
    language: answer.language.confidence === 0 && settings.language ? settings.language : answer.language.value,
    entities,
    slots: { ...input.slots, ...firstValues(entities) },
  };
}

/** Return the output for a message without text, such as a picture, and for one that the service did not answer. */
export function nothingUnderstood(settings: Settings, input: Input): Output {
  return { intent: null, confidence: 0, language: settings.language ?? '', entities: [], slots: { ...input.slots } };
}

/** Map each entity's name to the canonical value of its first occurrence. */
function firstValues(entities: Entity[]): Record<string, string> {
  // Object.fromEntries keeps the last of equal keys: reversed, that is the first in the text.
  return Object.fromEntries(entities.map(({ entity, canonicalValue }) => [entity, canonicalValue] as const).reverse());
}

/**
 * Remove the equal signs that a value begins with, or the entity if nothing else is left.
 *
 * Hexabot evaluates the result of an expression a second time: with `text: "=$output.understand.slots.city"`, a city
 * that the user wrote as `=$string($context)` would run as an expression. `start` moves along, so that the value
 * remains the slice of the message.
 */
function withoutExpression(entity: Entity): Entity[] {
  const value = withoutLeadingSigns(entity.value);
  const canonicalValue = withoutLeadingSigns(entity.canonicalValue);
  if (value === '' || canonicalValue === '') return [];
  return [{ ...entity, value, canonicalValue, start: entity.start + entity.value.length - value.length }];
}

function withoutLeadingSigns(value: string): string {
  return value.startsWith('=') ? value.replace(/^[=\s]+/, '') : value;
}
