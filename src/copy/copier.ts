/** The one verb: makes a sink hold what a source has. */
import { bothEnded } from '../base/concurrent.ts';
import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import {
  hasAttachments,
  takesAttachments,
  type ImageSink,
  type ImageSource,
} from '../image/source-and-sink.ts';
import { copyAttachments, findAttachments, type Attached } from './attachments.ts';
import { planCopy, type CopyPlan } from './plan.ts';
import { runBlobs, runChildren, type BlobTotals, type Transfers } from './run.ts';
import { onSide } from './side.ts';
import { ALL, selectFrom, type Selection } from './select.ts';

/** `recheck`: those of unchanged images too, as signatures are made after the image. */
export type Referrers = 'copied' | 'recheck' | 'none';

export interface CopySettings {
  readonly transfers: Transfers;
  readonly selection: Selection;
  readonly referrers: Referrers;
  /** Everything is put, whatever the target says of what it has. */
  readonly repairs?: boolean;
}

export interface CopyRequest {
  readonly source: ImageSource;
  readonly sink: ImageSink;
  /** The digest that the CSV promised: the source is asked for nothing else. */
  readonly expected?: Digest;
  /** What the source says it is attached to. */
  readonly subject?: Digest;
  /** The sink is opened by a digest: whatever is put there is visible at once. */
  readonly untagged?: boolean;
  readonly signal: AbortSignal;
}

export interface CopyResult extends BlobTotals {
  readonly outcome: 'copied' | 'unchanged';
  /** What the source has. */
  readonly digest: Digest;
}

export type Copy = (request: CopyRequest) => Promise<CopyResult>;

const NOTHING: BlobTotals = {
  blobs: { present: 0, mounted: 0, copied: 0 },
  bytes: 0,
  mountedBytes: 0,
};

/** Attached to an image, attached to what is attached to it, …: signatures of SBOMs are real, more is not. */
const MAX_ATTACHMENT_DEPTH = 3;

/** Attached to one image, at all levels: more is an attack or an accident (CVE-2024-29902). */
const MAX_ATTACHED = 2000;

/** How far a copy is from the image that was asked for, and what may still be attached to that. */
interface Level {
  readonly depth: number;
  readonly budget: { left: number };
}

/** Copies images; all copies of one copier share its limit of transfers. */
export function createCopier(settings: CopySettings): Copy {
  return async (request) =>
    copyAtDepth(request, settings, { depth: 0, budget: { left: MAX_ATTACHED } });
}

async function copyAtDepth(
  request: CopyRequest,
  settings: CopySettings,
  level: Level,
): Promise<CopyResult> {
  const { source, sink, signal } = request;
  const [there, wanted] = await bothEnded(
    settings.repairs === true
      ? Promise.resolve(undefined)
      : onSide('target', sink, () => sink.head(signal, hopedFor(request, settings))),
    onSide('source', source, () => wantedDigest(request)),
  );
  const isSame = there?.digest === wanted;
  const unchanged = { outcome: 'unchanged', ...NOTHING } as const;
  if (isSame && settings.referrers !== 'recheck') return { ...unchanged, digest: wanted };
  const stored = await onSide('source', source, () =>
    source.manifest(isSame ? wanted : (request.expected ?? 'root'), signal),
  );
  checkSubject(request, stored);
  // A tag that has moved since its HEAD is copied as it is now.
  const { digest } = stored.descriptor;
  const root = await onSide('source', source, async () =>
    isSame ? stored : selectFrom(stored, level.depth === 0 ? settings.selection : ALL),
  );
  const isThere = there?.digest === root.descriptor.digest;
  if (isThere && settings.referrers !== 'recheck') return { ...unchanged, digest };
  const plan = await onSide('source', source, () => planCopy(source, root, signal));
  if (!isThere) {
    const totals = await healOnce(() => run(plan, request, settings, level));
    return { outcome: 'copied', digest, ...totals };
  }
  // What was attached to the image after it was copied.
  const totals = await onSide('target', sink, async () => {
    const found = await findAttached(plan, request, settings, level);
    return copyAttached(found, request, settings, level);
  });
  return { outcome: totals.images > 0 ? 'copied' : 'unchanged', digest, ...totals };
}

/** What the target may have already; of a part of an image the digest is not known yet. */
function hopedFor({ expected }: CopyRequest, { selection }: CopySettings): Digest | undefined {
  return selection.kind === 'all' ? expected : undefined;
}

