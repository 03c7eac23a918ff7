/** One registry: how it is reached, how it wants to be authorised, and what is known of its blobs. */
import { LRUCache } from 'lru-cache';

import type { Clock } from '../base/clock.ts';
import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { InTurn } from '../base/in-turn.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { RetryPolicy } from '../http/retry.ts';
import { withRedirects } from '../http/redirect.ts';
import { discard, type HttpRequest, type HttpResponse, type Send } from '../http/send.ts';
import type { Traffic } from '../http/traffic.ts';
import type { StoredManifest } from '../image/manifest.ts';
import { Authorizer, withAuthorization, type Permission } from './authorize.ts';
import { BlobDirectory } from './blob-directory.ts';
import type { Credentials } from './credentials.ts';
import { endpoints } from './endpoints.ts';
import { hostOf, profileOf, type RegistryProfile } from './profile.ts';
import { responseError } from './response-error.ts';
import { TokenCache } from './tokens.ts';

export interface RegistrySettings {
  /** `host[:port]`, as `parseRegistry` gives it. */
  readonly registry: string;
  /** By its host, unless given. */
  readonly profile?: RegistryProfile;
  /** One request, repeated as the policy says; neither authorised nor redirected. */
  readonly wire: Send;
  /** Whether plain http may be tried when TLS is not spoken. */
  readonly allowHttp: boolean;
  readonly credentials: (repository: string | undefined) => Promise<Credentials>;
  readonly retry: RetryPolicy;
  readonly traffic: Traffic;
  readonly clock: Clock;
  readonly log: Log;
  /** Told each token, so that none is printed. */
  readonly hide?: (secret: string) => void;
  /** The directory of the other side, when that is the same registry. */
  readonly sharedBlobs?: BlobDirectory;
}

/** Of manifests that are kept in case another tag needs them; read, one takes five times its bytes. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
const READ_FACTOR = 5;

/** So long a registry that could not be reached is not asked again. Milliseconds. */
const UNMET_MS = 30_000;

/** A request without what the client adds: the origin is known only once the registry has been met. */
export interface RegistryRequest extends Omit<HttpRequest, 'url'> {
  readonly url: (origin: string) => URL;
  readonly permission: Permission;
  /** `false`: a redirect is the answer. */
  readonly followRedirects?: boolean;
  /** It counts against a limit of pulls, where there is one. */
  readonly isPull?: boolean;
}

