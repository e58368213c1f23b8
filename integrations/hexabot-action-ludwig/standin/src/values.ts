/** Values of a workflow: which strings are expressions, and how often they are evaluated. */
import jsonata from 'jsonata';

export type Scope = {
  input: Record<string, unknown>;
  context: Record<string, unknown>;
  output: Record<string, unknown>;
  iteration?: { item: unknown; index: number };
};

/** Evaluate a string that begins with `=`; everything else is a literal, nested expressions included. */
export async function evaluate(value: unknown, scope: Scope): Promise<unknown> {
  if (typeof value !== 'string' || !value.startsWith('=')) return value;
  return jsonata(value.slice(1)).evaluate({}, scope);
}

/**
 * Evaluate a task's inputs or a workflow's outputs.
 *
 * The result of each value is searched for strings that begin with `=`, and these are evaluated, too. That is how
 * expressions nested in lists and objects work, and also why a message such as `=1+1` runs when an input passes it on.
 */
export async function evaluateMapping(
  mapping: Record<string, unknown> | undefined,
  scope: Scope,
): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(mapping ?? {})) {
    values[name] = await evaluateNested(await evaluate(value, scope), scope);
  }
  return values;
}

async function evaluateNested(value: unknown, scope: Scope): Promise<unknown> {
  if (typeof value === 'string') return evaluate(value, scope);
  if (Array.isArray(value)) return Promise.all(value.map((item) => evaluateNested(item, scope)));
  return value !== null && typeof value === 'object' ? evaluateMapping({ ...value }, scope) : value;
}
