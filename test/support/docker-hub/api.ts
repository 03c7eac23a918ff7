/**
 * Docker Hub's API: logins, lists of repositories and of tags with their digests, and the deletion of tags.
 *
 * Wording of errors is as seen, or assumed where nothing was seen: clients should go by the status.
 *
 * Sources: docs.docker.com/reference/api/hub/latest.
 */
import type { Exchange, Handler } from '../registry/listener.ts';
import { json, type Reply } from '../registry/reply.ts';
import { ANONYMOUS, isPasswordOf, TokenIssuer } from '../registry/tokens.ts';
import { repositoryEntry, tagEntry, tagsByTime } from './api-entries.ts';
import { pageOf } from './api-pages.ts';
import { WindowLimit } from './limits.ts';
import { isVisible, namespacesOf, twoParts, type HubState } from './options.ts';

const LOGIN_SECONDS = 600;
const DEFAULT_RATE = { requests: 180, seconds: 60 };
const PART = '([^/]+)';

/** A request of somebody whose login, if any, holds. */
interface ApiCall {
  readonly state: HubState;
  readonly user: string;
  readonly exchange: Exchange;
  /** What links to further pages begin with. */
  readonly origin: string;
  /** From the path: namespace, repository, tag. */
  readonly parts: readonly string[];
}

type ApiEndpoint = (call: ApiCall) => Reply;

const PATHS: readonly [pattern: RegExp, endpoint: ApiEndpoint][] = [
  [pathOf(`(?:namespaces/${PART}/repositories|repositories/${PART})`), listRepositories],
  ...['', 'namespaces/'].flatMap((prefix): [RegExp, ApiEndpoint][] => {
    const repository = prefix
      ? `namespaces/${PART}/repositories/${PART}`
      : `repositories/${PART}/${PART}`;
    return [
      [pathOf(repository), showRepository],
      [pathOf(`${repository}/tags`), listTags],
      [pathOf(`${repository}/tags/${PART}`), showTag],
    ];
  }),
];

/** The handler of the API's origin, which calls itself `realName` if that is given. */
export function hubApi(state: HubState, realName?: string): Handler {
  const users = Object.fromEntries(
    Object.entries(state.accounts).map(([name, { password }]) => [name, { password }]),
  );
  const issuer = new TokenIssuer({
    users,
    format: 'jwt',
    expiresInSeconds: LOGIN_SECONDS,
    now: () => state.now(),
  });
  const limited = limiter(state);

  return async (exchange) => {
    const { pathname } = exchange.url;
    const user = userOf(issuer, exchange);
    const { refused, headers } = limited(user ?? ANONYMOUS);
    if (refused !== undefined) return { ...refused, headers: { ...refused.headers, ...headers } };
    const login = LOGINS.find(({ path }) => path.test(pathname));
    const origin = realName === undefined ? exchange.url.origin : `https://${realName}`;
    const reply = login
      ? await logIn(issuer, exchange, login)
      : user === undefined
        ? json(401, { message: 'unauthorized', errinfo: {} })
        : answer({ state, user, exchange, origin, parts: [] });
    return { ...reply, headers: { ...reply.headers, ...headers } };
  };
}

function answer(call: ApiCall): Reply {
  const { method, url } = call.exchange;
  for (const [pattern, endpoint] of PATHS) {
    const [match, ...parts] = pattern.exec(url.pathname) ?? [];
    if (match === undefined) continue;
    const given = parts.filter((part) => part !== undefined).map(decodeURIComponent);
    if (method === 'DELETE' && endpoint === showTag) return deleteTag({ ...call, parts: given });
    if (method !== 'GET' && method !== 'HEAD') {
      return json(405, { detail: `Method "${method}" not allowed.` });
    }
    return endpoint({ ...call, parts: given });
  }
  return json(404, { message: 'not found', errinfo: {} });
}

interface Login {
  readonly path: RegExp;
  /** Members of the request and of the answer. */
  readonly name: string;
  readonly secret: string;
  readonly token: string;
}

const LOGINS: readonly Login[] = [
  { path: /^\/v2\/auth\/token\/?$/, name: 'identifier', secret: 'secret', token: 'access_token' },
  { path: /^\/v2\/users\/login\/?$/, name: 'username', secret: 'password', token: 'token' },
];

