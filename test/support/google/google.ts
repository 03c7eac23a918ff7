/**
 * What Google's registries (gcr.io, pkg.dev) do differently, for the emulated registry.
 *
 * Sources: answers of gcr.io recorded by kubernetes-sigs/promo-tools; go-containerregistry,
 * pkg/v1/google/list.go. Assumed: that a name which leads nowhere is a 404.
 */
import type { Call, Endpoint, RegistryState } from '../registry/endpoint.ts';
import { parsed } from '../registry/manifest-content.ts';
import type { RegistryOptions } from '../registry/registry.ts';
import { json, refusal } from '../registry/reply.ts';
import { NAME, path } from '../registry/routes.ts';
import { blobOf, type StoredManifest, type StoredRepository } from '../registry/store.ts';

/** One entry of `manifest`, by digest. All numbers are strings. */
export interface GoogleManifest {
  /** Of all that the image consists of; 0 for an index. */
  readonly imageSizeBytes: string;
  readonly layerId: string;
  readonly mediaType: string;
  readonly tag: readonly string[];
  /** By the config, in ms; 0 for an index. */
  readonly timeCreatedMs: string;
  readonly timeUploadedMs: string;
}

/** What `tags/list` answers, all at once. */
export interface GoogleTags {
  /** The next component of the names below this one. */
  readonly child: readonly string[];
  readonly manifest: Readonly<Record<string, GoogleManifest>>;
  readonly name: string;
  readonly tags: readonly string[];
}

/** When manifests were uploaded, in ms, by digest. */
export type UploadTimes = ReadonlyMap<string, number>;

const FIRST_UPLOAD_MS = Date.UTC(2024, 0, 1);
const BETWEEN_UPLOADS_MS = 1000;

/** Options of a registry like Google's. Manifests without a time were uploaded one a second from 2024 on. */
export function googleQuirks(uploadedAt: UploadTimes = new Map()): RegistryOptions {
  return {
    mount: 'declined',
    referrersApi: false,
    tagsHoldManifests: true,
    paths: [
      path('/v2/_catalog', { GET: listRoots }),
      path(`/v2/${NAME}/tags/list`, { GET: (state, call) => listAll(state, call, uploadedAt) }),
    ],
  };
}

/** `GET /v2/_catalog`: the first components of all names. */
const listRoots: Endpoint = ({ store }) => {
  const roots = [...store.repositories.keys()].map((name) => name.split('/', 1)[0]);
  return json(200, { repositories: [...new Set(roots)].toSorted() });
};

/** `GET /v2/NAME/tags/list`, whatever `n` says. */
function listAll(
  { store }: RegistryState,
  { name }: Call,
  uploadedAt: UploadTimes,
): ReturnType<Endpoint> {
  const repository = store.repositories.get(name);
  const below = [...store.repositories.keys()]
    .filter((other) => other.startsWith(`${name}/`))
    .map((other) => other.slice(name.length + 1).split('/', 1)[0] ?? '');
  if (repository === undefined && below.length === 0) {
    return refusal(404, { code: 'NAME_UNKNOWN', message: `Repository ${name} not found` });
  }
  const manifests = [...(repository?.manifests ?? [])].map(([digest, manifest], at) => {
    const uploaded = uploadedAt.get(digest) ?? FIRST_UPLOAD_MS + at * BETWEEN_UPLOADS_MS;
    const entry: GoogleManifest = {
      layerId: '',
      mediaType: manifest.mediaType,
      tag: tagsOf(repository, digest),
      ...sizeAndAge(manifest, (config) => blobOf(store, name, config)),
      timeUploadedMs: String(uploaded),
    };
    return [digest, entry] as const;
  });
  const answer: GoogleTags = {
    child: [...new Set(below)].toSorted(),
    manifest: Object.fromEntries(manifests),
    name,
    tags: [...(repository?.tags.keys() ?? [])].toSorted(),
  };
  return json(200, answer);
}

function tagsOf(repository: StoredRepository | undefined, digest: string): string[] {
  const tags = [...(repository?.tags ?? [])].filter(([, of]) => of === digest);
  return tags.map(([tag]) => tag).toSorted();
}

function sizeAndAge(
  { bytes }: StoredManifest,
  blob: (digest: string) => Buffer | undefined,
): Pick<GoogleManifest, 'imageSizeBytes' | 'timeCreatedMs'> {
  const { config, layers = [] } = parsed(bytes) ?? {};
  if (config === undefined) return { imageSizeBytes: '0', timeCreatedMs: '0' };
  const size = [config, ...layers].reduce((sum, part) => sum + part.size, bytes.length);
  const said = parsed(blob(config.digest) ?? Buffer.alloc(0)) as { created?: unknown } | undefined;
  const created = typeof said?.created === 'string' ? Date.parse(said.created) : 0;
  return { imageSizeBytes: String(size), timeCreatedMs: String(created || 0) };
}
