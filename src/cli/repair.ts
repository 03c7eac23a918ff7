/** `sync --repair`: which rows are copied again, and how it is made sure that they are well then. */
import { dirname, join } from 'node:path';

import { createRepair } from '../audit/repair.ts';
import { BlobChecks } from '../audit/verify-blobs.ts';
import { repositoryOf, STATUSES, verifyRow, type Depth } from '../audit/verify.ts';
import { RegistrySyncError } from '../base/errors.ts';
import type { Copy } from '../copy/copier.ts';
import type { Transfers } from '../copy/run.ts';
import type { RegistryClient } from '../registry/client.ts';
import type { MappedRow, RowFile } from '../sync/rows.ts';
import { readRecord, recordPath, type RunRecord } from '../sync/run-record.ts';
import type { Shard } from '../sync/shard.ts';
import type { SyncSettings } from '../sync/sync.ts';
import { openRowsOf, type EndValues, type RowEnds } from './row-ends.ts';
import { repositoriesOf } from './runtime.ts';

export interface RepairRows {
  readonly rows: RowFile;
  /** How deep a look is taken at what came of a row. */
  readonly depthOf: (row: MappedRow) => Depth;
}

const NOT_OK = STATUSES.filter((status) => status !== 'ok');

/**
 * Opens the rows that are to be repaired. A file that was named is taken as it is; verify.csv only if it is
 * whole, and about the same registries.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export async function openRepairRows(
  values: EndValues & { readonly workdir: string },
  ends: RowEnds,
  shard: Shard | undefined,
): Promise<RepairRows> {
  const statuses = { wanted: NOT_OK, others: ['ok'] };
  const given = values['tags-file'];
  if (given !== undefined) {
    const rows = await openRowsOf(values, ends, shard, statuses);
    return { rows, depthOf: depthAfter(undefined) };
  }
  const record = await wholeRecord(values.workdir, ends);
  const file = { ...values, 'tags-file': join(values.workdir, 'verify.csv') };
  const rows = await openRowsOf(file, ends, shard, statuses);
  const written = (record.counts?.['rows'] ?? 0) - (record.counts?.['notStarted'] ?? 0);
  if (rows.total === written) return { rows, depthOf: depthAfter(record) };
  await rows[Symbol.asyncDispose]();
  throw unusable(
    file['tags-file'],
    `has ${rows.total} rows, but verify wrote ${written}: it was changed or is cut off`,
  );
}

/** As deep as verify looked; where that is not known, as deep as it may have had to, to see what is wrong. */
function depthAfter(record: RunRecord | undefined): (row: MappedRow) => Depth {
  if (record !== undefined) return () => record.deep ?? 'manifests';
  return ({ row: { status = '' } }) =>
    status === 'missing' || status === 'differs' ? 'manifests' : 'bytes';
}

/** @throws {RegistrySyncError} `USAGE` unless verify came to its end here, between these registries. */
async function wholeRecord(workdir: string, { source, target }: RowEnds): Promise<RunRecord> {
  const path = recordPath(workdir, 'verify');
  const record = await readRecord(workdir, 'verify');
  if (record === undefined) throw unusable(path, 'there is none: verify has not run here');
  const { state, counts = {} } = record;
  if (state === 'running') throw unusable(path, 'verify still runs, or was killed');
  if (state === 'failed') throw unusable(path, `verify failed: ${record.message ?? ''}`);
  const left = counts['notStarted'] ?? 0;
  if (left > 0) throw unusable(path, `verify was stopped before ${left} of ${counts['rows']} rows`);
  if (record.target !== target || record.source !== source) {
    const was = `it was ${record.source} and ${record.target}`;
    throw unusable(path, `is not about ${source} and ${target}: ${was}`);
  }
  await checkCrawl(workdir, record);
  return record;
}

/** @throws {RegistrySyncError} `USAGE` when tags may have moved since: they would be put back to what they were. */
async function checkCrawl(workdir: string, verified: RunRecord): Promise<void> {
  const crawled = await readRecord(workdir, 'crawl');
  if (crawled === undefined || crawled.startedAt <= (verified.endedAt ?? verified.startedAt))
    return;
  throw unusable(recordPath(workdir, 'verify'), 'is older than the last crawl');
}

function unusable(path: string, what: string): RegistrySyncError {
  const verify = `run verify in ${dirname(path)} again, or name the rows to repair by --tags-file`;
  return new RegistrySyncError('USAGE', `${path}: ${what}: ${verify}`);
}

export interface RepairRun extends Pick<SyncSettings, 'open' | 'selection' | 'clock' | 'signal'> {
  /** Copies everything, whatever the target says it has. */
  readonly copy: Copy;
  readonly transfers: Transfers;
  readonly target: RegistryClient;
  readonly depthOf: RepairRows['depthOf'];
}

/** Copies rows and looks at what came of it; a row that is not well then has failed. */
export function repairing({ copy, transfers, target, ...run }: RepairRun): SyncSettings['copy'] {
  // Each blob is asked for where it should be: a link that is made only looks like an answer.
  target.blobs.selfLinks.giveUp();
  const checks = new BlobChecks(transfers);
  const targets = repositoriesOf(target);
  return createRepair({
    copy,
    verify: (row) =>
      verifyRow(row, {
        ...run,
        checks,
        open: (pair) => ({
          source: run.open(pair).source,
          target: targets(pair.target.path).source(pair.target.tag ?? pair.target.digest ?? ''),
        }),
      }),
    doubt: (row, digest) => {
      const { path } = row.target;
      target.blobs.doubt(path, digest);
      target.manifests.delete(`${path}@${digest}`);
      checks.forget(repositoryOf(row), digest);
    },
  });
}
