/**
 * How an emulated registry asks who is there: Basic, or Bearer with a token endpoint, which is its own
 * or a server of its own.
 *
 * Sources: https://distribution.github.io/distribution/spec/auth/token/ (GET),
 * https://distribution.github.io/distribution/spec/auth/oauth/ (POST).
 */
import { FaultPlan, type Fault } from './faults.ts';
import {
  listen,
  type Exchange,
  type Handler,
  type RequestRecord,
  type TlsKeys,
} from './listener.ts';
import { json, type Reply } from './reply.ts';
import { formatScope, parseScopes } from './scopes.ts';
import {
  ANONYMOUS,
  DEFAULT_SERVICE,
  isPasswordOf,
  TokenIssuer,
  type TokenOptions,
  type Users,
} from './tokens.ts';

export interface BasicAuth {
  readonly scheme: 'basic';
  readonly users: Users;
}

/** Bearer, with tokens from `/token` on the registry's own origin. */
export interface OwnTokenAuth extends TokenOptions {
  readonly scheme: 'bearer';
  /**
   * As Harbor: a password is taken too, and this is the realm of the Basic challenge that whoever
   * showed an Authorization which isn't enough meets, and the catalog always.
   */
  readonly basicToo?: string;
}

/** Bearer, with tokens from another server. */
export interface ServerTokenAuth {
  readonly scheme: 'bearer';
  readonly server: TokenServer;
  /** Whom tokens must be for; the server's service unless given. */
  readonly service?: string;
  /** The realm that challenges name; the server's URL unless given. */
  readonly realm?: URL;
  readonly basicToo?: string;
}

export type AuthOptions = BasicAuth | OwnTokenAuth | ServerTokenAuth;

/** One request for a token, in the order of arrival. */
export interface TokenRequest {
  readonly method: string;
  readonly authorization: string | undefined;
  readonly service: string;
  /** As asked for, one resource each. */
  readonly scopes: readonly string[];
  /** As granted. */
  readonly granted: readonly string[];
  /** Who it was; `undefined` when refused, empty when anonymous. */
  readonly user: string | undefined;
  /** Query and form: `grant_type`, `account`, `client_id`, … */
  readonly parameters: URLSearchParams;
  readonly status: number;
}

/** Where tokens are had. */
export interface TokenEndpoint {
  readonly issuer: TokenIssuer;
  readonly tokenRequests: TokenRequest[];
  readonly handle: Handler;
}

export interface TokenServer extends TokenEndpoint {
  /** The realm. */
  readonly url: URL;
  readonly requests: RequestRecord[];
  setFaults(faults: readonly Fault[]): void;
  close(): Promise<void>;
}

/** Starts a token server, which any number of registries may send their clients to. */
export async function startTokenServer(
  options: TokenOptions & { readonly tls?: TlsKeys },
): Promise<TokenServer> {
  const endpoint = createTokenEndpoint(options);
  const faults = new FaultPlan();
  const { url, requests, close } = await listen(endpoint.handle, { tls: options.tls, faults });
  const setFaults = (planned: readonly Fault[]): void => faults.set(planned);
  return { ...endpoint, url: new URL('/token', url), requests, setFaults, close };
}

export function createTokenEndpoint(options: TokenOptions): TokenEndpoint {
  const issuer = new TokenIssuer(options);
  const tokenRequests: TokenRequest[] = [];

  async function handle(exchange: Exchange): Promise<Reply> {
    const { method } = exchange;
    const parameters = await parametersOf(exchange);
    const user = method === 'POST' ? formUser(issuer, parameters) : basicUser(issuer, exchange);
    const service = parameters.get('service') ?? '';
    const scopes = parseScopes(parameters.getAll('scope').join(' '));
    const refused = refusalOf(issuer, method, user);
    const grant =
      refused === undefined && user !== undefined ? issuer.issue(user, service, scopes) : undefined;
    tokenRequests.push({
      method,
      authorization: exchange.headers.authorization,
      service,
      scopes: scopes.map(formatScope),
      granted: (grant?.scopes ?? []).map(formatScope),
      user: grant?.user,
      parameters,
      status: refused?.status ?? 200,
    });
    if (grant === undefined) return refused ?? json(500, {});
    return json(200, {
      ...accessAnswer(issuer, grant.token),
      ...refreshAnswer(issuer, grant.user, parameters),
    });
  }

  return { issuer, tokenRequests, handle };
}

/** The user and the password of a Basic header. */
export function readBasic(
  header: string | undefined,
): { name: string; password: string } | undefined {
  const [, encoded] = /^basic ([\w+/=-]+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const [name = '', ...rest] = Buffer.from(encoded, 'base64').toString().split(':');
  return { name, password: rest.join(':') };
}

async function parametersOf({ method, url, body }: Exchange): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  if (method === 'POST') for await (const chunk of body) chunks.push(chunk);
  return new URLSearchParams([
    ...url.searchParams,
    ...new URLSearchParams(Buffer.concat(chunks).toString()),
  ]);
}

function refusalOf(
  issuer: TokenIssuer,
  method: string,
  user: string | undefined,
): Reply | undefined {
  const { refusePost } = issuer.options;
  if (method === 'POST' && refusePost !== undefined)
    return json(refusePost, { details: 'no POST' });
  if (method !== 'GET' && method !== 'POST') return json(405, { details: 'unknown method' });
  if (user === undefined) {
    const status = issuer.options.refusedStatus ?? 401;
    return json(status, { details: 'incorrect username or password' });
  }
  return undefined;
}

function basicUser(issuer: TokenIssuer, { headers }: Exchange): string | undefined {
  const { users, anonymous } = issuer.options;
  if (headers.authorization === undefined) return anonymous && ANONYMOUS;
  const basic = readBasic(headers.authorization);
  if (basic === undefined) return undefined;
  if (basic.name === '<token>') return issuer.userOf(basic.password);
  return isPasswordOf(users, basic.name, basic.password) ? basic.name : undefined;
}

function formUser(issuer: TokenIssuer, form: URLSearchParams): string | undefined {
  const grantType = form.get('grant_type');
  if (grantType === 'refresh_token') return issuer.userOf(form.get('refresh_token') ?? '');
  const name = form.get('username') ?? '';
  const isUser = isPasswordOf(issuer.options.users, name, form.get('password') ?? '');
  return grantType === 'password' && isUser ? name : undefined;
}

function accessAnswer(issuer: TokenIssuer, token: string): Record<string, unknown> {
  const { field = 'both', expiresInSeconds } = issuer.options;
  return {
    ...(field !== 'access_token' && { token }),
    ...(field !== 'token' && { access_token: token }),
    ...(expiresInSeconds !== 'absent' && { expires_in: issuer.lifeSeconds }),
    issued_at: new Date(issuer.now()).toISOString(),
  };
}

/** A refresh token for those who ask for one, in either of the two ways. */
function refreshAnswer(
  issuer: TokenIssuer,
  user: string,
  parameters: URLSearchParams,
): Record<string, unknown> {
  const isAsked =
    parameters.get('access_type') === 'offline' || parameters.get('offline_token') === 'true';
  return isAsked && user !== ANONYMOUS ? { refresh_token: issuer.issueIdentity(user) } : {};
}

/** The service that tokens for a registry are for. */
export function serviceOf(auth: OwnTokenAuth | ServerTokenAuth): string {
  const fallback = 'server' in auth ? auth.server.issuer.options.service : undefined;
  return auth.service ?? fallback ?? DEFAULT_SERVICE;
}