async function logIn(issuer: TokenIssuer, exchange: Exchange, login: Login): Promise<Reply> {
  if (exchange.method !== 'POST') {
    return json(405, { detail: `Method "${exchange.method}" not allowed.` });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of exchange.body) chunks.push(chunk);
  const fields = fieldsOf(Buffer.concat(chunks).toString());
  const [name, secret] = [fields[login.name], fields[login.secret]];
  if (typeof name !== 'string' || typeof secret !== 'string') {
    return json(400, { message: 'invalid request', errinfo: {} });
  }
  if (!isPasswordOf(issuer.options.users, name, secret)) {
    return json(401, { detail: 'Incorrect authentication credentials' });
  }
  return json(200, { [login.token]: issuer.issue(name, '', []).token });
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Whose login was shown; `undefined` when it holds no more or never did. */
function userOf(issuer: TokenIssuer, { headers }: Exchange): string | undefined {
  if (headers.authorization === undefined) return ANONYMOUS;
  const [, token = ''] = /^(?:bearer|jwt) (\S+)$/i.exec(headers.authorization) ?? [];
  return issuer.grantOf(token)?.user;
}

function limiter(
  state: HubState,
): (user: string) => { refused?: Reply; headers: Record<string, string> } {
  const { requests, seconds = DEFAULT_RATE.seconds } = state.options.apiRateLimit ?? DEFAULT_RATE;
  const limit = new WindowLimit(seconds, () => state.now());
  return (user) => {
    const { isWithin, remaining, endsAt } = limit.take(user, requests);
    const resetAt = Math.ceil(endsAt / 1000);
    const headers = {
      'X-RateLimit-Limit': String(requests),
      'X-RateLimit-Remaining': String(remaining),
      'X-RateLimit-Reset': String(resetAt),
    };
    if (isWithin) return { headers };
    const isRelative = state.options.apiRateLimit?.wait === 'Retry-After';
    const wait = isRelative
      ? { 'Retry-After': String(Math.ceil((endsAt - state.now()) / 1000)) }
      : { 'X-Retry-After': String(resetAt) };
    const refused = json(429, { detail: 'Rate limit exceeded', error: false });
    return { refused, headers: { ...headers, ...wait } };
  };
}

function listRepositories(call: ApiCall): Reply {
  const { state, user, parts } = call;
  const [namespace = ''] = parts;
  const all = [...state.store.repositories.keys()].filter(
    (name) => twoParts(name)?.[0] === namespace,
  );
  const isKnown =
    all.length > 0 ||
    Object.keys(state.accounts).some((name) => namespacesOf(state, name).includes(namespace));
  if (!isKnown) return notFound(call);
  const entries = all
    .filter((name) => isVisible(state, user, name))
    .map((name) => repositoryEntry(state, name))
    .toSorted((a, b) => b.last_updated.localeCompare(a.last_updated));
  return pageOf(entries, call.exchange.url, call.origin) ?? notFound(call);
}

function showRepository(call: ApiCall): Reply {
  const name = visibleName(call);
  return name === undefined ? notFound(call) : json(200, repositoryEntry(call.state, name));
}

function listTags(call: ApiCall): Reply {
  const name = visibleName(call);
  if (name === undefined) return notFound(call);
  const entries = tagsByTime(call.state, name).map((tag) => tagEntry(call.state, name, tag));
  return pageOf(entries, call.exchange.url, call.origin) ?? notFound(call);
}

function showTag(call: ApiCall): Reply {
  const name = visibleName(call);
  const tag = call.parts[2] ?? '';
  if (name === undefined || !call.state.store.repositories.get(name)?.tags.has(tag)) {
    return notFound(call);
  }
  return json(200, tagEntry(call.state, name, tag));
}

/** The tag alone; Docker Hub itself sees to what has no tag any more. Source: docker/hub-tool, pkg/hub/tags.go. */
function deleteTag(call: ApiCall): Reply {
  const { state, user } = call;
  const name = visibleName(call);
  const tag = call.parts[2] ?? '';
  const tags = name === undefined ? undefined : state.store.repositories.get(name)?.tags;
  if (tags?.has(tag) !== true) return notFound(call);
  const { may = 'delete' } = state.accounts[user] ?? { may: 'pull' as const };
  if (may !== 'delete' || !namespacesOf(state, user).includes(call.parts[0] ?? '')) {
    return json(403, { detail: 'access to the resource is forbidden with personal access token' });
  }
  tags.delete(tag);
  return { status: 204, body: Buffer.alloc(0) };
}

function visibleName({ state, user, parts }: ApiCall): string | undefined {
  const name = `${parts[0]}/${parts[1]}`;
  return state.store.repositories.has(name) && isVisible(state, user, name) ? name : undefined;
}

/** Doesn't tell what is private from what isn't there. */
function notFound({ parts: [namespace, repository] }: ApiCall): Reply {
  return json(404, { message: 'object not found', errinfo: { namespace, repository } });
}

function pathOf(pattern: string): RegExp {
  return new RegExp(`^/v2/${pattern}/?$`);
}
