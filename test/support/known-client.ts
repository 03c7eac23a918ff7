/** Clients of registries of a known kind that are functions in the process, and what was said to them. */
import { createLog } from '../../src/base/log.ts';
import { Secrets } from '../../src/base/redact.ts';
import { HostPause } from '../../src/http/host-pause.ts';
import { withRetry } from '../../src/http/retry.ts';
import { compose } from '../../src/http/send.ts';
import { Traffic } from '../../src/http/traffic.ts';
import { RegistryClient } from '../../src/registry/client.ts';
import type { Catalog, TagPage } from '../../src/registry/catalog.ts';
import type { Credentials } from '../../src/registry/credentials.ts';
import { profileOf, type RegistryKind } from '../../src/registry/profile.ts';
import { checkPullLimit } from '../../src/registry/pull-limit.ts';
import { ANONYMOUS, NEVER } from './client.ts';
import { collect } from './collect.ts';
import { FakeClock } from './fake-clock.ts';
import { createWire, type WireAnswer, type WireRequest } from './wire.ts';

export interface KnownOptions {
  /** By its host, unless given. */
  readonly kind?: RegistryKind;
  /** None unless given. */
  readonly credentials?: Credentials;
  /** How often a request is repeated; not at all unless given. */
  readonly times?: number;
}

export interface KnownClient {
  readonly client: RegistryClient;
  /** In the order in which they were sent, without the first, `GET /v2/`. */
  readonly requests: WireRequest[];
  readonly clock: FakeClock;
  /** Messages of warnings, with their reasons. */
  readonly warned: string[];
  /** Secrets that the log was told of. */
  readonly hidden: string[];
}

/** Answers for the registry and for all other hosts; what it has no answer for is a 404. */
export type Answering = (request: WireRequest) => WireAnswer | undefined;

/** A client of `registry`, as the program makes it, but with a clock that doesn't wait. */
export async function knownClient(
  registry: string,
  answer: Answering,
  { kind, credentials = ANONYMOUS, times = 0 }: KnownOptions = {},
): Promise<KnownClient> {
  const clock = new FakeClock();
  const warned: string[] = [];
  const hidden: string[] = [];
  const log = await createLog({
    level: 'warn',
    format: 'json',
    secrets: new Secrets(),
    write: (line) => warned.push(messageOf(line)),
  });
  const requests: WireRequest[] = [];
  const wire = createWire((request) => {
    if (request.url.pathname === '/v2/') return answer(request) ?? { status: 200 };
    requests.push(request);
    return answer(request);
  });
  const policy = { times, firstDelayMs: 100, maxDelayMs: 1000, maxRetryAfterMs: 60_000 };
  const pause = new HostPause(clock);
  const client = new RegistryClient({
    registry,
    profile: profileOf(registry, kind),
    wire: compose(wire.send, withRetry({ policy, clock, pause, log, inspect: checkPullLimit })),
    allowHttp: false,
    credentials: async () => credentials,
    retry: policy,
    traffic: new Traffic(),
    clock,
    log,
    hide: (secret) => hidden.push(secret),
  });
  return { client, requests, clock, warned, hidden };
}

function messageOf(line: string): string {
  const { msg, reason, error, status } = JSON.parse(line) as Record<string, unknown>;
  return [msg, reason, error, status].filter((part) => part !== undefined).join(' | ');
}

/** A 200 with this JSON. */
export function json(value: unknown, headers: Record<string, string> = {}): WireAnswer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value),
  };
}

/** An answer as the protocol wants errors to be. */
export function refusal(status: number, code: string, message = 'no'): WireAnswer {
  return { ...json({ errors: [{ code, message }] }), status };
}

/** Methods and what was asked for, as sent. */
export function asked(requests: readonly WireRequest[]): string[] {
  return requests.map(({ method, url }) => `${method} ${url.pathname}${url.search}`);
}

/** A token that says this of itself. */
export function jwt(claims: object): string {
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode(claims)}.c2lnbmF0dXJl`;
}

/** The pages of a list with digests. */
export async function pagesOf({ pages }: Catalog, repository: string): Promise<TagPage[]> {
  if (pages === undefined) throw new Error('the catalog has no list with digests');
  return collect(pages(repository, NEVER));
}
