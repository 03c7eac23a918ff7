/** The order in which images of a plan are deleted: what needs others goes first. */
import { mapAsDone } from '../base/concurrent.ts';
import type { Digest } from '../image/digest.ts';
import { subjectOf } from './prune-choice.ts';
import type { PlanRow } from './prune-plan.ts';

/** Rows of one image. */
export interface Group {
  readonly digest: Digest;
  readonly rows: readonly PlanRow[];
  readonly isIndex: boolean;
}

/** Manifests that are read at the same time. */
const AT_ONCE = 16;

/**
 * Indexes come before their parts, and what is attached after what it belongs to. If one stays, what comes in a later
 * stage is not begun yet.
 *
 * @param partsOf digests of the parts of an index.
 */
export async function stagesOf(
  groups: readonly Group[],
  partsOf: (digest: Digest) => Promise<readonly Digest[]>,
): Promise<readonly (readonly Group[])[]> {
  const attached = groups.filter(isAttached);
  const images = groups.filter((one) => !isAttached(one));
  const indexes = await levelsOf(
    images.filter(({ isIndex }) => isIndex),
    partsOf,
  );
  return [...indexes, images.filter(({ isIndex }) => !isIndex), attached];
}

function isAttached({ rows }: Group): boolean {
  return rows.some(({ tag }) => subjectOf(tag) !== undefined);
}

/** Indexes may be parts of others. */
async function levelsOf(
  indexes: readonly Group[],
  partsOf: (digest: Digest) => Promise<readonly Digest[]>,
): Promise<readonly (readonly Group[])[]> {
  if (indexes.length < 2) return [indexes];
  const parts = new Map<Digest, readonly Digest[]>();
  const read = async ({ digest }: Group): Promise<void> => {
    parts.set(digest, await partsOf(digest));
  };
  for await (const _ of mapAsDone(indexes, AT_ONCE, read));
  const levels: Group[][] = [];
  let left = [...indexes];
  while (left.length > 0) {
    const inner = new Set(left.flatMap(({ digest }) => parts.get(digest) ?? []));
    const outer = left.filter(({ digest }) => !inner.has(digest));
    if (outer.length === 0) break; // no digest is in itself
    levels.push(outer);
    left = left.filter(({ digest }) => inner.has(digest));
  }
  return levels;
}
