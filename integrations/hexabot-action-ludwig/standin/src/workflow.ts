/** Run a workflow in YAML: tasks in order, conditions, `while` loops, and pauses until the user answers. */
import { parse } from 'yaml';
import { z } from 'zod';

import type { ActionService } from './actions';
import type { ConversationalWorkflowContext, MessageInboundEvent } from './context';
import { evaluate, evaluateMapping, type Scope } from './values';

const expression = z.string().startsWith('=');
const taskSchema = z.strictObject({
  kind: z.literal('task'),
  description: z.string().optional(),
  action: z.string(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
});
type Branch = { condition?: string; else?: unknown; steps: Step[] };
type Step =
  | { do: string }
  | { conditional: { description?: string; when: Branch[] } }
  | { loop: { type: 'while'; name?: string; description?: string; while: string; steps: Step[] } };
const stepSchema: z.ZodType<Step> = z.lazy(() =>
  z.union([
    z.strictObject({ do: z.string() }),
    z.strictObject({ conditional: z.strictObject({ description: z.string().optional(), when: z.array(branchSchema) }) }),
    z.strictObject({
      loop: z.strictObject({
        type: z.literal('while'),
        name: z.string().optional(),
        description: z.string().optional(),
        while: expression,
        steps: z.array(stepSchema),
      }),
    }),
  ]),
);
const branchSchema: z.ZodType<Branch> = z.union([
  z.strictObject({ condition: expression, steps: z.array(stepSchema) }),
  z.strictObject({ else: z.unknown().optional(), steps: z.array(stepSchema) }),
]);
const workflowSchema = z.strictObject({
  defaults: z.strictObject({ settings: z.record(z.string(), z.unknown()).optional() }).optional(),
  defs: z.record(z.string().regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/), taskSchema),
  flow: z.array(stepSchema),
  outputs: z.record(z.string(), expression),
});

type Task = z.infer<typeof taskSchema> & { parsedSettings: unknown };

/** A conversation of one user with one workflow: `say` is one message and what the bot does with it. */
export class Conversation {
  readonly output: Record<string, unknown> = {};
  outputs?: Record<string, unknown>;
  private readonly tasks: Record<string, Task> = {};
  private readonly workflow: z.infer<typeof workflowSchema>;
  private input: Record<string, unknown> = {};
  private resume?: (input: Record<string, unknown>) => void;
  private onPause: () => void = () => undefined;
  private running?: Promise<void>;

  /** @param yaml - A workflow; a setting that an action refuses is an error here, before any message. */
  constructor(
    yaml: string,
    private readonly service: ActionService,
    private readonly context: ConversationalWorkflowContext,
  ) {
    this.workflow = workflowSchema.parse(parse(yaml));
    for (const [name, task] of Object.entries(this.workflow.defs)) {
      const settings = { ...this.workflow.defaults?.settings, ...task.settings };
      this.tasks[name] = { ...task, parsedSettings: this.action(task.action).parseSettings(settings) };
    }
    context.suspend = () =>
      new Promise((resolve) => {
        this.resume = resolve;
        this.onPause();
      });
  }

  /** Handle a message, and return what the bot sent. The first starts a run; later ones resume it where it waits. */
  async say(event: MessageInboundEvent): Promise<string[]> {
    const before = this.context.sent.length;
    this.context.event = event;
    const paused = new Promise<void>((resolve) => (this.onPause = resolve));
    if (this.resume) {
      this.resume(event.buildInput());
      this.resume = undefined;
    } else {
      this.input = event.buildInput();
      this.running = this.finish();
    }
    await Promise.race([paused, this.running]);
    return this.context.sent.slice(before);
  }

  private async finish(): Promise<void> {
    await this.execute(this.workflow.flow);
    this.outputs = await evaluateMapping(this.workflow.outputs, this.scope());
  }

  private async execute(steps: Step[], iteration?: Scope['iteration']): Promise<void> {
    for (const step of steps) {
      if ('do' in step) await this.executeTask(step.do, iteration);
      else if ('conditional' in step) await this.executeFirst(step.conditional.when, iteration);
      else await this.executeLoop(step.loop);
    }
  }

  private async executeTask(name: string, iteration?: Scope['iteration']): Promise<void> {
    const task = this.tasks[name];
    if (!task) throw new Error(`Task "${name}" is not defined.`);
    const inputs = await evaluateMapping(task.inputs, this.scope(iteration));
    this.output[name] = await this.action(task.action).run(inputs, this.context, task.parsedSettings);
  }

  private async executeFirst(branches: Branch[], iteration?: Scope['iteration']): Promise<void> {
    for (const { condition, steps } of branches) {
      if (condition === undefined || (await evaluate(condition, this.scope(iteration)))) {
        return this.execute(steps, iteration);
      }
    }
  }

  private async executeLoop(loop: { while: string; steps: Step[] }): Promise<void> {
    for (let index = 0; ; index += 1) {
      const iteration = { item: undefined, index };
      if (!(await evaluate(loop.while, this.scope(iteration)))) return;
      await this.execute(loop.steps, iteration);
    }
  }

  private scope(iteration?: Scope['iteration']): Scope {
    return { input: this.input, context: this.context.state, output: this.output, iteration };
  }

  private action(name: string) {
    const action = this.service.actions[name];
    if (!action) throw new Error(`No action implementations provided for: ${name}`);
    return action;
  }
}
