/**
 * Where tokens are had: `/oauth2/exchange` and `/oauth2/token`.
 *
 * Sources: https://github.com/Azure/acr docs/AAD-OAuth.md, docs/Token-BasicAuth.md; recordings
 * published with Azure/azure-sdk-for-go.
 */
import type { Exchange } from '../registry/listener.ts';
import { json, refusal, type Reply } from '../registry/reply.ts';
import { formatScope, type Scope } from '../registry/scopes.ts';
import { MORE_INFORMATION, silent } from './answers.ts';
import type { People } from './people.ts';
import { scopesIn } from './rights.ts';
import type { AcrTokens, Identity } from './tokens.ts';

/** One request for a token, in the order of arrival. */
export interface AcrTokenRequest {
  readonly kind: 'exchange' | 'token';
  readonly method: string;
  /** As in the form; `basic` or `anonymous` for GET. */
  readonly grantType: string;
  readonly service: string;
  /** As asked for, one resource each. */
  readonly scopes: readonly string[];
  /** As granted. */
  readonly granted: readonly string[];
  /** Who it was; `undefined` when refused, empty when anonymous. */
  readonly subject: string | undefined;
  readonly status: number;
}

export interface OAuthOptions {
  readonly people: People;
  readonly tokens: AcrTokens;
  readonly tokenRequests: AcrTokenRequest[];
}

const EXCHANGES = new Set(['access_token', 'access_token_refresh_token', 'refresh_token']);

/** The handler of `/oauth2/…`; `registry` is the registry's own name. */
export async function answerOAuth(
  options: OAuthOptions,
  exchange: Exchange,
  registry: string,
): Promise<Reply> {
  const kind = exchange.url.pathname.slice('/oauth2/'.length);
  const { method } = exchange;
  if (kind === 'exchange' && method === 'POST') return await trade(options, exchange, registry);
  if (kind === 'token' && (method === 'POST' || method === 'GET')) {
    return await issue(options, exchange, registry);
  }
  return silent(kind === 'exchange' || kind === 'token' ? 405 : 404);
}

/** A token of Entra ID for a refresh token. */
async function trade(options: OAuthOptions, exchange: Exchange, registry: string): Promise<Reply> {
  const form = await formOf(exchange);
  const grantType = form.get('grant_type') ?? '';
  const service = form.get('service') ?? '';
  const identity =
    EXCHANGES.has(grantType) && service === registry
      ? exchanged(options, form, registry)
      : undefined;
  const status = identity === undefined ? 401 : 200;
  const subject = identity?.subject;
  const asked = { kind: 'exchange', method: 'POST', grantType, service } as const;
  options.tokenRequests.push({ ...asked, scopes: [], granted: [], subject, status });
  if (identity === undefined) return silent(401);
  return json(200, { refresh_token: options.tokens.issueRefresh(identity, registry) });
}

function exchanged(
  { people, tokens }: OAuthOptions,
  form: URLSearchParams,
  registry: string,
): Identity | undefined {
  if (form.get('grant_type') === 'refresh_token') {
    return tokens.identityOf(form.get('refresh_token') ?? '', registry);
  }
  return people.byAadToken(form.get('access_token') ?? '', form.get('tenant'));
}

/** Whatever shows who somebody is, for an access token. */
async function issue(options: OAuthOptions, exchange: Exchange, registry: string): Promise<Reply> {
  const { method, url } = exchange;
  const parameters = method === 'POST' ? await formOf(exchange) : url.searchParams;
  const service = parameters.get('service') ?? '';
  const asked = scopesIn(parameters);
  const identity =
    service === registry ? whoAsks(options, exchange, { parameters, registry }) : undefined;
  const access = identity && options.tokens.issueAccess(identity, registry, asked);
  options.tokenRequests.push({
    kind: 'token',
    method,
    grantType: grantTypeOf(exchange, parameters),
    service,
    scopes: asked.map(formatScope),
    granted: (access?.scopes ?? []).map(formatScope),
    subject: identity?.subject,
    status: access === undefined ? 401 : 200,
  });
  if (identity === undefined || access === undefined) return refused(method, asked);
  const refresh = refreshAnswer(options, identity, { parameters, registry });
  return json(200, { access_token: access.token, ...refresh });
}

function grantTypeOf({ method, headers }: Exchange, parameters: URLSearchParams): string {
  if (method === 'POST') return parameters.get('grant_type') ?? '';
  return headers.authorization === undefined ? 'anonymous' : 'basic';
}

/** What `docker login` alone asks for, to keep it as the identity token. */
function refreshAnswer(
  { tokens }: OAuthOptions,
  identity: Identity,
  { parameters, registry }: { parameters: URLSearchParams; registry: string },
): object {
  const isOffline = parameters.get('access_type') === 'offline' && identity.subject !== '';
  return isOffline ? { refresh_token: tokens.issueRefresh(identity, registry) } : {};
}

function whoAsks(
  { people, tokens }: OAuthOptions,
  { method, headers }: Exchange,
  { parameters, registry }: { parameters: URLSearchParams; registry: string },
): Identity | undefined {
  if (method === 'GET') {
    if (headers.authorization === undefined) return people.anybody();
    return people.byBasic(headers.authorization, registry);
  }
  const grantType = parameters.get('grant_type');
  const refreshToken = parameters.get('refresh_token');
  if (grantType === 'refresh_token') return tokens.identityOf(refreshToken ?? '', registry);
  if (grantType !== 'password') return undefined;
  const name = parameters.get('username');
  if (name === null) return refreshToken === '' ? people.anybody() : undefined;
  return people.byPassword(name, parameters.get('password') ?? '', registry);
}

function refused(method: string, asked: readonly Scope[]): Reply {
  if (method === 'POST') return silent(401);
  const detail = asked.map(({ type, name }) => ({ Type: type, Name: name }));
  return refusal(401, { code: 'UNAUTHORIZED', message: MORE_INFORMATION, detail });
}

async function formOf({ body }: Exchange): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
