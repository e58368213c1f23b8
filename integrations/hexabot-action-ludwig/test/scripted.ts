/** An HTTP server that gives the answers of a script, one for each request, and keeps what it was sent. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Reply = { status?: number; headers?: Record<string, string>; body?: unknown; lose?: boolean; hang?: boolean };
export type Received = { method: string; path: string; headers: IncomingHttpHeaders; body: Record<string, unknown> };

export class ScriptedService {
  readonly received: Received[] = [];
  host = '';

  private constructor(
    private readonly server: Server,
    private readonly replies: Reply[],
  ) {}

  /** Start on a free port. The last reply is given again when the script is at its end. */
  static async start(...replies: Reply[]): Promise<ScriptedService> {
    const service = new ScriptedService(createServer(), replies);
    service.server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
        service.received.push({ method: request.method!, path: request.url!, headers: request.headers, body });
        const reply = service.replies.length > 1 ? service.replies.shift()! : service.replies[0]!;
        if (reply.hang) return;
        if (reply.lose) return void response.socket!.destroy();
        response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
        response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
      });
    });
    await new Promise<void>((resolve) => service.server.listen(0, '127.0.0.1', resolve));
    service.server.unref();
    service.host = `127.0.0.1:${(service.server.address() as AddressInfo).port}`;
    return service;
  }


  get endpoint(): string {
    return `http://${this.host}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Return a compact answer, as ludwig-serverless gives it. */
export function compactAnswer(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    text: 'Fly to New York.',
    language: { value: 'en', confidence: 0.98 },
    intent: { name: 'book_flight', confidence: 0.93, ranking: [{ name: 'book_flight', confidence: 0.93 }] },
    entities: [entity('destination', 'New York', 7)],
    traits: {},
    models: { intent: { status: 'success' }, language: { status: 'success' }, slots: { status: 'success' } },
    below_threshold: {},
    ...changes,
  };
}

export function entity(name: string, value: string, start: number, changes: Record<string, unknown> = {}) {
  const offsets = { start, end: start + value.length };
  return { entity: name, value, canonicalValue: value, ...offsets, confidence: 0.91, source: 'model', ...changes };
}
