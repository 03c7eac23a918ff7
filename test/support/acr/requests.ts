/**
 * Requests to an emulated Azure Container Registry as a plain client would make them, for tests without
 * a client.
 */
import type { BuiltImage } from '../images.ts';
import { digestOf } from '../registry/store.ts';
import type { Acr } from './acr.ts';

/** The password of the user `root`, whom tests let do everything. */
export const ROOT = { name: 'root', password: 'secret' };
export const USERS = { root: { password: ROOT.password } };

/** Basic credentials as a header. */
export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

export interface AskInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | URLSearchParams;
  /** The Authorization; that of `root` unless given, none when `undefined`. */
  readonly as?: string | undefined;
}

/** One request; redirects are not followed. */
export function ask(acr: Pick<Acr, 'url'>, path: string, init: AskInit = {}): Promise<Response> {
  const { method = 'GET', body } = init;
  const authorization = 'as' in init ? init.as : basic(ROOT.name, ROOT.password);
  const headers = { ...init.headers, ...(authorization !== undefined && { authorization }) };
  return fetch(new URL(path, acr.url), {
    redirect: 'manual',
    method,
    headers,
    ...(body !== undefined && { body }),
  });
}

/** A POST for a token. */
export function askForToken(
  acr: Pick<Acr, 'url'>,
  form: Readonly<Record<string, string>>,
  kind = 'token',
): Promise<Response> {
  const body = new URLSearchParams({ service: acr.url.host, ...form });
  return ask(acr, `/oauth2/${kind}`, { method: 'POST', as: undefined, body });
}

/** An access token of a user's, as a header. */
export async function bearer(
  acr: Pick<Acr, 'url'>,
  scope: string,
  user: { readonly name: string; readonly password: string } = ROOT,
): Promise<string> {
  const form = { grant_type: 'password', username: user.name, password: user.password, scope };
  const response = await askForToken(acr, form);
  const { access_token: token } = (await response.json()) as { access_token: string };
  return `Bearer ${token}`;
}

/** Uploads as skopeo does: POST, PATCH, PUT. Gives the last answer. */
export async function pushBlob(acr: Acr, name: string, bytes: Buffer): Promise<Response> {
  const begun = await ask(acr, `/v2/${name}/blobs/uploads/`, { method: 'POST' });
  const body = new Uint8Array(bytes);
  const sent = await ask(acr, locationOf(begun), { method: 'PATCH', body });
  return ask(acr, `${locationOf(sent)}&digest=${digestOf(bytes)}`, { method: 'PUT' });
}

/** Puts the root of an image under a tag or by digest; its blobs must be there. */
export function putManifest(
  acr: Acr,
  name: string,
  reference: string,
  { root }: BuiltImage,
): Promise<Response> {
  return ask(acr, `/v2/${name}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': root.mediaType },
    body: new Uint8Array(root.bytes),
  });
}

/** Where the answer says to go on. */
export function locationOf(response: Response): string {
  return response.headers.get('location') ?? '';
}

/** The status and the code of the first complaint: `404 NAME_UNKNOWN`. */
export async function outcomeOf(response: Response): Promise<string> {
  const text = await response.text();
  const [, code] = /"code":"(\w+)"/.exec(text) ?? [];
  return code === undefined ? String(response.status) : `${response.status} ${code}`;
}

/** The body, read as JSON. */
export async function bodyOf<T>(response: Response): Promise<T> {
  return (await response.json()) as T;
}
