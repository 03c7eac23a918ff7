/** Signatures, attestations and SBOMs travel with the image that they are about. */
import { allEnded } from '../base/concurrent.ts';
import { isError, withName, type RegistrySyncError } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import type {
  Attachments,
  AttachmentSink,
  AttachmentSource,
  ImageSink,
  ImageSource,
} from '../image/source-and-sink.ts';
import { onSide } from './side.ts';

/** What is attached to one of an image's manifests. */
export interface Attached extends Attachments {
  readonly subject: Digest;
}

/** Copies one image that is attached to another; resolves to what it moved. */
export type CopyAttachment<T> = (pair: {
  readonly source: ImageSource;
  readonly sink: ImageSink;
  readonly expected?: Digest;
  readonly subject?: Digest;
}) => Promise<T>;

/** What is attached to `subjects` at the source; those that have nothing are left out. */
export async function findAttachments(
  source: AttachmentSource,
  subjects: readonly Digest[],
  signal: AbortSignal,
): Promise<Attached[]> {
  const found = await allEnded(
    subjects.map(async (subject) => ({
      subject,
      ...(await onSide('source', source, () => source.attachments(subject, signal))),
    })),
  );
  return found.filter(({ referrers, tags }) => referrers.length > 0 || tags.length > 0);
}

/** Copies what was found, and makes it known at the target. */
export async function copyAttachments<T>(
  found: readonly Attached[],
  { source, sink }: { readonly source: AttachmentSource; readonly sink: AttachmentSink },
  copy: CopyAttachment<T>,
  signal: AbortSignal,
): Promise<T[]> {
  const copied = await allEnded(
    found.map(async (attached) => {
      const { subject, referrers, tags, index } = attached;
      const named = async (reference: string, expected?: Digest): Promise<T[]> => {
        const pair = { source: source.sibling(reference), sink: sink.sibling(reference) };
        try {
          return [await copy(expected === undefined ? pair : { ...pair, expected, subject })];
        } catch (error) {
          if (isUnrelated(error)) return [];
          if (isGone(error, expected === undefined || index !== undefined)) return [];
          throw withName(error, `attached to ${subject}`, { attachedTo: subject });
        }
      };
      const results = await allEnded([
        ...referrers.map(({ digest }) => named(digest, digest)),
        ...tags.map((tag) => named(tag)),
      ]);
      const there = referrers.filter((_, at) => results[at]?.length !== 0);
      const isWhole = there.length === referrers.length;
      await sink.attach(subject, isWhole ? attached : { referrers: there, tags }, signal);
      return results.flat();
    }),
  );
  return copied.flat();
}

/** What is not about the image is not attached to it, whoever says so. */
function isUnrelated(error: unknown): boolean {
  return isError(error, 'PROTOCOL') && error.details.unrelated === true;
}

/**
 * A tag that was deleted since the list was read is not missing, nor is what only an index that
 * clients keep still lists.
 */
function isGone(error: unknown, mayBe: boolean): error is RegistrySyncError {
  return mayBe && isError(error, 'NOT_FOUND') && error.details.side === 'source';
}
