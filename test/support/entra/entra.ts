/**
 * Entra ID, as far as an application needs it to get a token for itself: by a secret, or by the token
 * of a service account in Kubernetes (workload identity).
 *
 * Sources: Microsoft identity platform, «OAuth 2.0 client credentials flow»; RFC 7523.
 */
import { randomUUID } from 'node:crypto';

import { claimsOf, jwtOf, secondsOf } from '../acr/jwt.ts';
import { FaultPlan, type Fault } from '../registry/faults.ts';
import { listen, type Exchange, type RequestRecord, type TlsKeys } from '../registry/listener.ts';
import { json, type Reply } from '../registry/reply.ts';
import {
  EXPIRED_ASSERTION,
  NO_CREDENTIAL,
  refuse,
  UNKNOWN_ASSERTION,
  unknownClient,
  unknownResource,
  unknownTenant,
  UNSUPPORTED_GRANT,
  WRONG_SCOPE,
  WRONG_SECRET,
  type EntraError,
} from './errors.ts';

/** An application. */
export interface EntraClient {
  readonly secret?: string;
  /** The subject of the service account's token, or that token's whole text. */
  readonly federatedSubject?: string;
}

export interface EntraOptions {
  /** A GUID. */
  readonly tenant: string;
  /** By client id. */
  readonly clients: Readonly<Record<string, EntraClient>>;
  /** Makes it https, which clients insist on. */
  readonly tls?: TlsKeys;
  /** Audiences that the tenant doesn't know, `https://containerregistry.azure.net`. */
  readonly refusedAudiences?: readonly string[];
  /** 3599 unless given. */
  readonly tokenSeconds?: number;
  readonly faults?: readonly Fault[];
  readonly latencyMs?: number;
  /** The clock, in ms; real time unless given. */
  readonly now?: () => number;
}

/** Whom a token is of, and what for. */
export interface EntraHolder {
  readonly clientId: string;
  readonly tenant: string;
  readonly audience: string;
}

/** One request for a token, in the order of arrival. */
export interface EntraTokenRequest {
  readonly clientId: string;
  readonly scope: string;
  readonly credential: 'secret' | 'assertion' | 'none';
  readonly status: number;
  /** The number behind AADSTS, when refused. */
  readonly errorCode: number | undefined;
}

export interface Entra {
  /** Ends in a slash. */
  readonly url: URL;
  /** Everything that was asked, in the order of arrival. */
  readonly requests: RequestRecord[];
  readonly tokenRequests: EntraTokenRequest[];
  /** Whom a token is of, while it holds. */
  holderOf(token: string): EntraHolder | undefined;
  /** A token as a client would get it, without a request. */
  issue(clientId: string, audience: string): string;
  setFaults(faults: readonly Fault[]): void;
  close(): Promise<void>;
}

const AUDIENCE_OF_ASSERTIONS = 'api://AzureADTokenExchange';
const CLOUDS = [
  ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net'],
  ['login.partner.microsoftonline.cn', 'login.chinacloudapi.cn'],
  ['login.microsoftonline.us', 'login.usgovcloudapi.net'],
];

/** Starts it on a free port of 127.0.0.1. */
export async function startEntra(options: EntraOptions): Promise<Entra> {
  const { tls, latencyMs } = options;
  const faults = new FaultPlan();
  faults.set(options.faults ?? []);
  const issuer = new Issuer(options);
  const tokenRequests: EntraTokenRequest[] = [];
  const handle = (exchange: Exchange): Reply | Promise<Reply> =>
    answer(options, issuer, tokenRequests, exchange);
  const { url, requests, close } = await listen(handle, { tls, latencyMs, faults });
  return {
    url,
    requests,
    tokenRequests,
    holderOf: (token) => issuer.holderOf(token),
    issue: (clientId, audience) => issuer.issue(clientId, audience),
    setFaults: (planned) => faults.set(planned),
    close,
  };
}

/** The token that Kubernetes would give a service account; `lifeSeconds` may be negative. */
export function serviceAccountToken(subject: string, lifeSeconds = 3600): string {
  const now = secondsOf(Date.now());
  return jwtOf({
    aud: [AUDIENCE_OF_ASSERTIONS],
    iss: 'https://oidc.test/cluster/',
    sub: subject,
    iat: now,
    nbf: now,
    exp: now + lifeSeconds,
  });
}

class Issuer {
  readonly #options: EntraOptions;
  readonly #issued = new Map<string, EntraHolder & { readonly expiresAtMs: number }>();

  constructor(options: EntraOptions) {
    this.#options = options;
  }

  get lifeSeconds(): number {
    return this.#options.tokenSeconds ?? 3599;
  }

