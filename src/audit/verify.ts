/**
 * Compares what a registry has with the rows of a CSV. Nothing is changed, and no list is believed: each
 * tag is asked for. A row that is not as it should be is a verdict like any other.
 */
import type { Clock } from '../base/clock.ts';
import { mapAsDone, untilAborted } from '../base/concurrent.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { selectedDigest, type Selection } from '../copy/select.ts';
import { onSide } from '../copy/side.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { ImageSource } from '../image/source-and-sink.ts';
import type { RowTargets } from '../sync/mapping.ts';
import type { MappedRow } from '../sync/rows.ts';
import type { BlobChecks, CheckedImage } from './verify-blobs.ts';
import { checkImage, type Damage } from './verify-image.ts';

/** How deep a look is: at tags, at manifests and which blobs there are, or at every byte. */
export type Depth = 'digests' | 'manifests' | 'bytes';

/** What a row can be, in the words of verify.csv. */
export const STATUSES = ['ok', 'missing', 'differs', 'damaged', 'failed'] as const;
export type Status = (typeof STATUSES)[number];

export type Verdict = MappedRow & {
  readonly status: Status;
  /** What the target has. */
  readonly found?: Digest | undefined;
  /** Of the whole image, where it was looked at. Bytes. */
  readonly size?: number | undefined;
  /** What is not as it should be, in words. */
  readonly detail: string;
  readonly damage: readonly Damage[];
  /** Why it could not be found out, of rows that `failed`. */
  readonly error?: RegistrySyncError;
  readonly elapsedMs: number;
};

export interface VerifySettings {
  /** The source is only read where a part of the image was selected. */
  readonly open: (pair: RowTargets) => {
    readonly source: ImageSource;
    readonly target: CheckedImage;
  };
  /** What was copied of each image. */
  readonly selection: Selection;
  readonly depthOf: (row: MappedRow) => Depth;
  readonly checks: BlobChecks;
  readonly jobs: number;
  /** Whether another image would find something to do. */
  readonly hasRoom?: (running: number) => boolean;
  readonly clock: Clock;
  /** Aborted: no new row starts. */
  readonly stopping: AbortSignal;
  /** Aborted: what runs is given up. */
  readonly signal: AbortSignal;
}

/** Yields a verdict per row, as they are found. Rows are read only as fast as they are done. */
export function verifyRows(
  rows: AsyncIterable<MappedRow>,
  settings: VerifySettings,
): AsyncGenerator<Verdict, void, void> {
  const { stopping, jobs, hasRoom } = settings;
  const work = (row: MappedRow): Promise<Verdict> => verifyRow(row, settings);
  return mapAsDone(untilAborted(rows, stopping), jobs, work, hasRoom);
}

type RowSettings = Omit<VerifySettings, 'jobs' | 'hasRoom' | 'stopping'>;

/** What one row is. */
export async function verifyRow(mapped: MappedRow, settings: RowSettings): Promise<Verdict> {
  const { clock } = settings;
  const started = clock.now();
  try {
    const found = await lookAt(mapped, settings);
    return { ...mapped, damage: [], detail: '', ...found, elapsedMs: clock.now() - started };
  } catch (error) {
    if (!(error instanceof RegistrySyncError)) throw error;
    const failed = { status: 'failed', damage: [], detail: error.message, error } as const;
    return { ...mapped, ...failed, elapsedMs: clock.now() - started };
  }
}

type Finding = Pick<Verdict, 'status'> & Partial<Omit<Verdict, keyof MappedRow>>;

async function lookAt(mapped: MappedRow, settings: RowSettings): Promise<Finding> {
  const { there, expected } = await compare(mapped, settings);
  if (there === undefined) return { status: 'missing', detail: 'there is no such image' };
  const found = there.digest;
  if (expected !== undefined && found !== expected) {
    return { status: 'differs', found, detail: `is ${found} instead of ${expected}` };
  }
  const depth = settings.depthOf(mapped);
  if (depth === 'digests') return { status: 'ok', found };
  await using image = settings.open(mapped).target;
  const repository = repositoryOf(mapped);
  const question = { image, repository, hashes: depth === 'bytes' };
  const { damage, size } = await onSide('target', image, () =>
    checkImage(question, found, settings.checks, settings.signal),
  );
  if (damage.length === 0) return { status: 'ok', found, size };
  return { status: 'damaged', found, size, damage, detail: describeDamage(damage) };
}

/** `registry/path` of a row at the target. */
export function repositoryOf({ target }: RowTargets): string {
  return `${target.registry}/${target.path}`;
}

/** What there is, and what there should be; `expected` is unknown where the row names no digest. */
async function compare(
  mapped: MappedRow,
  settings: RowSettings,
): Promise<{ there: Descriptor | undefined; expected: Digest | undefined }> {
  const { digest } = mapped.row;
  const there = await headOf(mapped, settings);
  if (digest === undefined || there?.digest === digest || settings.selection.kind === 'all') {
    return { there, expected: digest };
  }
  const isByTag = mapped.target.tag !== undefined;
  if (isByTag && there === undefined) return { there, expected: digest };
  await using source = settings.open(mapped).source;
  const expected = await selectedDigest(source, digest, settings.selection, settings.signal);
  if (isByTag) return { there, expected };
  const selected = { ...mapped, target: { ...mapped.target, digest: expected } };
  return { there: await headOf(selected, settings), expected };
}

async function headOf(
  mapped: MappedRow,
  { open, signal }: RowSettings,
): Promise<Descriptor | undefined> {
  await using image = open(mapped).target;
  return await onSide('target', image, () => image.head(signal));
}

/** So much of an image's damage is told; the rest is counted. */
const MAX_TOLD = 3;

function describeDamage(damage: readonly Damage[]): string {
  const told = damage.slice(0, MAX_TOLD).map(({ what }) => what);
  const more = damage.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
