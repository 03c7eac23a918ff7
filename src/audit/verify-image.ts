/** Whether all that an image is made of is where it should be. */
import { allOrNone } from '../base/concurrent.ts';
import { isError } from '../base/errors.ts';
import { blobsOf, readTree, type ReadManifest } from '../copy/plan.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import type { BlobAnswer, BlobChecks, BlobQuestion } from './verify-blobs.ts';

/** Something of an image that is not as it should be. */
export interface Damage {
  readonly digest: Digest;
  /** As in `blob sha256:… is missing`. */
  readonly what: string;
}

export interface ImageState {
  readonly damage: readonly Damage[];
  /** Of its manifests, configs and layers, each once; absent when not all of them are known. Bytes. */
  readonly size?: number;
}

/**
 * Reads all manifests from `root` on, and asks for each blob. What is wrong is a value; foreign layers,
 * which registries need not hold, are not asked for.
 *
 * @throws {RegistrySyncError} when the place could not be asked.
 */
export async function checkImage(
  question: BlobQuestion,
  root: Digest,
  checks: BlobChecks,
  signal: AbortSignal,
): Promise<ImageState> {
  const damage: Damage[] = [];
  const manifests = await readManifests(question, root, damage, signal);
  const isWhole = damage.length === 0;
  const blobs = blobsOf(manifests);
  const answers = await allOrNone(blobs, signal, (blob, all) => checks.check(question, blob, all));
  for (const [at, { problem }] of answers.entries()) {
    const digest = blobs[at]?.digest;
    if (digest !== undefined && problem !== undefined) {
      damage.push({ digest, what: `blob ${digest} ${problem}` });
    }
  }
  const size = isWhole ? sizeOf(manifests, answers) : undefined;
  return { damage, ...(size !== undefined && { size }) };
}

/** Those that can be read; what is wrong with others is added to `damage`. */
async function readManifests(
  { image }: BlobQuestion,
  root: Digest,
  damage: Damage[],
  signal: AbortSignal,
): Promise<StoredManifest[]> {
  const read: ReadManifest = async ({ digest }, all) => {
    try {
      return await image.manifest(digest, all);
    } catch (error) {
      const problem = problemOf(error);
      if (problem === undefined) throw error;
      damage.push({ digest, what: `manifest ${digest} ${problem}` });
      return undefined;
    }
  };
  const first = await read({ digest: root } as Descriptor, signal);
  if (first === undefined) return [];
  try {
    return await readTree(first, read, signal);
  } catch (error) {
    if (!isError(error, 'PROTOCOL')) throw error;
    damage.push({ digest: root, what: `manifest ${root}: ${error.message}` });
    return [];
  }
}

/** What a failure says of a manifest; `undefined`: nothing, only of the way to it. */
function problemOf(error: unknown): string | undefined {
  if (isError(error, 'NOT_FOUND')) return 'is missing';
  if (isError(error, 'CONTENT_MISMATCH')) return `has other content: ${error.message}`;
  return isError(error, 'PROTOCOL') ? `can not be read: ${error.message}` : undefined;
}

function sizeOf(
  manifests: readonly StoredManifest[],
  answers: readonly BlobAnswer[],
): number | undefined {
  let size = manifests.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  for (const answer of answers) {
    if (answer.size === undefined) return undefined;
    size += answer.size;
  }
  return size;
}
