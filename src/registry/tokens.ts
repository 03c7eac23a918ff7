/**
 * Bearer tokens: asked for once per registry, credentials and scope, and renewed early.
 *
 * Sources: https://distribution.github.io/distribution/spec/auth/token/ and …/spec/auth/oauth/.
 */
import { LRUCache } from 'lru-cache';

import type { Clock } from '../base/clock.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { isObject } from '../image/descriptor.ts';
import { isPrivateHost, resolveHop } from '../http/origin.ts';
import { discard, readBody, type HttpResponse, type Send } from '../http/send.ts';
import { basicAuthorization, RefusedCredentials } from './basic.ts';
import type { Credentials } from './credentials.ts';
import { expiryOf } from './jwt.ts';
import { responseError } from './response-error.ts';

/** What a token is asked for. */
export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials;
}

interface Token {
  readonly value: string;
  /** Milliseconds since the epoch, by our own clock. */
  readonly renewAt: number;
}

interface Asked {
  readonly token: Promise<Token>;
  /** Of the caller who asked first. */
  readonly signal: AbortSignal;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
const MAX_TOKENS = 2000; // a run over more repositories asks again
const DEFAULT_LIFE_MS = 60_000; // what the specification says of a missing expires_in
/** A token is renewed when a tenth of its life is left: never while a request is under way with it. */
const USED_SHARE = 0.9;

export class TokenCache {
  readonly #send: Send;
  readonly #clock: Clock;
  readonly #hide: (secret: string) => void;
  readonly #tokens = new LRUCache<string, Asked>({ max: MAX_TOKENS });
  /** Credentials that are not shown to a token server, or to a registry, again. */
  readonly refused = new RefusedCredentials();

  /** `send` neither follows redirects nor authorises. */
  constructor(send: Send, clock: Clock, hide: (secret: string) => void = () => {}) {
    this.#send = send;
    this.#clock = clock;
    this.#hide = hide;
  }

  /**
   * A token that is good for a while; callers that ask for the same one at the same time share a
   * request.
   *
   * @throws {RegistrySyncError} `UNAUTHORIZED` when the token server refuses the credentials.
   */
  async get(request: TokenRequest, signal: AbortSignal): Promise<string> {
    const key = keyOf(request);
    const known = this.#tokens.get(key);
    const token = await known?.token.catch(() => undefined);
    if (token !== undefined && token.renewAt > this.#clock.now()) return token.value;
    // Somebody else may have begun to renew it while we looked.
    let renewed = this.#tokens.get(key);
    if (renewed === undefined || renewed === known) {
      renewed = { token: this.#fetch(request, signal), signal };
      this.#tokens.set(key, renewed);
    }
    try {
      return (await renewed.token).value;
    } catch (error) {
      // Who asked first was stopped; that is no answer to us.
      if (renewed.signal.aborted && !signal.aborted) return this.get(request, signal);
      throw error;
    }
  }

  /** Forgets a token that a registry has refused, unless it has been replaced meanwhile. */
  async drop(request: TokenRequest, refused: string): Promise<void> {
    const key = keyOf(request);
    const known = this.#tokens.get(key);
    const token = await known?.token.catch(() => undefined);
    if (token?.value === refused && this.#tokens.get(key) === known) this.#tokens.delete(key);
  }

  async #fetch(request: TokenRequest, signal: AbortSignal): Promise<Token> {
    const { credentials, realm } = request;
    this.refused.check(realm.origin, credentials);
    const asked = this.#clock.now();
    let response: HttpResponse;
    if (credentials.kind === 'identity-token') {
      response = await this.#post(request, credentials.token, signal);
      if ([400, 401, 404, 405].includes(response.status)) {
        await discard(response); // servers without OAuth2 take the token as a password
        response = await this.#get(request, signal);
      }
    } else {
      response = await this.#get(request, signal);
    }
    if (response.status === 200) {
      const token = await readToken(response, asked, realm);
      this.#hide(token.value);
      this.refused.noteAccepted(realm.origin, credentials);
      return token;
    }
    const what = `token from ${realm.host} with ${credentials.from}`;
    const error = await responseError({ method: 'GET', url: realm }, response, what);
    if (response.status === 401) await this.#judge(request, error, signal);
    throw error;
  }

  /** A refusal may be of the scope. A token for nothing is refused to none but a wrong login. */
  async #judge(
    request: TokenRequest,
    refusal: RegistrySyncError,
    signal: AbortSignal,
  ): Promise<void> {
    const { credentials, realm } = request;
    if (this.refused.isAccepted(realm.origin, credentials)) return;
    const probe = await this.#get({ ...request, scopes: [] }, signal);
    await discard(probe);
    if (probe.status === 401) this.refused.noteRefused(realm.origin, credentials, refusal);
    else if (probe.status === 200) this.refused.noteAccepted(realm.origin, credentials);
  }

  #get({ realm, service, scopes, credentials }: TokenRequest, signal: AbortSignal) {
    const url = new URL(realm); // with its own query: some realms have one
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    const authorization = basicAuthorization(credentials);
    const headers = authorization === undefined ? {} : { authorization };
    return this.#send({ method: 'GET', url, headers, gather: MAX_TOKEN_BYTES, signal });
  }

