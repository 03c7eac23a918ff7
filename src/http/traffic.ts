/** Counts what goes over the wire, and says it to the debug log. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { redactUrl } from '../base/redact.ts';
import { header, type HttpResponse, type Send, type Wrap } from './send.ts';

/** How much a registry still lets us pull. Source: Docker Hub's `ratelimit-…` headers. */
export interface PullLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number;
}

/** The requests of one side of a run, and the bytes of their bodies. */
export class Traffic {
  requests = 0;
  /** Requests that were made again because the first answer was none, or a wish to wait. */
  repeated = 0;
  /** Answers of 429. */
  limited = 0;
  /** Bodies received, as their headers announced them. Bytes. */
  received = 0;
  /** Bodies sent. Bytes. */
  sent = 0;
  /** The fastest answer so far: how far away the host is. Milliseconds; 0 while there is none. */
  fastestMs = 0;
  /** Requests that wait until their host has room for them, now. */
  waiting = 0;
  /** As the last answer said it; absent where nothing is limited, or nothing is said. */
  declare pullLimit?: PullLimit;
}

/** Reads `ratelimit-limit: 100;w=21600` and its like. */
export function pullLimitOf(response: HttpResponse): PullLimit | undefined {
  const [limit, window] = (header(response, 'ratelimit-limit') ?? '').split(';w=').map(Number);
  const remaining = Number.parseInt(header(response, 'ratelimit-remaining') ?? '', 10);
  // Without a window it is a limit of requests, as GitLab's.
  if (limit === undefined || window === undefined) return undefined;
  if (!(limit > 0) || !(window > 0) || !(remaining >= 0)) return undefined;
  return { limit, remaining, windowSeconds: window };
}

/** Innermost of all: sees each request that is really made, repeated and redirected ones too. */
export function withTraffic(traffic: Traffic, log: Log, clock: Clock): Wrap {
  return (send: Send): Send =>
    async (request) => {
      const started = clock.now();
      const { method, url, body } = request;
      traffic.requests += 1;
      const response = await send(request);
      const { status } = response;
      if (status === 429) traffic.limited += 1;
      const pullLimit = pullLimitOf(response);
      if (pullLimit !== undefined) traffic.pullLimit = pullLimit;
      if (body !== undefined) traffic.sent += body instanceof Uint8Array ? body.length : body.size;
      if (method !== 'HEAD') traffic.received += Number(header(response, 'content-length') ?? 0);
      if (log.isLevelEnabled('debug')) {
        const elapsedMs = clock.now() - started;
        log.debug({ method, url: redactUrl(url), status, elapsedMs }, 'request');
      }
      return response;
    };
}
