/** What an action sees of a conversation: the event with the message, and Hexabot's services. */

export type MessageInboundEvent = {
  getMessageType(): string;
  getText(): string;
  buildInput(): Record<string, unknown>;
};

export type Services = {
  credentials: { findOneValue(id?: string): Promise<string> };
  logger: { warn(message: string): void };
};

export class ConversationalWorkflowContext {
  readonly state: Record<string, unknown> = { channel: { name: 'web' } };
  readonly sent: string[] = [];
  event!: MessageInboundEvent;
  /** Waits for the user's next message, and gives its input. The engine sets it. */
  suspend!: () => Promise<Record<string, unknown>>;

  constructor(readonly services: Services) {}
}

/** Return the event of a message, as a channel makes it. */
export function messageEvent(text: string, type = 'text'): MessageInboundEvent {
  const input = { message_type: type, message: { type, data: { text } }, text, thread_id: 'thread-1' };
  return { getMessageType: () => type, getText: () => text, buildInput: () => input };
}

/** Return credentials as Hexabot keeps them: asked without an id, they give the first value that there is. */
export function credentialsOf(values: Record<string, string>): Services['credentials'] {
  return {
    findOneValue: async (id) => (id === undefined ? (Object.values(values)[0] ?? '') : (values[id] ?? '')),
  };
}
