/**
 * Docker Hub's registry counts pulls and refuses what is too much.
 *
 * A pull is a GET of a manifest, whether there is one or not; HEAD and blobs don't count. The headers
 * are on the answers to HEAD too, which still works when no pull is left.
 *
 * Sources: docs.docker.com/docker-hub/usage/pulls and /docker-hub/download-rate-limit.
 */
import { createHash } from 'node:crypto';

import type { Exchange, Handler } from '../registry/listener.ts';
import { refusal, type Reply } from '../registry/reply.ts';
import { ANONYMOUS, type TokenIssuer } from '../registry/tokens.ts';
import { WindowLimit, type Standing } from './limits.ts';
import type { DockerHubOptions, HubState } from './options.ts';

const DEFAULT_WINDOW_SECONDS = 21_600;
const DEFAULT_ABUSE_SECONDS = 60;
const ADDRESS = '127.0.0.1'; // all clients are at one
const MANIFEST = /^\/v2\/.+\/manifests\/[^/]+$/;
const UPGRADE = 'https://www.docker.com/increase-rate-limit';

export interface PullCounter {
  /** Pulls so far: of all, or of one account; that of nobody is the empty name. */
  count(user?: string): number;
  /** Forgets them, and what is left of limits. */
  reset(): void;
  /** Stands before the registry. */
  readonly around: (exchange: Exchange, inner: Handler) => Promise<Reply>;
}

export function pullLimitOf({ pullLimit }: DockerHubOptions, user: string): number | undefined {
  return user === ANONYMOUS ? pullLimit?.anonymous : pullLimit?.authenticated;
}

export function windowSecondsOf({ pullLimit }: DockerHubOptions): number {
  return pullLimit?.windowSeconds ?? DEFAULT_WINDOW_SECONDS;
}

export function createPullCounter(state: HubState, issuer: TokenIssuer): PullCounter {
  const { options } = state;
  const counts = new Map<string, number>();
  const now = (): number => state.now();
  let window = new WindowLimit(windowSecondsOf(options), now);
  let abuse = new WindowLimit(options.abuseAfter?.seconds ?? DEFAULT_ABUSE_SECONDS, now);

  /** Counts a pull and says whether it may be. */
  function pull(user: string, limit: number | undefined): Standing | undefined {
    const standing = limit === undefined ? undefined : window.take(user, limit);
    if (standing?.isWithin !== false) counts.set(user, (counts.get(user) ?? 0) + 1);
    return standing;
  }

  function look(user: string, limit: number | undefined): Standing | undefined {
    return limit === undefined ? undefined : window.look(user, limit);
  }

  async function around(exchange: Exchange, inner: Handler): Promise<Reply> {
    const { abuseAfter } = options;
    if (abuseAfter && !abuse.take(ADDRESS, abuseAfter.requests).isWithin) return tooManyRequests();
    const { method } = exchange;
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isRead || !MANIFEST.test(exchange.url.pathname)) return await inner(exchange);
    const reply = await inner(exchange);
    if (reply.status === 401) return reply;
    const user = userOf(issuer, exchange);
    const limit = pullLimitOf(options, user);
    const standing = method === 'GET' ? pull(user, limit) : look(user, limit);
    if (standing === undefined) return reply;
    const used = method === 'GET' && !standing.isWithin ? pullsUsedUp(user) : reply;
    return { ...used, headers: { ...used.headers, ...headersOf(options, user, standing) } };
  }

  return {
    count: (user) =>
      user === undefined
        ? [...counts.values()].reduce((sum, count) => sum + count, 0)
        : (counts.get(user) ?? 0),
    reset() {
      counts.clear();
      window = new WindowLimit(windowSecondsOf(options), now);
      abuse = new WindowLimit(options.abuseAfter?.seconds ?? DEFAULT_ABUSE_SECONDS, now);
    },
    around,
  };
}

function userOf(issuer: TokenIssuer, { headers }: Exchange): string {
  const [, token = ''] = /^bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return issuer.grantOf(token)?.user ?? ANONYMOUS;
}

function headersOf(
  options: DockerHubOptions,
  user: string,
  { remaining }: Standing,
): Record<string, string> {
  const window = `w=${windowSecondsOf(options)}`;
  return {
    'ratelimit-limit': `${pullLimitOf(options, user)};${window}`,
    'ratelimit-remaining': `${remaining};${window}`,
    'docker-ratelimit-source': user === ANONYMOUS ? ADDRESS : accountId(user),
  };
}

function pullsUsedUp(user: string): Reply {
  const who = user === ANONYMOUS ? 'unauthenticated ' : '';
  const message = `You have reached your ${who}pull rate limit. ${UPGRADE}`;
  return refusal(429, { code: 'TOOMANYREQUESTS', message });
}

function tooManyRequests(): Reply {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
  return { status: 429, headers, body: Buffer.from('Too Many Requests\n') };
}

/** What looks like the UUID of an account. */
function accountId(user: string): string {
  const hex = createHash('sha256').update(user).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join('-');
}
