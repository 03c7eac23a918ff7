/**
 * What an emulated Docker Hub is told to be, and the names that it goes by.
 */
import type { TlsKeys } from '../registry/listener.ts';
import type { Store } from '../registry/store.ts';

export interface Account {
  /** A password or an access token. */
  readonly password: string;
  /** What it may push to and see all of: its own name unless given. */
  readonly namespaces?: readonly string[];
  /** As with an access token for so much; `delete`, as with a password, unless given. */
  readonly may?: 'pull' | 'push' | 'delete';
}

/** Pulls per window; what is not given is not limited, and then nothing is said of limits. */
export interface PullLimit {
  readonly anonymous?: number;
  readonly authenticated?: number;
  /** 21600 unless given. */
  readonly windowSeconds?: number;
}

/** So many requests in so many seconds. */
export interface Rate {
  readonly requests: number;
  /** 60 unless given. */
  readonly seconds?: number;
}

export interface DockerHubOptions {
  /** Makes all origins https. The certificate should be for `DOCKER_HUB_NAMES`. */
  readonly tls?: TlsKeys;
  /**
   * By which names the origins speak of each other: the `real` ones, which lead here through a names
   * proxy, or their `local` URLs. Real with `tls`, local without, unless given.
   */
  readonly names?: 'real' | 'local';
  /** Content to start with. */
  readonly store?: Store;
  readonly accounts?: Readonly<Record<string, Account>>;
  readonly pullLimit?: PullLimit;
  /** The limit of abuse: beyond it the registry answers a 429 in plain text. */
  readonly abuseAfter?: Rate;
  /** How long tokens of the registry hold; 300 unless given. */
  readonly tokenSeconds?: number;
  /** The limit of the API; 180 a minute unless given. */
  readonly apiRateLimit?: Rate & {
    /** How a 429 says when to come back: as a UNIX time unless given, or by Retry-After, in seconds. */
    readonly wait?: 'X-Retry-After' | 'Retry-After';
  };
  /** `repository:tag` whose entry in the API lacks `digest` and `media_type`. May change any time. */
  readonly oldTags?: ReadonlySet<string>;
  /** The digest that the API still says, by `repository:tag`. May change any time. */
  readonly apiLagging?: ReadonlyMap<string, string>;
  /** May change any time. */
  readonly privateRepositories?: ReadonlySet<string>;
  /** The clock, in ms; real time unless given. */
  readonly now?: () => number;
}

/** Options with nothing left open, and what all origins share. */
export interface HubState {
  readonly store: Store;
  readonly accounts: Readonly<Record<string, Account>>;
  readonly options: DockerHubOptions;
  /** When tags were pushed, in ms, by `repository:tag`. */
  readonly pushedAt: Map<string, number>;
  now(): number;
}

export const REAL_NAMES = {
  registry: 'registry-1.docker.io',
  auth: 'auth.docker.io',
  api: 'hub.docker.com',
  cdn: 'production.cloudflare.docker.com',
} as const;

export type HubOrigin = keyof typeof REAL_NAMES;

/** The registry answers to this name too. */
export const INDEX_NAME = 'index.docker.io';

/** All names that a certificate must be for. */
export const DOCKER_HUB_NAMES: readonly string[] = [...Object.values(REAL_NAMES), INDEX_NAME];

/** The namespaces that an account may push to; none for those who are nobody. */
export function namespacesOf({ accounts }: HubState, user: string): readonly string[] {
  if (!Object.hasOwn(accounts, user)) return [];
  return accounts[user]?.namespaces ?? [user];
}

/** The namespace and the name below it; `undefined` unless there are exactly these two. */
export function twoParts(repository: string): [namespace: string, name: string] | undefined {
  const [namespace = '', name = '', ...more] = repository.split('/');
  return namespace === '' || name === '' || more.length > 0 ? undefined : [namespace, name];
}

/** Whether a user may see a repository, which must exist. */
export function isVisible(state: HubState, user: string, repository: string): boolean {
  if (!state.options.privateRepositories?.has(repository)) return true;
  return namespacesOf(state, user).includes(twoParts(repository)?.[0] ?? '');
}
