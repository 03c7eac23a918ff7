/**
 * Authorises requests to one registry: with what it has once asked for, before it asks again.
 *
 * Sources: RFC 9110 §11; https://distribution.github.io/distribution/spec/auth/token/.
 */
import { isError, RegistrySyncError } from '../base/errors.ts';
import { discard, header, type HttpResponse, type Wrap } from '../http/send.ts';
import { basicAuthorization } from './basic.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { endpoints } from './endpoints.ts';
import { resolveRealm, type TokenCache, type TokenRequest } from './tokens.ts';

/** What a request needs to be allowed to do. */
export interface Permission {
  /** Whose credentials: of the repository, or of the registry itself. */
  readonly repository?: string;
  /** `repository:a/b:pull,push`, `registry:catalog:*` */
  readonly scopes: readonly string[];
  /** Scopes of a token that serves other repositories too, where the registry gives such: `repository:*:pull` */
  readonly shared?: readonly string[] | undefined;
}

/** How a registry wants to be spoken to. */
type Scheme =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined };

export interface AuthorizerSettings {
  readonly tokens: TokenCache;
  readonly credentials: (repository: string | undefined) => Promise<Credentials>;
}

/** What one registry has asked for so far. */
export class Authorizer {
  /** `scheme://host:port`: no other place ever sees our credentials. */
  readonly origin: string;
  readonly #settings: AuthorizerSettings;
  #scheme: Scheme = { kind: 'none' };
  /** Scopes for which another scheme was asked: Basic for Harbor's catalog, another realm for a virtual repository. */
  readonly #exceptions = new Map<string, Scheme>();
  /** Scopes that were found too narrow, and what was asked for in their place. */
  readonly #widened = new Map<string, readonly string[]>();
  /** Whether a token for all repositories has let us in somewhere; `false`: it is not asked for again. */
  #sharing: boolean | undefined;
  /** Repositories that want a token of their own though others don't. */
  readonly #unshared = new Set<string>();

  constructor(origin: string, settings: AuthorizerSettings) {
    this.origin = origin;
    this.#settings = settings;
  }

  /** Learns from the answer to the first request what the others will need. */
  learn(response: HttpResponse): void {
    const challenges = parseChallenges(header(response, 'www-authenticate') ?? '');
    this.#scheme = this.#schemeOf(challenges) ?? this.#scheme;
  }

  /** The Authorization header for a request, as far as is known what is wanted. */
  async authorization(wanted: Permission, signal: AbortSignal): Promise<string | undefined> {
    const scheme = this.#exceptions.get(String(wanted.scopes)) ?? this.#scheme;
    const scopes = this.#knownScopes(wanted) ?? (await this.#sharedScopes(wanted));
    try {
      return await this.#authorizationBy(scheme, { ...wanted, scopes }, signal);
    } catch (error) {
      if (scopes === wanted.scopes || scopes !== wanted.shared) throw error;
      if (!isError(error, 'UNAUTHORIZED', 'REJECTED', 'NOT_FOUND')) throw error;
      this.#unshare(wanted);
      return this.#authorizationBy(scheme, wanted, signal);
    }
  }

