/**
 * A token server whose tokens docker-registry takes: RS256, the key by its certificate in `x5c`.
 *
 * Sources: https://distribution.github.io/distribution/spec/auth/token/ (GET),
 * https://distribution.github.io/distribution/spec/auth/oauth/ (POST),
 * https://distribution.github.io/distribution/spec/auth/jwt/ (what is in a token).
 */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

import type { TokenAuth } from './docker-registry.ts';
import { tempDir } from './temp-dir.ts';
import { createSigningKey, serveLoopback, type KeyPair } from './tls.ts';

/** What may be done with the resources whose whole name the pattern matches. */
export interface Grant {
  /** `registry` with the name `catalog` and the action `*` is the list of repositories. */
  readonly type?: 'repository' | 'registry';
  readonly name: RegExp;
  /** `pull`, `push`, `delete`, `*`. */
  readonly actions: readonly string[];
}

export interface TokenUser {
  readonly password: string;
  readonly grants: readonly Grant[];
}

export interface TokenServerOptions {
  readonly users: Readonly<Record<string, TokenUser>>;
  /** What may be done without credentials; nothing unless given. */
  readonly anonymous?: readonly Grant[];
  /**
   * Seconds, 300 unless given: what the answer says and what holds. docker-registry takes a token
   * until 60 seconds after its end, so one that it must refuse from the start needs less than -60.
   */
  readonly expiresIn?: number;
  /** `false`: POST is answered with 405, as by servers that know only GET. */
  readonly form?: boolean;
  readonly tls?: KeyPair;
}

/** One request for a token, in the order of arrival. */
export interface TokenRequest {
  readonly method: string;
  readonly grant: 'anonymous' | 'basic' | 'password' | 'refresh_token' | 'unknown';
  /** `undefined`: anonymous, or the refresh token is none of ours. */
  readonly user: string | undefined;
  readonly service: string | undefined;
  /** As they were asked for, one resource each. */
  readonly scopes: readonly string[];
  readonly status: number;
}

export interface TokenServer extends AsyncDisposable {
  /** Where tokens are had; GET and POST. */
  readonly realm: string;
  /** For `startDockerRegistry`: makes it send its clients here. */
  readonly auth: TokenAuth;
  readonly requests: readonly TokenRequest[];
  /** A refresh token for `user`, as one had by an earlier login. */
  refreshTokenOf(user: string): string;
  close(): Promise<void>;
}

const SERVICE = 'registry-sync test registry';
const ISSUER = 'registry-sync test issuer';
const EXPIRES_IN_SECONDS = 300;

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** A request as it was meant, whichever of the two forms it came in. */
interface Claim extends Omit<TokenRequest, 'status'> {
  readonly password?: string | undefined;
  readonly isOffline: boolean;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** Starts a token server with a signing key of its own. */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const keys = await tempDir();
  const pair = await createSigningKey(keys.path);
  const issue = await signer(pair, options.expiresIn ?? EXPIRES_IN_SECONDS);
  const refreshTokens = new Map<string, string>(); // to the user's name
  const requests: TokenRequest[] = [];

  function refreshTokenOf(user: string): string {
    const token = `refresh-${randomUUID()}`;
    refreshTokens.set(token, user);
    return token;
  }

  function answer(claim: Claim): Answer {
    if (claim.method === 'POST' && options.form === false) return refusal(405, 'UNSUPPORTED');
    if (claim.grant === 'unknown') return refusal(400, 'UNSUPPORTED');
    if (!isAuthentic(claim, options.users)) return refusal(401, 'UNAUTHORIZED');
    const grants = claim.user === undefined ? options.anonymous : options.users[claim.user]?.grants;
    const access = claim.scopes.flatMap((scope) => accessOf(scope, grants ?? []));
    const body = issue(claim.user ?? '', access);
    const isRefreshable = claim.isOffline && claim.user !== undefined;
    return {
      status: 200,
      body: isRefreshable ? { ...body, refresh_token: refreshTokenOf(claim.user) } : body,
    };
  }

