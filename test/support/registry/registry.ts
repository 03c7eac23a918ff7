/**
 * An OCI registry in memory, for tests and for the demo: faithful where a client could notice, and at
 * fault where it is told to be.
 *
 * Sources: OCI Distribution 1.1; docker-registry 2.8.2 as observed.
 */
import type { AuthOptions, TokenRequest } from './auth.ts';
import { storageHandler } from './blobs.ts';
import type { Behaviour, RegistryState } from './endpoint.ts';
import { FaultPlan, type Fault } from './faults.ts';
import { createGuard, type Guard } from './guard.ts';
import {
  listen,
  type Exchange,
  type Handler,
  type OnRequest,
  type RequestRecord,
  type TlsKeys,
} from './listener.ts';
import { pushRefusal, type PushRules } from './push-rules.ts';
import { refusal, type Reply } from './reply.ts';
import { notFound, routeOf, type Path, type Route } from './routes.ts';
import { scopesFor } from './scopes.ts';
import { createStore, type Store } from './store.ts';
import { Uploads } from './upload.ts';

export type { RequestRecord } from './listener.ts';

export interface RegistryOptions {
  /** Content to start with, or to share with another registry. */
  readonly store?: Store;
  /** Everybody may do everything unless given. */
  readonly auth?: AuthOptions;
  /** Makes it https. */
  readonly tls?: TlsKeys;
  /** Items on a page when `n` is not given; by default 100 repositories, all tags. */
  readonly pageSize?: number;
  /** The most items on a page; 1000 unless given. */
  readonly maxPageSize?: number;
  /** What becomes of a larger `n`: `clamp` (distribution 3.1, ACR) unless given, a 400 (2.8), or a 405 (ECR). */
  readonly aboveMaxPageSize?: 'clamp' | 'reject' | 'unsupported';
  /** `false`: tags come all at once, whatever `n` says, as from distribution 2.8. */
  readonly tagsListPaging?: boolean;
  /** `lexical` unless given; `oldest first`: as they came to be (GHCR). */
  readonly tagOrder?: 'lexical' | 'oldest first';
  /** `true`: the catalog answers 400 to a `last` that is no repository (Harbor). */
  readonly strictCursor?: boolean;
  /** `denied`: 401 with insufficient_scope, `forbidden`: 403, `missing`: 404. */
  readonly catalog?: 'open' | 'denied' | 'forbidden' | 'missing';
  /** `false`: 404, and no OCI-Subject; an origin: 303 to there, and no OCI-Subject either (GHCR). */
  readonly referrersApi?: boolean | string;
  /** `declined`: always 202, as is `within namespace` from another one (Docker Hub); a number: that status. */
  readonly mount?: 'works' | 'within namespace' | 'declined' | number;
  /** `true`: PATCH answers 201, and with the Range from before it (ECR). */
  readonly oddPatch?: boolean;
  /** Media types of configs beyond which a manifest is invalid (Quay); all are taken unless given. */
  readonly configTypes?: readonly string[];
  /** The largest chunk with a Content-Range, beyond which is 416 (GHCR). */
  readonly maxChunkBytes?: number;
  /** Which repositories may be pushed to; all unless given. */
  readonly pushRules?: PushRules;
  /** Found before those that each registry has, and guarded like them. */
  readonly paths?: readonly Path[];
  /** Stands between the listener and the registry, guard and all. */
  readonly around?: (exchange: Exchange, inner: Handler) => Reply | Promise<Reply>;
  /** `true`: GET of a blob is answered with 307 to another origin, of its own, or to this one. */
  readonly redirectBlobs?: boolean | URL;
  /** Waited before each request. */
  readonly latencyMs?: number;
  /** `true`: no answer has a Docker-Content-Digest. */
  readonly omitDigestHeader?: boolean;
  /**
   * How MANIFEST_BLOB_UNKNOWN names the digest: `{"detail": {"digest": "sha256:…"}}`, or, as
   * docker-registry really does, `{"detail": "sha256:…"}`.
   */
  readonly missingDetail?: 'object' | 'string';
  /**
   * What a DELETE by the name of a tag does: takes the tag away (distribution 3) unless given, is refused (2.8), or
   * deletes the image with all of its tags (Harbor 2.0). `nothing`: no DELETE of a manifest is allowed (2.8 as it
   * comes).
   */
  readonly tagDeletion?: 'alone' | 'refused' | 'image' | 'nothing';
  /** `true`: a manifest that has tags is not deleted by its digest (Google). */
  readonly tagsHoldManifests?: boolean;
  /** `true`: a blob is taken for what its digest says, without a look at its bytes. */
  readonly trusting?: boolean;
  readonly faults?: readonly Fault[];
  /** For faults that can't be data: drawn by lot, or none but the death of the client. */
  readonly onRequest?: OnRequest;
  /** How long an idle connection is kept. */
  readonly keepAliveMs?: number;
}

