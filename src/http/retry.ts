/**
 * Sends a request again when the far end was busy or out of reach.
 *
 * Only requests that can be repeated as they are: a body that is a stream is sent once, and who
 * gave it decides how to start over.
 */
import type { Clock } from '../base/clock.ts';
import { isRetryable, RegistrySyncError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { redactUrl } from '../base/redact.ts';
import { retryAfterOf } from './retry-after.ts';
import { discard, type HttpRequest, type HttpResponse, type Send, type Wrap } from './send.ts';
import type { HostPause } from './host-pause.ts';

export interface RetryPolicy {
  /** How often a request is repeated after its first failure. */
  readonly times: number;
  /** The first wait; each further one is twice as long. Milliseconds. */
  readonly firstDelayMs: number;
  /** Every wait of our own is this long instead. Milliseconds. */
  readonly fixedDelayMs?: number;
  /** The longest wait of our own choice. Milliseconds. */
  readonly maxDelayMs: number;
  /** The longest wait that a server may ask for; a longer one is a failure that says when to come back. */
  readonly maxRetryAfterMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  times: 5,
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  maxRetryAfterMs: 5 * 60_000,
};

/** What waiting needs. */
export interface RetryContext {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly pause: HostPause;
  readonly log: Log;
  /** Told of each request that is made again. */
  readonly onRepeat?: () => void;
  /** Looks at an answer of 429: throws when waiting a while will not help, else hands it on unread. */
  readonly inspect?: (request: HttpRequest, refusal: HttpResponse) => Promise<HttpResponse>;
}

const BUSY = new Set([408, 429, 500, 502, 503, 504]);

/** The wait before try `attempt` (from 1): doubling, with full jitter above half, unless it is fixed. */
export function backoffMs(policy: RetryPolicy, attempt: number): number {
  if (policy.fixedDelayMs !== undefined) return policy.fixedDelayMs;
  const longest = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return longest / 2 + (Math.random() * longest) / 2;
}

/**
 * Repeats on connection errors, 408, 429 and 5xx, after the wait that the server asks for or our
 * own. When tries are used up the last answer or error is the caller's.
 *
 * @throws {RegistrySyncError} `RATE_LIMITED` at once when the server asks for a wait longer than
 * the policy allows.
 */
export function withRetry(context: RetryContext): Wrap {
  const { policy, pause, clock, log, onRepeat = () => {} } = context;
  return (send) => async (request) => {
    const isWhole = request.body === undefined || request.body instanceof Uint8Array;
    const repeatable = isWhole && request.once !== true;
    for (let attempt = 1; ; attempt += 1) {
      if (!pause.isOpen) await pause.pass(request.signal);
      const outcome = await outcomeOf(sendAndInspect(send, request, context));
      if (!isBusy(outcome)) return settle(outcome);
      const asked = askedDelay(outcome.response, clock.now());
      if (asked !== undefined) {
        if (asked > policy.maxRetryAfterMs) throw await tooLong(request, outcome.response, asked);
        pause.close(asked);
      }
      if (!repeatable || attempt > policy.times) return settle(outcome);
      log.debug({ ...factsOf(request, outcome), attempt, asked }, 'request is repeated');
      onRepeat();
      if (outcome.response !== undefined) await discard(outcome.response);
      // A date of a server whose clock is behind ours is past, but not meant as «at once».
      if (!asked) await clock.sleep(backoffMs(policy, attempt), request.signal);
    }
  };
}

async function sendAndInspect(
  send: Send,
  request: HttpRequest,
  { inspect }: RetryContext,
): Promise<HttpResponse> {
  const response = await send(request);
  return response.status === 429 && inspect !== undefined ? inspect(request, response) : response;
}

type Outcome = { readonly response?: HttpResponse; readonly error?: unknown };

async function outcomeOf(sent: Promise<HttpResponse>): Promise<Outcome> {
  try {
    return { response: await sent };
  } catch (error) {
    return { error };
  }
}

/** Certificates and names don't heal by waiting; all else of the network may. */
const LASTING = /^(?:ENOTFOUND|ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|EPROTO|ERR_SSL)/;

function isBusy({ response, error }: Outcome): boolean {
  if (response !== undefined) return BUSY.has(response.status);
  if (!isRetryable(error) || (error as RegistrySyncError).details.isSpent === true) return false;
  return !LASTING.test(String((error as RegistrySyncError).details.reason));
}

function settle({ response, error }: Outcome): HttpResponse {
  if (response === undefined) throw error;
  return response;
}

function factsOf({ method, url }: HttpRequest, { response, error }: Outcome): object {
  const failure = response?.status ?? (error as Error).message;
  return { method, url: redactUrl(url), failure };
}

function askedDelay(response: HttpResponse | undefined, now: number): number | undefined {
  if (response === undefined || ![429, 503].includes(response.status)) return undefined;
  return retryAfterOf(response, now);
}

async function tooLong(
  { method, url }: HttpRequest,
  response: HttpResponse | undefined,
  asked: number,
): Promise<RegistrySyncError> {
  if (response !== undefined) await discard(response);
  const minutes = Math.ceil(asked / 60_000);
  return new RegistrySyncError(
    'RATE_LIMITED',
    `${url.host} asks to come back in ${minutes} minutes`,
    { details: { method, url: redactUrl(url), retryAfterMs: asked } },
  );
}