  const { origin, close } = await serveLoopback(async (request, response) => {
    const { password, isOffline, ...claim } = await readClaim(request, refreshTokens);
    const { status, body } = answer({ ...claim, password, isOffline });
    requests.push({ ...claim, status });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }, options.tls);

  const realm = `${origin}/token`;
  async function stop(): Promise<void> {
    await close();
    await keys[Symbol.asyncDispose]();
  }
  return {
    realm,
    auth: { realm, service: SERVICE, issuer: ISSUER, rootcertbundle: pair.cert },
    requests,
    refreshTokenOf,
    close: stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function readClaim(
  request: IncomingMessage,
  refreshTokens: ReadonlyMap<string, string>,
): Promise<Claim> {
  const { method = '' } = request;
  if (method === 'POST') return formClaim(new URLSearchParams(await text(request)), refreshTokens);
  const query = new URL(request.url ?? '', 'http://127.0.0.1').searchParams;
  const [, basic] = /^Basic (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const [user, ...password] = Buffer.from(basic ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return {
    method,
    grant: basic === undefined ? 'anonymous' : 'basic',
    user: basic === undefined ? undefined : user,
    password: password.join(':'),
    service: query.get('service') ?? undefined,
    scopes: query.getAll('scope').flatMap((scope) => scope.split(' ')),
    isOffline: query.get('offline_token') === 'true',
  };
}

function formClaim(form: URLSearchParams, refreshTokens: ReadonlyMap<string, string>): Claim {
  const kind = form.get('grant_type');
  const grant = kind === 'password' || kind === 'refresh_token' ? kind : 'unknown';
  const refreshToken = form.get('refresh_token') ?? '';
  return {
    method: 'POST',
    grant,
    user:
      grant === 'password' ? (form.get('username') ?? undefined) : refreshTokens.get(refreshToken),
    password: form.get('password') ?? undefined,
    service: form.get('service') ?? undefined,
    scopes: (form.get('scope') ?? '').split(' ').filter((scope) => scope !== ''),
    isOffline: form.get('access_type') === 'offline',
  };
}

function isAuthentic(claim: Claim, users: Readonly<Record<string, TokenUser>>): boolean {
  if (claim.grant === 'anonymous') return true;
  const user = claim.user === undefined ? undefined : users[claim.user];
  return (
    user !== undefined && (claim.grant === 'refresh_token' || claim.password === user.password)
  );
}

/** What of `scope` is granted; no element when nothing is. */
function accessOf(scope: string, grants: readonly Grant[]): Access[] {
  const [, type = '', name = '', asked = ''] = /^([^:(]+)[^:]*:(.*):([^:]*)$/.exec(scope) ?? [];
  const actions = asked
    .split(',')
    .filter((action) => grants.some((grant) => isGranted(grant, type, name, action)));
  return actions.length === 0 ? [] : [{ type, name, actions }];
}

function isGranted(grant: Grant, type: string, name: string, action: string): boolean {
  const isWhole = new RegExp(`^(?:${grant.name.source})$`, grant.name.flags).test(name);
  return (grant.type ?? 'repository') === type && isWhole && grant.actions.includes(action);
}

function refusal(status: number, code: string): Answer {
  return { status, body: { errors: [{ code, message: 'the token server refuses' }] } };
}

/** Makes answers, each with a token that holds from now on. */
async function signer(
  pair: KeyPair,
  expiresIn: number,
): Promise<(subject: string, access: readonly Access[]) => object> {
  const key = await readFile(pair.key);
  const certificate = new X509Certificate(await readFile(pair.cert)).raw.toString('base64');
  const header = encode({ typ: 'JWT', alg: 'RS256', x5c: [certificate] });
  return (subject, access) => {
    const now = Math.floor(Date.now() / 1000);
    const validity = { iat: now, nbf: now - 1, exp: now + expiresIn };
    const claims = {
      iss: ISSUER,
      aud: SERVICE,
      sub: subject,
      jti: randomUUID(),
      ...validity,
      access,
    };
    const signed = `${header}.${encode(claims)}`;
    const token = `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
    return {
      token,
      access_token: token,
      expires_in: expiresIn,
      issued_at: new Date(now * 1000).toISOString(),
    };
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
