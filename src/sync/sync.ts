/** Copies the images of rows, several at a time. A row that fails is an outcome like any other. */
import type { Clock } from '../base/clock.ts';
import { mapAsDone, untilAborted } from '../base/concurrent.ts';
import { isError, RegistrySyncError, withName } from '../base/errors.ts';
import type { CopyRequest, CopyResult } from '../copy/copier.ts';
import { selectedDigest, type Selection } from '../copy/select.ts';
import type { Digest } from '../image/digest.ts';
import { formatReference } from '../image/reference.ts';
import type { Image, ImageSink, ImageSource } from '../image/source-and-sink.ts';
import type { RowTargets } from './mapping.ts';
import type { MappedRow } from './rows.ts';

export type TagOutcome = MappedRow & {
  readonly elapsedMs: number;
  /** What the source has, where it is known. */
  readonly digest?: Digest | undefined;
} & (
    | {
        readonly result: 'copied' | 'unchanged' | 'would-copy';
        /** Bytes moved. */
        readonly bytes: number;
        readonly mountedBytes: number;
        /** The tag had moved since the crawl, and was followed. */
        readonly moved: boolean;
      }
    | { readonly result: 'failed'; readonly error: RegistrySyncError }
  );

export interface SyncSettings {
  readonly open: (pair: RowTargets) => { readonly source: ImageSource; readonly sink: ImageSink };
  readonly copy: (request: CopyRequest, row: MappedRow) => Promise<CopyResult>;
  /** What `copy` takes of an image. */
  readonly selection: Selection;
  readonly jobs: number;
  /** Whether another image would find something to do: else it would only take up memory. */
  readonly hasRoom?: (running: number) => boolean;
  /** Copies what a tag stands for now, instead of the digest in the CSV. */
  readonly followMoved: boolean;
  /** Only says what would be copied. */
  readonly dryRun: boolean;
  /** `copy` copies whatever the target says it has. */
  readonly copiesAll?: boolean;
  readonly clock: Clock;
  /** Aborted: no new row starts. */
  readonly stopping: AbortSignal;
  /** Aborted: what runs is given up. */
  readonly signal: AbortSignal;
}

/** Yields an outcome per row, as they are done. Rows are read only as fast as they are done. */
export function syncTags(
  rows: AsyncIterable<MappedRow>,
  settings: SyncSettings,
): AsyncGenerator<TagOutcome, void, void> {
  const { stopping, jobs, hasRoom } = settings;
  return mapAsDone(untilAborted(rows, stopping), jobs, (row) => syncRow(row, settings), hasRoom);
}

async function syncRow(mapped: MappedRow, settings: SyncSettings): Promise<TagOutcome> {
  const { clock } = settings;
  const started = clock.now();
  try {
    const done = await (settings.dryRun ? compare : copyRow)(mapped, settings);
    return { ...mapped, ...done, elapsedMs: clock.now() - started };
  } catch (error) {
    if (!(error instanceof RegistrySyncError)) throw error;
    const elapsedMs = clock.now() - started;
    return { ...mapped, result: 'failed', digest: mapped.row.digest, error, elapsedMs };
  }
}

type Done = Omit<Extract<TagOutcome, { bytes: number }>, keyof MappedRow | 'elapsedMs'>;

async function copyRow(mapped: MappedRow, settings: SyncSettings): Promise<Done> {
  const { copy, signal } = settings;
  const opened = settings.open(mapped);
  await using source = opened.source;
  await using sink = opened.sink;
  const { expected, moved } = await expectedOf(mapped, settings);
  const request = {
    source,
    sink,
    ...(expected === undefined ? {} : { expected }),
    untagged: mapped.target.tag === undefined,
    signal,
  };
  const { outcome, digest, bytes, mountedBytes } = await copy(request, mapped);
  return { result: outcome, digest, bytes, mountedBytes, moved };
}

/** Compares without copying: the target's digest is asked for, and the source only if no row says it all. */
async function compare(mapped: MappedRow, settings: SyncSettings): Promise<Done> {
  const opened = settings.open(mapped);
  await using source = opened.source;
  await using sink = opened.sink;
  const { expected, moved } = await expectedOf(mapped, settings);
  const { signal, selection } = settings;
  const wanted = expected ?? (await at('source', source, () => source.head(signal)))?.digest;
  if (wanted === undefined) throw notFound(mapped);
  const said = { digest: wanted, bytes: 0, mountedBytes: 0, moved };
  if (settings.copiesAll === true) return { ...said, result: 'would-copy' };
  const there = await at('target', sink, () =>
    sink.head(signal, selection.kind === 'all' ? wanted : undefined),
  );
  const isThere =
    there?.digest === wanted ||
    (there !== undefined &&
      there.digest === (await selectedDigest(source, wanted, selection, signal)));
  return { ...said, result: isThere ? 'unchanged' : 'would-copy' };
}

async function expectedOf(
  mapped: MappedRow,
  settings: SyncSettings,
): Promise<{ expected: Digest | undefined; moved: boolean }> {
  const { tag, digest } = mapped.row;
  if (!settings.followMoved || tag === undefined) return { expected: digest, moved: false };
  const { registry, path } = mapped.source;
  const tagged = { ...mapped, source: { registry, path, tag } };
  await using source = settings.open(tagged).source;
  const now = await at('source', source, () => source.head(settings.signal));
  if (now === undefined) throw notFound(tagged);
  return { expected: now.digest, moved: digest !== undefined && digest !== now.digest };
}

/** Names the image and the side in a failure. */
async function at<T>(
  side: 'source' | 'target',
  { name }: Image,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isError(error, 'CANCELLED')) throw error;
    throw withName(error, `${side} ${name}`, { side });
  }
}

function notFound({ source }: RowTargets): RegistrySyncError {
  const message = `source ${formatReference(source)}: not found`;
  return new RegistrySyncError('NOT_FOUND', message, { details: { side: 'source' } });
}
