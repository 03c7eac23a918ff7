/**
 * An image in another shape: some platforms of it, another form of manifest, layers compressed
 * otherwise. To those who copy it is a source like any other.
 */
import { RegistrySyncError } from '../base/errors.ts';
import type { Schema1Name } from '../image/convert-schema1.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import type { ImageSource, ManifestForm, SinkLimits } from '../image/source-and-sink.ts';
import { checkCompression, type Compression } from './layer-bytes.ts';
import { LayerFiles } from './layer-files.ts';
import { planCopy } from './plan.ts';
import { isSame, reshape } from './reshape.ts';
import { instanceFor, selectFrom, type Choice } from './select.ts';
import { needsOf, whatChanges, type Needs } from './shape-needs.ts';
import { shapedSource, ShapedSource, type MadeImage } from './shaped-source.ts';
import { onSide } from './side.ts';

export type { Compression } from './layer-bytes.ts';
export type { Choice } from './select.ts';

export interface Shape {
  readonly choice: Choice;
  /** What was asked for; else as it is, or as the sink's limits have it. */
  readonly form?: ManifestForm | undefined;
  /** For layers that are not so already. */
  readonly compression?: Compression | undefined;
  readonly limits?: SinkLimits | undefined;
  /** What would change a digest is an error. */
  readonly preserveDigests: boolean;
  /** For layers that are written anew. */
  readonly tmpdir: string;
  /** The target's name in its registry, which images of schema 1 have in them. */
  readonly name?: Schema1Name | undefined;
}

/**
 * The source in its new shape; the source itself where nothing has to change, so that its bytes and
 * digests stay. Whoever disposes of what comes back disposes of the source too.
 *
 * @throws {RegistrySyncError} `UNSUPPORTED` when the image can't have that shape, or not with its
 * digests; `NOT_FOUND` when it has nothing for a platform.
 */
export async function shaped(
  source: ImageSource,
  shape: Shape,
  signal: AbortSignal,
): Promise<ImageSource> {
  const { choice, form, compression, limits = {} } = shape;
  if (compression !== undefined) checkCompression(compression);
  const { forms, layers, indexes } = limits;
  const asked = [form, compression, forms, layers, indexes];
  if (choice.kind === 'all' && asked.every((one) => one === undefined)) return source;
  return onSide('source', source, () => shapedAs(source, shape, signal));
}

/** New digests by old ones, of manifests and layers; empty where nothing has changed. */
export function changesOf(source: ImageSource): ReadonlyMap<Digest, Digest> {
  return source instanceof ShapedSource ? source.changes : new Map();
}

async function shapedAs(
  source: ImageSource,
  shape: Shape,
  signal: AbortSignal,
): Promise<ImageSource> {
  const given = await source.manifest('root', signal);
  const root = await chosen(source, given, shape.choice, signal);
  checkIndex(root, shape);
  if (shape.choice.kind === 'index-only' && root.manifest.kind === 'index') {
    return indexOnly(source, root, shape);
  }
  const plan = await planCopy(source, root, signal);
  const all = [...plan.children.flat(), root].map((stored) => needsOf(stored, shape));
  checkDigests(given, root, all, shape);
  if (all.every(isSame)) return root === given ? source : shapedSource(source, unchanged(root));
  const files = new LayerFiles(shape.tmpdir);
  try {
    const settings = { source, shape, files, sizes: plan.blobs, signal };
    return shapedSource(source, await reshape(all, settings));
  } catch (error) {
    await files[Symbol.asyncDispose]();
    throw error;
  }
}

function unchanged(root: StoredManifest): MadeImage {
  return { root, manifests: new Map(), blobs: new Map(), sizes: new Map(), changes: new Map() };
}

const MAX_DEPTH = 6;

async function chosen(
  source: ImageSource,
  root: StoredManifest,
  choice: Choice,
  signal: AbortSignal,
): Promise<StoredManifest> {
  if (choice.kind === 'platforms') return selectFrom(root, choice);
  if (choice.kind !== 'system') return root;
  let stored = root;
  for (let depth = 0; stored.manifest.kind === 'index'; depth += 1) {
    if (depth >= MAX_DEPTH) {
      throw new RegistrySyncError('PROTOCOL', `index is nested deeper than ${MAX_DEPTH} levels`);
    }
    const { digest } = instanceFor(stored.manifest.manifests, choice.platform);
    stored = await source.manifest(digest, signal);
  }
  return stored;
}

function checkIndex({ manifest }: StoredManifest, { limits }: Shape): void {
  if (manifest.kind !== 'index' || limits?.indexes !== false) return;
  const message = `is an index of ${manifest.manifests.length} images, and the target can hold only one: choose it with --multi-arch system and --override-os, --override-arch`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** To those who copy, an index that lists nothing; its bytes list all. */
function indexOnly(source: ImageSource, root: StoredManifest, shape: Shape): ImageSource {
  const needs = needsOf(root, shape);
  if (!isSame(needs)) {
    const message = `${whatChanges(needs)}, and without its images an index can't be converted`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const alone = { ...root, manifest: { ...root.manifest, kind: 'index', manifests: [] } as const };
  return shapedSource(source, unchanged(alone));
}

function checkDigests(
  given: StoredManifest,
  root: StoredManifest,
  all: readonly Needs[],
  { preserveDigests, choice }: Shape,
): void {
  if (!preserveDigests) return;
  const changes = all.filter((needs) => !isSame(needs)).map(whatChanges);
  if (choice.kind === 'platforms' && root !== given) {
    changes.unshift('the index would be written anew with some of its platforms');
  }
  const [first] = changes;
  if (first === undefined) return;
  const more = changes.length > 1 ? ` (and ${changes.length - 1} more)` : '';
  const message = `can't be copied with its digests: ${first}${more}`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}
