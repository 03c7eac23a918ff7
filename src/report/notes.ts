/** What is missing, old or doubtful in a workdir, in sentences. */
import { counted, formatCount } from '../base/counted.ts';
import { RECORDED_COMMANDS, type RecordedCommand, type RunRecord } from '../sync/run-record.ts';
import { startOf } from './records.ts';
import type { CsvName } from './row-files.ts';
import { isSyncOlder, isVerifyOlder } from './row-state.ts';
import type { ReportTotals } from './settle.ts';
import type { Workdir } from './workdir.ts';

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
    ...RECORDED_COMMANDS.flatMap((command) => ofRecord(command, workdir)),
    ...agesOfRuns(workdir),
    ...ofRepair(workdir),
    ...ofPrune(workdir),
    ...countsThatDiffer(workdir, totals),
    ...ofPrevious(workdir, previous),
  ];
}

type NamedFile = 'repositories.csv' | 'tags.csv' | 'results.csv' | 'verify.csv';

function filesMissing({ files, damaged, records }: Workdir): string[] {
  const isAfterSync = files.has('results.csv') || records.sync !== undefined;
  const missing: Readonly<Record<NamedFile, string>> = {
    'repositories.csv': 'repositories without tags are not known',
    'tags.csv': 'what should be at the target is only known from the other files',
    'results.csv': 'no sync has written what it did',
    'verify.csv': `nobody has looked at the target${isAfterSync ? ' after the sync' : ''} (registry-sync verify)`,
  };
  return (Object.keys(missing) as NamedFile[])
    .filter((name) => !files.has(name) && !damaged.has(name))
    .map((name) => `${name} is missing: ${missing[name]}`);
}

const FILE_OF: Readonly<Record<RecordedCommand, CsvName>> = {
  crawl: 'tags.csv',
  sync: 'results.csv',
  repair: 'repair-results.csv',
  verify: 'verify.csv',
  prune: 'prune-results.csv',
};

function ofRecord(command: RecordedCommand, workdir: Workdir): string[] {
  const { records, files, remarks } = workdir;
  const record = records[command];
  const file = FILE_OF[command];
  if (record === undefined) {
    const isTold = !files.has(file) || remarks.some((text) => text.includes(`${command}.json`));
    return isTold ? [] : [`${command}.json is missing: whether ${file} is whole is not known`];
  }
  const message = record.message === undefined ? '' : `: ${record.message}`;
  return [
    ...(record.state === 'complete' ? [] : [`${stateOf(record, file)}${message}`]),
    ...ofShard(command, record, records.crawl),
  ];
}

/** `the crawl is incomplete: …` */
function stateOf(record: RunRecord, file: string): string {
  const { command, state, joinedFrom } = record;
  if (state === 'running') {
    return `the ${command} has not ended: it was killed, or still runs; ${file} may be incomplete or of an earlier one`;
  }
  if (state === 'failed') {
    return `the ${command} failed, and ${file}, if there is one, may be of an earlier one`;
  }
  // Its message says which shards are missing, and what those that are there have said.
  if (joinedFrom !== undefined) return `the ${command} is not complete`;
  return PARTIAL[command];
}

const PARTIAL: Readonly<Record<RecordedCommand, string>> = {
  crawl: 'the crawl is incomplete: tags.csv lacks what could not be read',
  sync: 'in the sync images failed or were not started',
  verify: 'in the verify run images were missing, different, or could not be looked at',
  prune: 'in the prune tags were skipped, failed, or were not started',
  repair: 'in the repair images failed or were not started',
};

function ofShard(
  command: RecordedCommand,
  { shard }: RunRecord,
  crawl: RunRecord | undefined,
): string[] {
  if (shard === undefined || shard === '0/1') return [];
  if (command === 'repair' || command === 'prune') return [];
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
      ? [
          'verify is older than the sync: of what it found to be missing or different the sync has the last word, but damage stays until a repair or the next verify',
        ]
      : []),
  ];
}

function ofRepair({ records: { repair, verify }, files, rows }: Workdir): string[] {
  if (!files.has('repair-results.csv')) return [];
  const [repaired, failed] = [rows.countRepairs('copied'), rows.countRepairs('failed')];
  const since = repair === undefined || isAfter(verify, repair) ? '' : ' since verify';
  return [
    `there has been a repair${since}: ${counted(repaired, 'image')} repaired, ${formatCount(failed)} failed`,
  ];
}

function isAfter(one: RunRecord | undefined, other: RunRecord): boolean {
  return one !== undefined && startOf(one) > startOf(other);
}

/** A plan deletes nothing, and leaves the rows of an earlier prune as they are. */
function ofPrune({ records: { prune }, files }: Workdir): string[] {
  const hasEnded = prune?.state === 'complete' || prune?.state === 'partial';
  if (!hasEnded || !files.has('prune-results.csv')) return [];
  return prune.counts?.['deleted'] !== undefined
    ? []
    : ['prune-results.csv is of an earlier prune than prune.json, which deleted nothing'];
}

function countsThatDiffer(workdir: Workdir, totals: ReportTotals): string[] {
  const { rows, files, records, staleVerdicts } = workdir;
  const { notInTags, tags } = totals;
  const crawled = records.crawl?.counts?.['tags'];
  const isOther = files.has('tags.csv') && crawled !== undefined && crawled !== tags;
  const moved = rows.rare.syncedDigest.size;
  return [
    ...(isOther
      ? [
          `crawl.json counts ${counted(crawled, 'tag')}, and tags.csv has ${formatCount(tags)}: one of them is of another run, or was edited`,
        ]
      : []),
    ...(notInTags > 0
      ? [
          `${counted(notInTags, 'image')} of the other files ${isOrAre(notInTags)} not in tags.csv: no total counts ${notInTags === 1 ? 'it' : 'them'}`,
        ]
      : []),
    ...(moved > 0
      ? [
          `${counted(moved, 'image')} ${moved === 1 ? 'was' : 'were'} synced with another digest than tags.csv has: followed as their tag moved, or a part of an image`,
        ]
      : []),
    ...(staleVerdicts > 0
      ? [
          `${counted(staleVerdicts, 'row')} of verify.csv ${isOrAre(staleVerdicts)} of another digest than tags.csv has, and left out: verify again`,
        ]
      : []),
  ];
}

function isOrAre(count: number): string {
  return count === 1 ? 'is' : 'are';
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
