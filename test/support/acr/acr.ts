/**
 * Azure Container Registry in memory, for tests: its listing API, its tokens, its blob storage on
 * another origin, and its limits.
 *
 * Sources: recordings published with the Azure SDKs; https://github.com/Azure/acr docs; OCI
 * Distribution 1.1.
 */
import { FaultPlan, type Fault } from '../registry/faults.ts';
import {
  listen,
  type Exchange,
  type Handler,
  type OnRequest,
  type RequestRecord,
  type TlsKeys,
} from '../registry/listener.ts';
import { behaviourOf } from '../registry/registry.ts';
import { createStore, type Store } from '../registry/store.ts';
import { Uploads } from '../registry/upload.ts';
import { dressed, dressedToken } from './answers.ts';
import { refusalOf, type Guard } from './guard.ts';
import { Metadata } from './metadata.ts';
import { answerOAuth, type AcrTokenRequest } from './oauth.ts';
import { People, type PeopleOptions } from './people.ts';
import { routeOf } from './routes.ts';
import type { AcrState } from './state.ts';
import { BlobStorage } from './storage.ts';
import { AcrTokens } from './tokens.ts';

export interface AcrOptions extends PeopleOptions {
  /** Content to start with, or to share with another registry. */
  readonly store?: Store;
  /** What it calls itself, `gsoci.azurecr.io`; unless given, whatever a request's Host says. */
  readonly name?: string;
  /** The host that blobs are redirected to; unless given, the address of the storage. */
  readonly storageName?: string;
  /** Makes it https. */
  readonly tls?: TlsKeys;
  /** Permissions by repository: scopes for all repositories are ignored. */
  readonly abac?: boolean;
  /** 4500 unless given. */
  readonly accessTokenSeconds?: number;
  /** 11700 unless given. */
  readonly refreshTokenSeconds?: number;
  /** The most items on a page; 1000 unless given. */
  readonly maxPageSize?: number;
  /** Pages with a larger `n` are answered with 502. */
  readonly breaksAbove?: number;
  /** `declined`: always 202. */
  readonly mount?: 'works' | 'declined';
  /** The first so many PUTs of each manifest find its blobs missing. */
  readonly geoLag?: number;
  /** How long the URL of a blob holds; 1200 unless given. */
  readonly sasSeconds?: number;
  /** Uploads of more bytes are checked and counted, but not kept, and can't be pulled. */
  readonly keepBytes?: number;
  /** `true`: a blob is taken for what its digest says, without a look at its bytes. */
  readonly trusting?: boolean;
  /** Waited before each request. */
  readonly latencyMs?: number;
  readonly faults?: readonly Fault[];
  /** For faults that can't be data. */
  readonly onRequest?: OnRequest;
  /** How long an idle connection is kept. */
  readonly keepAliveMs?: number;
  /** The clock, in ms; real time unless given. */
  readonly now?: () => number;
}

export interface Acr {
  /** Ends in a slash. */
  readonly url: URL;
  /** `127.0.0.1:PORT`: what an image reference begins with. */
  readonly host: string;
  /** Where the blob storage is; ends in a slash. */
  readonly storageUrl: URL;
  /** What came to `url`, in the order of arrival, token requests too. */
  readonly requests: RequestRecord[];
  /** What came to the blob storage. */
  readonly storageRequests: RequestRecord[];
  readonly tokenRequests: AcrTokenRequest[];
  readonly store: Store;
  /** Times, locks and claimed counts, which tests may change. */
  readonly metadata: Metadata;
  /** How many uploads were started and neither finished nor cancelled. */
  pendingUploads(): number;
  /** How many connections to `url` are open. */
  openConnections(): number;
  /** Replaces the faults still to come, which hold for the registry and for its blob storage. */
  setFaults(faults: readonly Fault[]): void;
  /** Forgets the requests, of all three kinds. */
  resetRequests(): void;
  /** Stops listening and cuts all connections. */
  close(): Promise<void>;
}

/** Starts a registry and its blob storage on free ports of 127.0.0.1. */
export async function startAcr(options: AcrOptions = {}): Promise<Acr> {
  const { store = createStore(), now = Date.now, tls, latencyMs, onRequest, keepAliveMs } = options;
  const faults = new FaultPlan();
  faults.set(options.faults ?? []);
  const listening = { tls, latencyMs, faults, onRequest, keepAliveMs };
  const blobStorage = new BlobStorage({ store, now, sasSeconds: options.sasSeconds ?? 1200 });
  const storage = await listen(blobStorage.handle, listening);
  const state = stateOf(options, { store, now, blobStorage, storage: storage.url });
  const tokenRequests: AcrTokenRequest[] = [];
  const handler = handlerOf(state, guardOf(options, now), tokenRequests, options.name);
  const { url, requests, openConnections, close } = await listen(handler, listening);
  return {
    url,
    host: url.host,
    storageUrl: storage.url,
    requests,
    storageRequests: storage.requests,
    tokenRequests,
    store,
    metadata: state.metadata,
    pendingUploads: () => state.uploads.count,
    openConnections,
    setFaults: (planned) => faults.set(planned),
    resetRequests() {
      for (const list of [requests, storage.requests, tokenRequests]) list.length = 0;
    },
    async close() {
      await Promise.all([close(), storage.close()]);
    },
  };
}

interface Parts {
  readonly store: Store;
  readonly now: () => number;
  readonly blobStorage: BlobStorage;
  readonly storage: URL;
}

function stateOf(options: AcrOptions, { store, now, blobStorage, storage }: Parts): AcrState {
  const { storageName, maxPageSize, mount, trusting } = options;
  const generic = {
    ...(maxPageSize !== undefined && { maxPageSize }),
    ...(mount !== undefined && { mount }),
    ...(trusting !== undefined && { trusting }),
  };
  return {
    store,
    uploads: new Uploads(options.keepBytes),
    storage: storageName === undefined ? storage : new URL(`${storage.protocol}//${storageName}/`),
    behaviour: { ...behaviourOf(generic), missingStatus: 404 },
    metadata: new Metadata(store, now),
    blobStorage,
    breaksAbove: options.breaksAbove ?? Infinity,
    geoLag: options.geoLag ?? 0,
    earlyPuts: new Map(),
    discardedSizes: new Map(),
  };
}

function guardOf(options: AcrOptions, now: () => number): Guard {
  const tokens = new AcrTokens({
    accessTokenSeconds: options.accessTokenSeconds ?? 4500,
    refreshTokenSeconds: options.refreshTokenSeconds ?? 11_700,
    abac: options.abac ?? false,
    now,
  });
  return { tokens, people: new People(options, tokens) };
}

function handlerOf(
  state: AcrState,
  guard: Guard,
  tokenRequests: AcrTokenRequest[],
  name: string | undefined,
): Handler {
  return async (exchange) => {
    const registry = name ?? hostOf(exchange);
    if (exchange.url.pathname.startsWith('/oauth2/')) {
      return dressedToken(await answerOAuth({ ...guard, tokenRequests }, exchange, registry));
    }
    const route = routeOf(exchange, registry);
    if ('status' in route) return dressed(route, exchange);
    const { endpoint, call } = route;
    const refused = refusalOf(guard, call, endpoint.needs(call));
    return dressed(refused ?? (await endpoint.answer(state, call)), exchange);
  };
}

function hostOf({ headers, url }: Exchange): string {
  return headers.host ?? url.host;
}
