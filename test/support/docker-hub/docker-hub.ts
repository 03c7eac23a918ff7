/**
 * Docker Hub in memory, for tests: the registry, its token server, the API that lists, and the place
 * that blobs are redirected to, each an origin of its own.
 *
 * Sources: docs.docker.com/reference/api/hub, docs.docker.com/docker-hub/usage; OCI Distribution 1.1;
 * distribution docs, «Token Authentication Specification». For what is an assumption see the modules.
 */
import { startTokenServer, type TokenRequest } from '../registry/auth.ts';
import { storageHandler } from '../registry/blobs.ts';
import { FaultPlan, type Fault } from '../registry/faults.ts';
import {
  listen,
  type Exchange,
  type Handler,
  type Listener,
  type RequestRecord,
  type TlsKeys,
} from '../registry/listener.ts';
import { startRegistry } from '../registry/registry.ts';
import { json, type Reply } from '../registry/reply.ts';
import { createStore, type Store } from '../registry/store.ts';
import type { TokenOptions } from '../registry/tokens.ts';
import { hubApi } from './api.ts';
import { hubGrants } from './grants.ts';
import {
  INDEX_NAME,
  REAL_NAMES,
  type DockerHubOptions,
  type HubOrigin,
  type HubState,
} from './options.ts';
import { createPullCounter, type PullCounter } from './pulls.ts';

export interface DockerHub {
  /** Where each origin really is; each ends in a slash. */
  readonly urls: Readonly<Record<HubOrigin, URL>>;
  /** What came to each origin, in the order of arrival. */
  readonly requests: Readonly<Record<HubOrigin, RequestRecord[]>>;
  readonly tokenRequests: TokenRequest[];
  /** For `startNamesProxy`: real names and where they lead. */
  readonly places: Readonly<Record<string, URL>>;
  readonly store: Store;
  readonly pulls: PullCounter;
  /** When tags were pushed, in ms, by `repository:tag`; those seeded have an assumed time unless set. */
  readonly pushedAt: Map<string, number>;
  /** Replaces the faults still to come of the origins named. */
  setFaults(faults: Readonly<Partial<Record<HubOrigin, readonly Fault[]>>>): void;
  /** Forgets the requests, but not the pulls. */
  resetRequests(): void;
  close(): Promise<void>;
}

const DEFAULT_TOKEN_SECONDS = 300;
const SERVICE = 'registry.docker.io';

/** Starts all four origins on free ports of 127.0.0.1. */
export async function startDockerHub(options: DockerHubOptions = {}): Promise<DockerHub> {
  const { tls, store = createStore(), accounts = {}, now = Date.now } = options;
  const state: HubState = { store, accounts, options, pushedAt: new Map(), now };
  const isReal = (options.names ?? (tls ? 'real' : 'local')) === 'real';
  const named = (origin: HubOrigin, local: URL): URL =>
    isReal ? new URL(`https://${REAL_NAMES[origin]}${local.pathname}`) : local;

  const auth = await startTokenServer({ ...tokenOptions(state), ...(tls && { tls }) });
  const cdn = await listenWithFaults(storageHandler(store), tls);
  const api = await listenWithFaults(hubApi(state, isReal ? REAL_NAMES.api : undefined), tls);
  const pulls = createPullCounter(state, auth.issuer);
  const registry = await startRegistry({
    store,
    ...(tls && { tls }),
    auth: { scheme: 'bearer', server: auth, realm: named('auth', auth.url) },
    catalog: 'denied',
    referrersApi: false,
    tagDeletion: 'nothing',
    mount: 'within namespace',
    missingDetail: 'string',
    redirectBlobs: named('cdn', cdn.url),
    around: async (exchange, inner) =>
      asTheHub(state, exchange, {
        reply: await pulls.around(exchange, inner),
        origin: isReal ? `https://${REAL_NAMES.registry}` : exchange.url.origin,
      }),
  });

  const origins = { registry, auth: { ...auth, url: new URL('/', auth.url) }, api, cdn };
  const urls = mapped<{ url: URL }, URL>(origins, ({ url }) => url);
  const requests = mapped<{ requests: RequestRecord[] }, RequestRecord[]>(
    origins,
    (origin) => origin.requests,
  );
  return {
    urls,
    requests,
    tokenRequests: auth.tokenRequests,
    places: placesOf(urls),
    store,
    pulls,
    pushedAt: state.pushedAt,
    setFaults(faults) {
      if (faults.registry) registry.setFaults(faults.registry);
      if (faults.auth) auth.setFaults(faults.auth);
      if (faults.api) api.faults.set(faults.api);
      if (faults.cdn) cdn.faults.set(faults.cdn);
    },
    resetRequests() {
      for (const list of [...Object.values(requests), auth.tokenRequests]) list.length = 0;
    },
    async close() {
      await Promise.all([registry.close(), auth.close(), api.close(), cdn.close()]);
    },
  };
}

interface FaultyListener extends Listener {
  readonly faults: FaultPlan;
}

async function listenWithFaults(
  handle: Handler,
  tls: TlsKeys | undefined,
): Promise<FaultyListener> {
  const faults = new FaultPlan();
  return { ...(await listen(handle, { tls, faults })), faults };
}

function mapped<From, To>(
  { registry, auth, api, cdn }: Readonly<Record<HubOrigin, From>>,
  to: (from: From) => To,
): Record<HubOrigin, To> {
  return { registry: to(registry), auth: to(auth), api: to(api), cdn: to(cdn) };
}

function placesOf(urls: Readonly<Record<HubOrigin, URL>>): Record<string, URL> {
  const origins = Object.keys(REAL_NAMES) as HubOrigin[];
  const named = origins.map((origin): [string, URL] => [REAL_NAMES[origin], urls[origin]]);
  return { ...Object.fromEntries(named), [INDEX_NAME]: urls.registry };
}

function tokenOptions(state: HubState): TokenOptions {
  const { options, accounts } = state;
  return {
    users: accountUsers(accounts),
    anonymous: ['repository:*:pull'],
    service: SERVICE,
    expiresInSeconds: options.tokenSeconds ?? DEFAULT_TOKEN_SECONDS,
    format: 'jwt',
    narrow: hubGrants(state),
    now: () => state.now(),
  };
}

function accountUsers(accounts: HubState['accounts']): TokenOptions['users'] {
  const rows = Object.entries(accounts).map(([name, { password }]) => [name, { password }]);
  return Object.fromEntries(rows) as TokenOptions['users'];
}

interface Answered {
  readonly reply: Reply;
  /** What a Location begins with. */
  readonly origin: string;
}

/** What differs from any registry after the fact: times are kept, every Location is absolute. */
function asTheHub(state: HubState, { method, url }: Exchange, { reply, origin }: Answered): Reply {
  const [, name, tag] = /^\/v2\/(.+)\/manifests\/([^/:]+)$/.exec(url.pathname) ?? [];
  if (method === 'PUT' && reply.status === 201 && tag !== undefined) {
    state.pushedAt.set(`${name}:${tag}`, state.now());
  }
  const { Location: location } = reply.headers ?? {};
  if (location?.startsWith('/')) {
    return { ...reply, headers: { ...reply.headers, Location: `${origin}${location}` } };
  }
  if (reply.status !== 401 || !/^\/v2\/?$/.test(url.pathname)) return reply;
  const errors = [{ code: 'UNAUTHORIZED', message: 'authentication required', detail: null }];
  return { ...reply, body: json(401, { errors }).body ?? Buffer.alloc(0) };
}
