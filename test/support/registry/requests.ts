/**
 * Requests to an emulated registry as a plain client would make them, for tests without a client.
 */
import type { BuiltImage, BuiltManifest } from '../images.ts';
import type { Registry } from './registry.ts';
import { digestOf } from './store.ts';

/** One request; redirects are not followed. */
export function ask(registry: Registry, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(path, registry.url), { redirect: 'manual', ...init });
}

/** Where the answer says to go on. */
export function locationOf(response: Response): string {
  return response.headers.get('location') ?? '';
}

/** The complaints in a refusal, without their messages. */
export async function errorsOf(response: Response): Promise<{ code: string; detail: unknown }[]> {
  const { errors } = (await response.json()) as { errors: { code: string; detail: unknown }[] };
  return errors.map(({ code, detail }) => ({ code, detail }));
}

/** Uploads as skopeo does: POST, PATCH, PUT. Gives the last answer. */
export async function pushBlob(registry: Registry, name: string, bytes: Buffer): Promise<Response> {
  const begun = await ask(registry, `/v2/${name}/blobs/uploads/`, { method: 'POST' });
  const body = new Uint8Array(bytes);
  const sent = await ask(registry, locationOf(begun), { method: 'PATCH', body });
  const last = `${locationOf(sent)}&digest=${digestOf(bytes)}`;
  return ask(registry, last, { method: 'PUT' });
}

export function putManifest(
  registry: Registry,
  path: string,
  { mediaType, bytes }: BuiltManifest,
): Promise<Response> {
  const headers = { 'content-type': mediaType };
  return ask(registry, path, { method: 'PUT', headers, body: new Uint8Array(bytes) });
}

/** Pushes everything by digest. Throws at the first refusal. */
export async function pushImage(
  registry: Registry,
  name: string,
  image: BuiltImage,
): Promise<void> {
  for (const { bytes } of image.blobs) refuseRefusal(await pushBlob(registry, name, bytes));
  for (const manifest of [...image.manifests, image.root]) {
    const path = `/v2/${name}/manifests/${manifest.digest}`;
    refuseRefusal(await putManifest(registry, path, manifest));
  }
}

function refuseRefusal({ status, url }: Response): void {
  if (status !== 201) throw new Error(`${status} from ${url}`);
}
