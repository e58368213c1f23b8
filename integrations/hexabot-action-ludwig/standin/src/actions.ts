/** Actions: `createAction`, and how the engine runs one. */
import { z, type ZodType } from 'zod';

import type { ConversationalWorkflowContext } from './context';

export enum WorkflowType {
  conversational = 'conversational',
  scheduled = 'scheduled',
  manual = 'manual',
}

/** Settings that every action has; no action may redefine them. */
const baseSettingsSchema = z.strictObject({
  timeout_ms: z.int().nonnegative().optional(),
  retries: z
    .strictObject({
      enabled: z.boolean().optional(),
      max_attempts: z.int().min(1).default(3),
      backoff_ms: z.int().min(0).default(25),
      max_delay_ms: z.int().min(0).default(10_000),
      jitter: z.number().min(0).default(0),
      multiplier: z.number().min(1).default(1),
    })
    .optional(),
});

export type BaseSettings = z.infer<typeof baseSettingsSchema>;

export type ExecArgs<I, C, S> = { input: I; context: C; settings: BaseSettings & S; signal?: AbortSignal };

type Definition<I, O, C, S> = {
  name: string;
  description: string;
  icon?: string;
  color?: string;
  group?: string;
  workflowTypes?: WorkflowType[];
  inputSchema?: ZodType<I>;
  outputSchema?: ZodType<O>;
  settingsSchema?: ZodType<S>;
  execute: (args: ExecArgs<I, C, S>) => Promise<O> | O;
};

export type Action = {
  readonly name: string;
  onModuleInit(): Promise<void>;
  parseSettings(settings: unknown): BaseSettings;
  run(input: unknown, context: ConversationalWorkflowContext, settings: unknown, signal?: AbortSignal): Promise<unknown>;
};

export type ActionClass = new (service: ActionService) => Action;

/** The registry that each action enters when the application starts. */
export class ActionService {
  readonly actions: Record<string, Action> = {};

  register(action: Action): void {
    if (this.actions[action.name]) throw new Error(`Action with name ${action.name} already exist`);
    this.actions[action.name] = action;
  }
}

export function createAction<I, O, C extends ConversationalWorkflowContext, S>(
  definition: Definition<I, O, C, S>,
): ActionClass {
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)+$/.test(definition.name)) throw new Error(`${definition.name} is not snake_case`);
  const nothing = z.strictObject({});
  const settingsSchema = definition.settingsSchema ?? nothing;
  if (settingsSchema instanceof z.ZodObject) {
    const redefined = Object.keys(settingsSchema.shape).filter((key) => key in baseSettingsSchema.shape);
    if (redefined.length > 0) throw new Error(`settingsSchema cannot redefine base settings keys: ${redefined}`);
  }

  return class implements Action {
    readonly name = definition.name;

    constructor(private readonly service: ActionService) {}

    async onModuleInit(): Promise<void> {
      this.service.register(this);
    }

    /** The engine calls this twice: when it compiles the workflow, and again with the result when it runs the task. */
    parseSettings(settings: unknown): BaseSettings & S {
      return z.intersection(baseSettingsSchema, settingsSchema).parse(settings ?? {}) as BaseSettings & S;
    }

    async run(raw: unknown, context: C, rawSettings: unknown, signal?: AbortSignal): Promise<O> {
      const input = (definition.inputSchema ?? nothing).parse(raw) as I;
      const settings = this.parseSettings(rawSettings);
      const attempts = settings.retries && (settings.retries.enabled ?? true) ? settings.retries.max_attempts : 1;
      for (let attempt = 1; ; attempt += 1) {
        try {
          const running = Promise.resolve(definition.execute({ input, context, settings, signal }));
          return (definition.outputSchema ?? nothing).parse(await within(running, settings.timeout_ms, signal)) as O;
        } catch (error) {
          if (attempt >= attempts) throw error;
        }
      }
    }
  };
}

/** Fail when a step takes longer than its `timeout_ms`, or when the workflow is canceled. */
async function within<T>(running: Promise<T>, timeoutMs?: number, signal?: AbortSignal): Promise<T> {
  if (!timeoutMs && !signal) return running;
  return new Promise<T>((resolve, reject) => {
    const fail = (): void => reject(new Error(`Step execution exceeded timeout of ${timeoutMs}ms`));
    const timer = timeoutMs ? setTimeout(fail, timeoutMs) : undefined;
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    running.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
