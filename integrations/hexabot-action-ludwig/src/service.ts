/** One call of ludwig-serverless: time limits, retries, and errors that say what to do. */

/** The most requests for one message. */
const MAX_ATTEMPTS = 4;
/** The wait before the second attempt; each later wait is twice as long. 250 + 500 + 1000 ms in all. */
const FIRST_WAIT_MS = 250;
/** API Gateway gives up after 30 seconds, so a longer wait for one attempt gains nothing. */
const ATTEMPT_MS = 30_000;
/** Answers of a service that is starting, or has no free instance: 429, and API Gateway's 502, 503 and 504. */
const RETRIED = new Set([429, 502, 503, 504]);

/** What a call needs. `signal` is the engine's; it ends the call when the workflow is canceled. */
export type Call = {
  endpoint: string;
  token?: string;
  body: { text: string; intents?: string[] };
  budgetMs: number;
  signal?: AbortSignal;
  warn: (message: string) => void;
};

/** An attempt that failed. `waitMs`: what the service asked for in Retry-After. */
type Failure = { message: string; isRetried: boolean; waitMs?: number };

/** Raised for every failure; its message names the host and the next step, never the token or the text. */
export class LudwigError extends Error {
  override readonly name = 'LudwigError';
}

/**
 * Ask the service what a message means.
 *
 * @returns The decoded JSON of `POST /understand`.
 * @throws LudwigError after the last attempt, or when `budgetMs` does not allow another one.
 */
export async function askService(call: Call): Promise<unknown> {
  const url = routeOf(call.endpoint);
  const deadline = Date.now() + call.budgetMs;
  for (let attempt = 1; ; attempt += 1) {
    const result = await ask(url, call, Math.min(ATTEMPT_MS, deadline - Date.now()));
    if ('answer' in result) return result.answer;
    const waitMs = result.waitMs ?? FIRST_WAIT_MS * 2 ** (attempt - 1);
    if (!result.isRetried || attempt === MAX_ATTEMPTS || Date.now() + waitMs >= deadline) {
      throw new LudwigError(result.message);
    }
    call.warn(`${result.message} Attempt ${attempt + 1} of ${MAX_ATTEMPTS} follows in ${waitMs} ms.`);
    await sleep(waitMs, call.signal);
  }
}

/** Return the address of the route, whether or not the endpoint ends in a slash or names a route already. */
function routeOf(endpoint: string): URL {
  const url = new URL(endpoint);
  url.hash = '';
  url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/(understand|predict|parse)$/, '')}/understand`;
  return url;
}

/** Send one request. Failures are returned, except that a canceled workflow raises the engine's own error. */
async function ask(url: URL, call: Call, limitMs: number): Promise<{ answer: unknown } | Failure> {
  const limit = AbortSignal.timeout(Math.max(1, limitMs));
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(call.token ? { authorization: `Bearer ${call.token}` } : {}),
  };
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify(call.body),
      redirect: 'manual',
      signal: call.signal ? AbortSignal.any([call.signal, limit]) : limit,
    });
    if (response.status === 200) return await decode(url, response);
    await response.body?.cancel();
    return failureOf(url, call, response);
  } catch (error) {
    call.signal?.throwIfAborted();
    return limit.aborted ? tooSlow(url, limitMs) : unreachable(url, error);
  }
}

/** Parse a body of status 200. A body that breaks off in the middle raises a TypeError, as a lost connection does. */
async function decode(url: URL, response: Response): Promise<{ answer: unknown } | Failure> {
  const body = await response.text();
  try {
    return { answer: JSON.parse(body) };
  } catch {
    return { message: `${url.host} answered something other than JSON: ${CHECK_ENDPOINT}`, isRetried: false };
  }
}

const CHECK_ENDPOINT = 'set "endpoint" to the address of ludwig-serverless, without a route.';

/** Say what a status other than 200 means, and what to do. The body is not read: it could quote the message. */
function failureOf(url: URL, call: Call, response: Response): Failure {
  const { status } = response;
  return {
    message: `${url.host} answered ${status}: ${adviceFor(url, call, response)}`,
    isRetried: RETRIED.has(status),
    waitMs: retryAfterMs(response.headers.get('retry-after')),
  };
}

function adviceFor(url: URL, call: Call, response: Response): string {
  const { status } = response;
  if (status >= 300 && status < 400) {
    return `it redirects to ${hostOf(response.headers.get('location'), url)}. Set "endpoint" to the final address.`;
  }
  if (status === 401 || status === 403) {
    return call.token
      ? 'it refused the token. Check that the credential holds the token itself, and NLU_TOKEN_DIGESTS its digest.'
      : 'it needs a token. Put the token into a credential, and choose that in the setting "credential".';
  }
  if (status === 404 || status === 405) {
    return `it has no POST ${url.pathname}. Update ludwig-serverless, and ${CHECK_ENDPOINT}`;
  }
  if (status === 413) return 'the message is longer than the service accepts.';
  if (status === 400) return 'it refused the request. Check the input "intents".';
  if (RETRIED.has(status)) return 'the service is starting or busy. Keep an instance warm, or raise "timeout_ms".';
  return "the service failed. Look for the cause in the service's log.";
}

function tooSlow(url: URL, limitMs: number): Failure {
  const message = `${url.host} did not answer within ${limitMs} ms: keep an instance warm, or raise "timeout_ms".`;
  return { message, isRetried: true };
}

/** Name the reason why there was no connection, such as ECONNREFUSED. The error's own text is not repeated. */
function unreachable(url: URL, error: unknown): Failure {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  const code = typeof cause?.code === 'string' ? cause.code : 'no connection';
  const message = `${url.host} cannot be reached (${code}): check "endpoint", and that the service runs.`;
  return { message, isRetried: true };
}

/** Read Retry-After, which is a number of seconds or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs);
}

function hostOf(location: string | null, url: URL): string {
  return location !== null && URL.canParse(location, url.href) ? new URL(location, url).host : 'another address';
}

function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', cancel);
      resolve();
    }, durationMs);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}
