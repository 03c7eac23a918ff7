/** What is missing, old or doubtful in a workdir, in sentences. */
import type { RunRecord } from '../sync/run-record.ts';
import type { CsvName } from './row-files.ts';
import { isSyncOlder, isVerifyOlder, type ReportTotals } from './settle.ts';
import { REPORTED_COMMANDS, type ReportedCommand } from './records.ts';
import { type Workdir } from './workdir.ts';

/** Which earlier run was asked for, and what was found. */
export interface PreviousAsked {
  readonly asked: string | undefined;
  readonly found: Workdir | undefined;
}

export function notesOf(
  workdir: Workdir,
  totals: ReportTotals,
  previous: PreviousAsked,
): readonly string[] {
  return [
    ...workdir.remarks,
    ...filesMissing(workdir),
    ...REPORTED_COMMANDS.flatMap((command) => ofRecord(command, workdir)),
    ...agesOfRuns(workdir),
    ...countsThatDiffer(workdir, totals),
    ...ofPrevious(workdir, previous),
  ];
}

const MISSING: Readonly<Record<CsvName, string>> = {
  'repositories.csv': 'repositories without tags are not known',
  'tags.csv': 'what should be at the target is only known from the other files',
  'results.csv': 'no sync has written what it did',
  'verify.csv': 'nobody has looked at the target after the sync (registry-sync verify)',
};

function filesMissing({ files }: Workdir): string[] {
  return (Object.keys(MISSING) as CsvName[])
    .filter((name) => !files.has(name))
    .map((name) => `${name} is missing: ${MISSING[name]}`);
}

const FILE_OF: Readonly<Record<ReportedCommand, CsvName>> = {
  crawl: 'tags.csv',
  sync: 'results.csv',
  verify: 'verify.csv',
};

function ofRecord(command: ReportedCommand, workdir: Workdir): string[] {
  const { records, files, remarks } = workdir;
  const record = records[command];
  const file = FILE_OF[command];
  if (record === undefined) {
    const isTold = !files.has(file) || remarks.some((text) => text.includes(`${command}.json`));
    return isTold ? [] : [`${command}.json is missing: whether ${file} is whole is not known`];
  }
  const message = record.message === undefined ? '' : `: ${record.message}`;
  return [
    ...(record.state === 'complete' ? [] : [`${STATE[record.state](command, file)}${message}`]),
    ...(record.dryRun === true ? [`the ${command} was a dry run: nothing was copied`] : []),
    ...ofShard(command, record, records.crawl),
  ];
}

const PARTIAL: Readonly<Record<ReportedCommand, string>> = {
  crawl: 'the crawl is incomplete: tags.csv lacks what could not be read',
  sync: 'in the sync images failed or were not started',
  verify: 'in the verify run images were missing, different, or could not be looked at',
};

const STATE: Readonly<
  Record<
    Exclude<RunRecord['state'], 'complete'>,
    (command: ReportedCommand, file: string) => string
  >
> = {
  running: (command, file) =>
    `the ${command} has not ended: it was killed, or still runs; ${file} may be incomplete or of an earlier one`,
  partial: (command) => PARTIAL[command],
  failed: (command, file) =>
    `the ${command} failed, and ${file}, if there is one, may be of an earlier one`,
};

function ofShard(
  command: ReportedCommand,
  { shard }: RunRecord,
  crawl: RunRecord | undefined,
): string[] {
  if (shard === undefined || shard === '0/1') return [];
  if (command !== 'crawl' && crawl?.shard === shard) return [];
  const rest =
    command === 'crawl'
      ? 'other repositories are not in this report'
      : 'tags of others have no result here';
  return [`the ${command} was shard ${shard}: ${rest}`];
}

function agesOfRuns(workdir: Workdir): string[] {
  return [
    ...(isSyncOlder(workdir)
      ? ['the sync is older than the crawl: what it says is of earlier tags']
      : []),
    ...(isVerifyOlder(workdir)
      ? ['verify is older than the sync: where they differ, the sync counts']
      : []),
  ];
}

function countsThatDiffer({ rows, files, records }: Workdir, totals: ReportTotals): string[] {
  const { notInTags, tags } = totals;
  const inTags = tags - notInTags;
  const counted = records.crawl?.counts?.['tags'];
  const isOther = files.has('tags.csv') && counted !== undefined && counted !== inTags;
  const moved = rows.rare.syncedDigest.size;
  return [
    ...(isOther
      ? [
          `crawl.json counts ${counted} tags, and tags.csv has ${inTags}: one of them is of another run, or was edited`,
        ]
      : []),
    ...(notInTags > 0
      ? [`${notInTags} rows of results.csv or verify.csv are not in tags.csv`]
      : []),
    ...(moved > 0
      ? [
          `${moved} images were synced with another digest than tags.csv has: followed as their tag moved, or a part of an image`,
        ]
      : []),
  ];
}

function ofPrevious({ records }: Workdir, { asked, found }: PreviousAsked): string[] {
  if (asked === undefined) return [];
  if (found === undefined) return [`there is no earlier run in ${asked}`];
  const before = found.records.crawl;
  const now = records.crawl;
  const isOther = before?.shard !== now?.shard || before?.source !== now?.source;
  return [
    ...found.remarks.map((text) => `${found.path}: ${text}`),
    ...(found.files.has('tags.csv')
      ? []
      : [`${found.path} has no tags.csv: what changed is not known`]),
    ...(before !== undefined && now !== undefined && isOther
      ? [`the run in ${found.path} is of another source or shard: most changes are none`]
      : []),
  ];
}
