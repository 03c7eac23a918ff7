/** Pushes built images to a registry by plain HTTP: what a test starts from must not be our own work. */
import type { BuiltBlob, BuiltImage, BuiltManifest } from './images.ts';

/** Puts an image under a tag, with everything it needs. `origin` is `http://host:port`. */
export async function push(
  origin: string,
  repository: string,
  tag: string,
  image: BuiltImage,
): Promise<void> {
  const base = `${origin}/v2/${repository}`;
  await Promise.all(image.blobs.filter(({ urls }) => !urls).map((blob) => pushBlob(base, blob)));
  for (const manifest of image.manifests) await pushManifest(base, manifest.digest, manifest);
  await pushManifest(base, tag, image.root);
}

async function pushBlob(base: string, { digest, bytes }: BuiltBlob): Promise<void> {
  const there = await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' });
  if (there.ok) return;
  const started = await expect(202, `${base}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(started.headers.get('location') ?? '', base);
  location.searchParams.append('digest', digest);
  await expect(201, location.href, { method: 'PUT', body: new Uint8Array(bytes) });
}

async function pushManifest(
  base: string,
  reference: string,
  manifest: BuiltManifest,
): Promise<void> {
  const headers = { 'content-type': manifest.mediaType };
  const body = new Uint8Array(manifest.bytes);
  await expect(201, `${base}/manifests/${reference}`, { method: 'PUT', headers, body });
}

async function expect(status: number, url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status === status) return response;
  throw new Error(`${init.method} ${url}: ${response.status} ${await response.text()}`);
}