/** A list of referrers is the registry's word; what is attached says itself to what. */
function checkSubject({ subject }: CopyRequest, { manifest }: StoredManifest): void {
  if (subject === undefined || manifest.subject?.digest === subject) return;
  const message = `is listed as attached to ${subject}, but is not about it`;
  throw new RegistrySyncError('PROTOCOL', message, { details: { unrelated: true } });
}

async function wantedDigest({ source, expected, signal }: CopyRequest): Promise<Digest> {
  if (expected !== undefined) return expected;
  const found = await source.head(signal);
  if (found === undefined) throw new RegistrySyncError('NOT_FOUND', 'not found');
  return found.digest;
}

/**
 * Blobs, children, the root by its digest and what is attached to any of them, and only then the
 * root under its tag: who checks signatures finds them as soon as the tag is there, and a run that
 * was cut before that finds the image not done. Where there is no tag what is attached comes first.
 */
async function run(
  plan: CopyPlan,
  request: CopyRequest,
  settings: CopySettings,
  level: Level,
): Promise<BlobTotals> {
  const { source, sink, signal } = request;
  const { transfers } = settings;
  return onSide('target', sink, async () => {
    const found = await findAttached(plan, request, settings, level);
    const attach = () => copyAttached(found, request, settings, level);
    // Before its own blobs or after its own manifests, never between: an image that holds blobs
    // which others wait for must not wait for others itself.
    const before = request.untagged === true ? await attach() : NOTHING;
    const own = await runBlobs(plan, { source, sink, transfers, signal });
    await runChildren(plan, { source, sink, transfers, signal });
    if (request.untagged === true || found.length === 0) {
      throwIfAborted(signal);
      await sink.putManifest(plan.root, 'root', signal);
      return sum([before, own]);
    }
    await sink.putManifest(plan.root, 'child', signal);
    const attached = await attach();
    throwIfAborted(signal);
    await sink.putManifest(plan.root, 'root', signal);
    return sum([own, attached]);
  });
}

async function findAttached(
  { children, root }: CopyPlan,
  { source, sink, signal }: CopyRequest,
  settings: CopySettings,
  level: Level,
): Promise<Attached[]> {
  if (settings.referrers === 'none' || level.depth >= MAX_ATTACHMENT_DEPTH) return [];
  if (!hasAttachments(source) || !takesAttachments(sink)) return [];
  const subjects = [...children.flat(), root].map(({ descriptor }) => descriptor.digest);
  const found = await findAttachments(source, subjects, signal);
  const { budget } = level;
  budget.left -= found.reduce(
    (all, { referrers, tags }) => all + referrers.length + tags.length,
    0,
  );
  if (budget.left >= 0) return found;
  const message = `more than ${MAX_ATTACHED} things are attached to it, and to what is attached to it`;
  throw new RegistrySyncError('PROTOCOL', message, { details: { side: 'source' } });
}

/** Copies what is attached; `images` says how many of it were not at the target yet. */
async function copyAttached(
  found: readonly Attached[],
  { source, sink, signal }: CopyRequest,
  settings: CopySettings,
  level: Level,
): Promise<BlobTotals & { readonly images: number }> {
  if (!hasAttachments(source) || !takesAttachments(sink)) return { ...NOTHING, images: 0 };
  const copy = async (pair: Pick<CopyRequest, 'source' | 'sink' | 'expected' | 'subject'>) => {
    await using from = pair.source;
    await using to = pair.sink;
    const untagged = pair.expected !== undefined; // referrers are known by their digests
    const request = { ...pair, source: from, sink: to, untagged, signal };
    return await copyAtDepth(request, settings, { ...level, depth: level.depth + 1 });
  };
  const copied = await copyAttachments(found, { source, sink }, copy, signal);
  const images = copied.filter(({ outcome }) => outcome === 'copied').length;
  return { ...sum(copied), images };
}

function sum(all: readonly BlobTotals[]): BlobTotals {
  const total = (of: (one: BlobTotals) => number): number =>
    all.reduce((before, one) => before + of(one), 0);
  return {
    blobs: {
      present: total(({ blobs }) => blobs.present),
      mounted: total(({ blobs }) => blobs.mounted),
      copied: total(({ blobs }) => blobs.copied),
    },
    bytes: total(({ bytes }) => bytes),
    mountedBytes: total(({ mountedBytes }) => mountedBytes),
  };
}

/**
 * A registry that misses what it said it holds is asked again, once, with nothing believed. What is
 * attached to the image has had its own second try.
 */
async function healOnce<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isError(error, 'REJECTED', 'NOT_FOUND')) throw error;
    const { missing, attachedTo } = error.details;
    if (missing === undefined || attachedTo !== undefined) throw error;
    return work();
  }
}