  /** The scopes to ask for; `undefined`: perhaps those of a shared token. */
  #knownScopes({ scopes, shared }: Permission): readonly string[] | undefined {
    const key = String(scopes);
    const known = this.#widened.get(key);
    if (known !== undefined || shared === undefined) return known ?? scopes;
    return this.#sharing === false || this.#unshared.has(key) ? scopes : undefined;
  }

  async #sharedScopes({ scopes, shared, repository }: Permission): Promise<readonly string[]> {
    const credentials = await this.#settings.credentials(repository);
    const isPerRepository = credentials.kind === 'identity-token' && credentials.isPerRepository;
    return isPerRepository === true ? scopes : (shared ?? scopes);
  }

  /** A request with these scopes was let in. */
  noteLetIn({ scopes, shared }: Permission): void {
    if (shared !== undefined && !this.#unshared.has(String(scopes))) this.#sharing ??= true;
  }

  /**
   * The header that answers a 401 to a request that carried `refused`. `undefined` when there is
   * nothing better to say.
   */
  async answer(
    response: HttpResponse,
    wanted: Permission,
    refused: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(header(response, 'www-authenticate') ?? '');
    const scheme = this.#schemeOf(challenges);
    if (scheme === undefined) return undefined;
    if (scheme.kind === 'basic' && refused?.startsWith('Basic ')) return undefined;
    this.#rememberScheme(scheme, wanted.scopes);
    const used = this.#knownScopes(wanted) ?? (await this.#sharedScopes(wanted));
    // A token for all that is too narrow here does for the others.
    const isGood = used === wanted.shared && isTooNarrow(challenges);
    if (scheme.kind === 'bearer' && !isGood)
      await this.#drop(scheme, { ...wanted, scopes: used }, refused);
    const scopes = this.#nextScopes(wanted, used, challenges);
    const better = await this.#authorizationBy(scheme, { ...wanted, scopes }, signal);
    return better === refused ? undefined : better;
  }

  async #drop(
    scheme: Extract<Scheme, { kind: 'bearer' }>,
    wanted: Permission,
    refused: string | undefined,
  ): Promise<void> {
    if (!refused?.startsWith('Bearer ')) return;
    const request = await this.#tokenRequest(scheme, wanted);
    await this.#settings.tokens.drop(request, refused.slice('Bearer '.length));
  }

  /** A token for all repositories does not do here; where it has never done, it does nowhere. */
  #unshare({ scopes }: Permission): void {
    if (this.#sharing === undefined) this.#sharing = false;
    this.#unshared.add(String(scopes));
  }

  /** How requests for these scopes are to be authorised, so that the next one does it at once. */
  #rememberScheme(scheme: Scheme, wanted: readonly string[]): void {
    if (this.#scheme.kind === 'none') this.#scheme = scheme;
    else if (!isSame(scheme, this.#scheme)) this.#exceptions.set(String(wanted), scheme);
  }

  /** What to ask for after a token for `used` was refused. */
  #nextScopes(
    wanted: Permission,
    used: readonly string[],
    challenges: readonly Challenge[],
  ): readonly string[] {
    if (used === wanted.shared) {
      // Expired, where it has done before; else some say no more than «no» to what is too narrow.
      if (!isTooNarrow(challenges) && this.#sharing === true) return used;
      this.#unshare(wanted);
    }
    const key = String(wanted.scopes);
    const scopes = withAsked(this.#widened.get(key) ?? wanted.scopes, challenges);
    if (scopes.length > wanted.scopes.length) this.#widened.set(key, scopes);
    return scopes;
  }

  /**
   * Learns from the answer to a name and a password whether they are right. One repository may
   * refuse what others accept, so after a refusal `probe` asks for what everybody with a login may.
   */
  async judge(
    { status }: Pick<HttpResponse, 'status'>,
    { repository }: Permission,
    probe: () => Promise<number>,
  ): Promise<void> {
    const { tokens } = this.#settings;
    const credentials = await this.#settings.credentials(repository);
    if (tokens.refused.isAccepted(this.origin, credentials)) return;
    const judged = status === 401 ? await probe() : status;
    if (judged === 401) {
      const message = `${this.origin}: credentials are refused (401); used ${credentials.from}`;
      const refusal = new RegistrySyncError('UNAUTHORIZED', message, { details: { status } });
      tokens.refused.noteRefused(this.origin, credentials, refusal);
    } else if (judged !== 429 && judged < 500) {
      tokens.refused.noteAccepted(this.origin, credentials);
    }
  }

  async #authorizationBy(
    scheme: Scheme,
    wanted: Permission,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const credentials = await this.#settings.credentials(wanted.repository);
    if (credentials.kind === 'bearer') return `Bearer ${credentials.token}`;
    if (scheme.kind === 'none') return undefined;
    if (scheme.kind === 'basic') {
      this.#settings.tokens.refused.check(this.origin, credentials);
      return basicAuthorization(credentials);
    }
    const token = await this.#settings.tokens.get(await this.#tokenRequest(scheme, wanted), signal);
    return `Bearer ${token}`;
  }

  async #tokenRequest(
    { realm, service }: Extract<Scheme, { kind: 'bearer' }>,
    { repository, scopes }: Permission,
  ): Promise<TokenRequest> {
    const credentials = await this.#settings.credentials(repository);
    return { realm, service, scopes, credentials };
  }

  /** Bearer where it is offered and can be had, else Basic. */
  #schemeOf(challenges: readonly Challenge[]): Scheme | undefined {
    const bearer = challenges.find(
      ({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'),
    );
    if (bearer !== undefined) {
      const realm = resolveRealm(bearer.parameters.get('realm') ?? '', this.origin);
      return { kind: 'bearer', realm, service: bearer.parameters.get('service') };
    }
    return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
  }
}

function isSame(a: Scheme, b: Scheme): boolean {
  if (a.kind !== 'bearer' || b.kind !== 'bearer') return a.kind === b.kind;
  return a.realm.href === b.realm.href && a.service === b.service;
}

function isTooNarrow(challenges: readonly Challenge[]): boolean {
  return challenges.some(({ parameters }) => parameters.get('error') === 'insufficient_scope');
}

/** A registry that finds a token too narrow says which scope it wants. Forgejo's `*` says nothing. */
function withAsked(scopes: readonly string[], challenges: readonly Challenge[]): readonly string[] {
  const asked = challenges
    .filter(({ parameters }) => parameters.get('error') === 'insufficient_scope')
    .flatMap(({ parameters }) => (parameters.get('scope') ?? '').split(' '))
    .filter((scope) => /^[a-z]+(\([a-z]+\))?:[^:]+:/.test(scope));
  return [...new Set([...scopes, ...asked])];
}

/**
 * Adds Authorization to requests to the registry's own origin and to no other, and answers one 401.
 * It belongs inside of `withRedirects`.
 */
export function withAuthorization(authorizer: Authorizer, wanted: Permission): Wrap {
  return (send) => async (request) => {
    if (request.url.origin !== authorizer.origin) return send(request);
    const { signal } = request;
    const authorized = async (authorization: string | undefined): Promise<HttpResponse> => {
      if (authorization === undefined) return send(request);
      const headers = { ...request.headers, authorization };
      const response = await send({ ...request, headers });
      if (authorization.startsWith('Basic ')) {
        await authorizer.judge(response, wanted, async () => {
          const url = endpoints.ping(authorizer.origin);
          const probe = await send({ method: 'GET', url, headers: { authorization }, signal });
          await discard(probe);
          return probe.status;
        });
      }
      return response;
    };
    const first = await authorizer.authorization(wanted, signal);
    const response = await authorized(first);
    if (response.status !== 401) {
      if (response.status < 400) authorizer.noteLetIn(wanted);
      return response;
    }
    const better = await authorizer.answer(response, wanted, first, signal);
    if (better === undefined) return response;
    await discard(response);
    return authorized(better);
  };
}
