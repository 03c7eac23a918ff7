/** Requests to an emulated Docker Hub as a plain client would make them, for tests without a client. */
import type { DockerHub } from './docker-hub.ts';

export interface HubRequest {
  readonly method?: string;
  /** The whole header. */
  readonly authorization?: string;
}

/** One request to the registry; redirects are not followed. */
export function askHub(
  hub: DockerHub,
  path: string,
  { method = 'GET', authorization }: HubRequest = {},
): Promise<Response> {
  const headers = authorization === undefined ? {} : { authorization };
  return fetch(new URL(path, hub.urls.registry), { method, headers, redirect: 'manual' });
}

/** The answer of the token server; `login` is `name:password`. */
export async function hubToken(hub: DockerHub, scope: string, login?: string): Promise<Response> {
  const url = new URL('/token', hub.urls.auth);
  const scopes = scope.split(' ').map((one): [string, string] => ['scope', one]);
  url.search = new URLSearchParams([['service', 'registry.docker.io'], ...scopes]).toString();
  const basic = `Basic ${Buffer.from(login ?? '').toString('base64')}`;
  return await fetch(url, { headers: login === undefined ? {} : { authorization: basic } });
}

/** A token as a header. */
export async function hubBearer(hub: DockerHub, scope: string, login?: string): Promise<string> {
  const { token } = (await (await hubToken(hub, scope, login)).json()) as { token: string };
  return `Bearer ${token}`;
}