  now(): number {
    return (this.#options.now ?? Date.now)();
  }

  issue(clientId: string, audience: string): string {
    const { tenant } = this.#options;
    const now = this.now();
    const expiresAtMs = now + this.lifeSeconds * 1000;
    const token = jwtOf({
      aud: audience,
      iss: `https://sts.windows.net/${tenant}/`,
      iat: secondsOf(now),
      nbf: secondsOf(now),
      exp: secondsOf(expiresAtMs),
      appid: clientId,
      appidacr: '1',
      idtyp: 'app',
      oid: clientId,
      sub: clientId,
      tid: tenant,
      uti: randomUUID(),
      ver: '1.0',
    });
    this.#issued.set(token, { clientId, tenant, audience, expiresAtMs });
    return token;
  }

  holderOf(token: string): EntraHolder | undefined {
    const issued = this.#issued.get(token);
    if (issued === undefined || issued.expiresAtMs <= this.now()) return undefined;
    const { clientId, tenant, audience } = issued;
    return { clientId, tenant, audience };
  }
}

async function answer(
  options: EntraOptions,
  issuer: Issuer,
  tokenRequests: EntraTokenRequest[],
  exchange: Exchange,
): Promise<Reply> {
  const { url, method, headers } = exchange;
  const origin = `${url.protocol}//${headers.host ?? url.host}`;
  if (url.pathname === '/common/discovery/instance') return instances(options, origin);
  const [, tenant = '', rest] = /^\/([^/]+)\/(.*)$/.exec(url.pathname) ?? [];
  if (tenant !== options.tenant) return refuse(unknownTenant(tenant), issuer.now());
  if (rest === 'v2.0/.well-known/openid-configuration') return configuration(tenant, origin);
  if (rest !== 'oauth2/v2.0/token' || method !== 'POST') return { status: 404 };
  return issueOrRefuse(options, issuer, tokenRequests, await formOf(exchange));
}

function issueOrRefuse(
  options: EntraOptions,
  issuer: Issuer,
  tokenRequests: EntraTokenRequest[],
  form: URLSearchParams,
): Reply {
  const problem = problemOf(options, form, issuer.now());
  const clientId = form.get('client_id') ?? '';
  tokenRequests.push({
    clientId,
    scope: form.get('scope') ?? '',
    credential: credentialOf(form),
    status: problem?.status ?? 200,
    errorCode: problem?.code,
  });
  if (problem !== undefined) return refuse(problem, issuer.now());
  return json(200, {
    token_type: 'Bearer',
    expires_in: issuer.lifeSeconds,
    ext_expires_in: issuer.lifeSeconds,
    access_token: issuer.issue(clientId, audienceOf(form) ?? ''),
  });
}

function instances({ tenant }: EntraOptions, origin: string): Reply {
  return json(200, {
    tenant_discovery_endpoint: `${origin}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: CLOUDS.map((aliases) => ({
      preferred_network: aliases[0],
      preferred_cache: aliases.at(1) ?? aliases[0],
      aliases,
    })),
  });
}

function configuration(tenant: string, origin: string): Reply {
  const base = `${origin}/${tenant}`;
  return json(200, {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: [
      'client_secret_post',
      'private_key_jwt',
      'client_secret_basic',
    ],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    issuer: `${base}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    tenant_region_scope: 'EU',
    cloud_instance_name: 'microsoftonline.com',
  });
}

function problemOf(
  { clients, refusedAudiences = [], tenant }: EntraOptions,
  form: URLSearchParams,
  now: number,
): EntraError | undefined {
  if (form.get('grant_type') !== 'client_credentials') return UNSUPPORTED_GRANT;
  const clientId = form.get('client_id') ?? '';
  const client = Object.hasOwn(clients, clientId) ? clients[clientId] : undefined;
  if (client === undefined) return unknownClient(clientId, tenant);
  const audience = audienceOf(form);
  if (audience === undefined) return WRONG_SCOPE;
  if (refusedAudiences.includes(audience.replace(/\/+$/, ''))) {
    return unknownResource(audience, tenant);
  }
  const secret = form.get('client_secret');
  const assertion = form.get('client_assertion');
  if (secret !== null) return secret === client.secret ? undefined : WRONG_SECRET;
  return assertion === null ? NO_CREDENTIAL : problemOfAssertion(client, assertion, now);
}

function problemOfAssertion(
  { federatedSubject }: EntraClient,
  assertion: string,
  now: number,
): EntraError | undefined {
  if (federatedSubject === undefined) return UNKNOWN_ASSERTION;
  if (assertion === federatedSubject) return undefined;
  const { sub, aud, exp } = claimsOf(assertion) ?? {};
  const isForUs = [aud].flat().includes(AUDIENCE_OF_ASSERTIONS);
  if (sub !== federatedSubject || !isForUs) return UNKNOWN_ASSERTION;
  return typeof exp === 'number' && exp * 1000 <= now ? EXPIRED_ASSERTION : undefined;
}

/** The resource that the scope is for; `undefined` when it is not of the form that is called for. */
function audienceOf(form: URLSearchParams): string | undefined {
  const scopes = (form.get('scope') ?? '').split(' ');
  return scopes.flatMap((scope) => /^(\S+)\/\.default$/.exec(scope)?.[1] ?? []).at(0);
}

function credentialOf(form: URLSearchParams): EntraTokenRequest['credential'] {
  if (form.has('client_secret')) return 'secret';
  return form.has('client_assertion') ? 'assertion' : 'none';
}

async function formOf({ body }: Exchange): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