export class RegistryClient {
  readonly registry: string;
  readonly profile: RegistryProfile;
  readonly traffic: Traffic;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly log: Log;
  readonly blobs: BlobDirectory;
  /** Whether the same registry is read from and written to: blobs can then be linked from the source. */
  readonly isBothSides: boolean;
  /** Manifests that were read, by `path@digest`: tags on one digest need them once. */
  readonly manifests = new LRUCache<string, StoredManifest>({
    maxSize: MAX_KEPT_BYTES,
    sizeCalculation: ({ bytes }) => READ_FACTOR * bytes.byteLength + 1,
  });
  /** Changes to lists of referrers that are kept under tags, by the tag's full name. */
  readonly attaching = new InTurn<string>();
  /** Manifests on their way to a repository, by `path@digest`: tags on one digest put them once. */
  readonly putting = new SingleFlight<string, void>();
  readonly #settings: RegistrySettings;
  readonly #tokens: TokenCache;
  readonly #meeting = new SingleFlight<'meeting', Authorizer>();
  #authorizer: Authorizer | undefined;
  /** Why nothing can be pulled any more. */
  #spent: RegistrySyncError | undefined;
  #unmet: { readonly error: RegistrySyncError; readonly until: number } | undefined;

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
    this.registry = settings.registry;
    this.profile = settings.profile ?? profileOf(settings.registry);
    this.traffic = settings.traffic;
    this.retry = settings.retry;
    this.clock = settings.clock;
    this.log = settings.log;
    this.blobs = settings.sharedBlobs ?? new BlobDirectory({ mounts: this.profile.mounts });
    this.isBothSides = settings.sharedBlobs !== undefined;
    this.#tokens = new TokenCache(settings.wire, settings.clock, settings.hide);
  }

  /** Sends a request; the registry is met first if this is the first one. */
  async send(request: RegistryRequest): Promise<HttpResponse> {
    const { url, permission, followRedirects = true, isPull = false, ...rest } = request;
    if (isPull && this.#spent !== undefined) throw this.#spent;
    const authorizer = this.#authorizer ?? (await this.#meet(request.signal));
    const authorized = withAuthorization(authorizer, permission)(this.#settings.wire);
    const send = followRedirects ? withRedirects()(authorized) : authorized;
    try {
      return await send({ ...rest, url: url(authorizer.origin) });
    } catch (error) {
      if (isError(error, 'RATE_LIMITED') && error.details.isSpent === true) this.#spent = error;
      throw error;
    }
  }

  /** Sends a request to another service of the registry's owner, as it is: nothing is added or followed. */
  sendElsewhere(request: HttpRequest): Promise<HttpResponse> {
    return this.#settings.wire(request);
  }

  /** Takes care that a secret is not printed. */
  hide(secret: string): void {
    this.#settings.hide?.(secret);
  }

  /** What the registry would be shown for a repository. */
  credentials(repository: string): Promise<Credentials> {
    return this.#settings.credentials(repository);
  }

  /**
   * Sends a request whose answer must have one of these statuses.
   *
   * @throws {RegistrySyncError} by the status, naming `what`.
   */
  async expect(
    statuses: readonly number[],
    what: string,
    request: RegistryRequest,
  ): Promise<HttpResponse> {
    const response = await this.send(request);
    if (statuses.includes(response.status)) return response;
    throw await this.failure(response, what, request);
  }

  /** What an unwelcome answer means. */
  async failure(
    response: HttpResponse,
    what: string,
    { method, url, permission }: RegistryRequest,
  ): Promise<RegistrySyncError> {
    const origin = this.#authorizer?.origin ?? `https://${hostOf(this.registry)}`;
    const error = await responseError({ method, url: url(origin) }, response, what);
    if (error.code !== 'UNAUTHORIZED') return error;
    const { from } = await this.#settings.credentials(permission.repository);
    const message = `${error.message}; used ${from}`;
    return new RegistrySyncError('UNAUTHORIZED', message, { details: error.details });
  }

  /** `scheme://host:port`, once the registry has been met. */
  get origin(): string | undefined {
    return this.#authorizer?.origin;
  }

  async #meet(signal: AbortSignal): Promise<Authorizer> {
    const unmet = this.#unmet;
    if (unmet !== undefined && unmet.until > this.clock.now()) throw unmet.error;
    this.#authorizer ??= await this.#meeting.run('meeting', (all) => this.#ping(all), signal);
    return this.#authorizer;
  }

  /** A registry that is down has been waited for once; the next row need not do so again. */
  async #ping(signal: AbortSignal): Promise<Authorizer> {
    try {
      return await this.#pingEither(signal);
    } catch (error) {
      throwIfAborted(signal);
      if (error instanceof RegistrySyncError) {
        this.#unmet = { error, until: this.clock.now() + UNMET_MS };
      }
      throw error;
    }
  }

  async #pingEither(signal: AbortSignal): Promise<Authorizer> {
    const host = hostOf(this.registry);
    if (!this.#settings.allowHttp) return this.#pingAt(`https://${host}`, { signal });
    // Not repeated at first: a server without TLS may just hang up.
    for (const once of [true, false]) {
      try {
        return await this.#pingAt(`https://${host}`, { signal, once });
      } catch (error) {
        if (speaksNoTls(error, host)) break;
        if (!once || !isError(error, 'UNAVAILABLE')) throw error;
      }
    }
    this.log.debug({ registry: this.registry }, 'no TLS, trying plain http');
    return this.#pingAt(`http://${host}`, { signal });
  }

  async #pingAt(origin: string, how: Pick<HttpRequest, 'signal' | 'once'>): Promise<Authorizer> {
    const url = endpoints.ping(origin);
    const response = await this.#settings.wire({ method: 'GET', url, ...how });
    if (response.status >= 500 || response.status === 429) {
      throw await responseError({ method: 'GET', url }, response, `registry ${this.registry}`);
    }
    const authorizer = new Authorizer(new URL(origin).origin, {
      tokens: this.#tokens,
      credentials: this.#settings.credentials,
    });
    await discard(response);
    if (response.status === 401) authorizer.learn(response);
    return authorizer;
  }
}

/** How a TLS handshake fails with a server that speaks plain http. */
const NO_TLS = /^(?:EPROTO|ERR_SSL|ECONNRESET|UND_ERR_SOCKET)/;

function speaksNoTls(error: unknown, host: string): boolean {
  if (!isError(error, 'UNAVAILABLE')) return false;
  const reason = String(error.details.reason);
  // Without a port in its name the registry may be on port 80 only.
  return NO_TLS.test(reason) || (reason === 'ECONNREFUSED' && !/:\d+$/.test(host));
}