export interface Registry {
  /** Ends in a slash. */
  readonly url: URL;
  /** `127.0.0.1:PORT`: what an image reference begins with. */
  readonly host: string;
  /** What came to `url`, in the order of arrival; with the token requests if they come there too. */
  readonly requests: RequestRecord[];
  /** What came to the origin that blobs are redirected to. */
  readonly storageRequests: RequestRecord[];
  /** The requests for tokens, also those that came to a token server of its own. */
  readonly tokenRequests: TokenRequest[];
  readonly store: Store;
  /** How many uploads were started and neither finished nor cancelled. */
  pendingUploads(): number;
  /** How many connections to `url` are open. */
  openConnections(): number;
  /** Replaces the faults still to come, which hold for the registry and for its blob storage. */
  setFaults(faults: readonly Fault[]): void;
  /** Forgets the requests, of all three kinds. */
  resetRequests(): void;
  /** Stops listening and cuts all connections. A token server is left running. */
  close(): Promise<void>;
}

/** Starts a registry on a free port of 127.0.0.1. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const { store = createStore(), tls, latencyMs, onRequest, keepAliveMs } = options;
  const faults = new FaultPlan();
  faults.set(options.faults ?? []);
  const guard = createGuard(options.auth);
  const listening = { tls, latencyMs, faults, onRequest, keepAliveMs };
  const { redirectBlobs } = options;
  const storage =
    redirectBlobs === true ? await listen(storageHandler(store), listening) : undefined;
  const storageUrl = redirectBlobs instanceof URL ? redirectBlobs : storage?.url;
  const uploads = new Uploads();
  const state = { store, uploads, behaviour: behaviourOf(options), storage: storageUrl };
  const inner = handlerOf(state, guard, options);
  const { around = (exchange) => inner(exchange) } = options;
  const handler: Handler = (exchange) => around(exchange, inner);
  const { url, requests, openConnections, close } = await listen(handler, listening);
  const storageRequests = storage?.requests ?? [];
  const tokenRequests = guard.tokens?.tokenRequests ?? [];
  return {
    url,
    host: url.host,
    requests,
    storageRequests,
    tokenRequests,
    store,
    pendingUploads: () => uploads.count,
    openConnections,
    setFaults: (planned) => faults.set(planned),
    resetRequests() {
      for (const list of [requests, storageRequests, tokenRequests]) list.length = 0;
    },
    async close() {
      await Promise.all([close(), storage?.close()]);
    },
  };
}

/** How a registry with these options behaves, with nothing left open. */
export function behaviourOf(options: RegistryOptions): Behaviour {
  return {
    pageSize: options.pageSize,
    maxPageSize: options.maxPageSize ?? 1000,
    aboveMaxPageSize: options.aboveMaxPageSize ?? 'clamp',
    tagsListPaging: options.tagsListPaging ?? true,
    tagOrder: options.tagOrder ?? 'lexical',
    strictCursor: options.strictCursor,
    catalog: options.catalog ?? 'open',
    referrersApi: options.referrersApi ?? true,
    mount: options.mount ?? 'works',
    oddPatch: options.oddPatch,
    configTypes: options.configTypes,
    maxChunkBytes: options.maxChunkBytes ?? Infinity,
    pushRules: options.pushRules,
    missingDetail: options.missingDetail ?? 'object',
    missingStatus: 400,
    ...deletionOf(options),
    trusting: options.trusting ?? false,
  };
}

function deletionOf({ tagDeletion = 'alone', tagsHoldManifests = false }: RegistryOptions) {
  return { tagDeletion, tagsHoldManifests };
}

function handlerOf(
  state: RegistryState,
  guard: Guard,
  { omitDigestHeader = false, paths = [] }: RegistryOptions,
): Handler {
  return async (exchange) => {
    if (exchange.url.pathname === '/token' && guard.ownTokens !== undefined) {
      return guard.ownTokens.handle(exchange);
    }
    const route = routeOf(exchange, paths);
    const reply =
      'endpoint' in route
        ? (guardedReply(state, guard, route) ?? (await route.endpoint(state, route.call)))
        : route;
    const { 'Docker-Content-Digest': digest, ...rest } = reply.headers ?? {};
    return {
      ...reply,
      headers: {
        'Docker-Distribution-Api-Version': 'registry/2.0',
        ...rest,
        ...(digest !== undefined && !omitDigestHeader && { 'Docker-Content-Digest': digest }),
      },
    };
  };
}

/** The refusal that a request meets for what it wants, not for how it wants it. */
function guardedReply(state: RegistryState, guard: Guard, { call }: Route): Reply | undefined {
  const needed = scopesFor(call);
  const { catalog } = state.behaviour;
  const isCatalog = needed.some(({ type }) => type === 'registry');
  if (isCatalog && catalog === 'missing') return notFound();
  const exchange = call.exchange;
  // A token for nothing in particular is let in first, so that what follows is a refusal of the scope.
  const refused = guard.check(exchange, isCatalog && catalog !== 'open' ? [] : needed);
  if (refused !== undefined) return refused;
  if (!isCatalog || catalog === 'open') return pushRefusal(state, guard, call);
  if (catalog === 'denied') return guard.deny(exchange, needed);
  return refusal(403, { code: 'DENIED', message: 'requested access to the resource is denied' });
}