  #post({ realm, service, scopes }: TokenRequest, refreshToken: string, signal: AbortSignal) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'registry-sync',
      refresh_token: refreshToken,
    });
    if (service !== undefined) form.set('service', service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(form.toString());
    const gather = MAX_TOKEN_BYTES;
    return this.#send({ method: 'POST', url: realm, headers, body, gather, signal });
  }
}

/**
 * Where tokens are had for the registry at `origin`. Other hosts than the registry's own must be
 * reached by TLS: they get credentials.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when `realm` is no place that credentials may go to.
 */
export function resolveRealm(realm: string, origin: string): URL {
  const registry = new URL(origin);
  const url = resolveHop(realm, registry, 'a token realm');
  const near = url.hostname === registry.hostname || isPrivateHost(url.hostname);
  if (url.protocol === 'http:' && !near) {
    const message = `${registry.host} sent a token realm on ${url.host} without TLS: not asked`;
    throw new RegistrySyncError('PROTOCOL', message);
  }
  return url;
}

function keyOf({ realm, service, scopes, credentials }: TokenRequest): string {
  const who =
    credentials.kind === 'anonymous' ? '' : `${credentials.from} ${identity(credentials)}`;
  return JSON.stringify([realm.href, service, [...scopes].toSorted(), who]);
}

function identity(credentials: Exclude<Credentials, { kind: 'anonymous' }>): string {
  return credentials.kind === 'basic' ? credentials.username : credentials.token;
}

async function readToken(response: HttpResponse, asked: number, realm: URL): Promise<Token> {
  const bytes = await readBody(response, MAX_TOKEN_BYTES, `token from ${realm.host}`);
  const json = parse(bytes);
  const value = json.token || json.access_token;
  if (typeof value !== 'string') {
    const message = `${realm.host} answered a request for a token with something else`;
    throw new RegistrySyncError('PROTOCOL', message);
  }
  const lifeMs = lifeOf(json.expires_in, value, asked);
  return { value, renewAt: asked + lifeMs * USED_SHARE };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return isObject(json) ? json : {};
  } catch {
    return {}; // a login page, sent with 200
  }
}

/** What the server says, or what the token itself says (ACR says only that). */
function lifeOf(expiresIn: unknown, token: string, now: number): number {
  const seconds = Number(expiresIn);
  if (expiresIn !== undefined && seconds > 0) return seconds * 1000;
  const expires = expiryOf(token) ?? 0;
  return expires > now ? expires - now : DEFAULT_LIFE_MS;
}
