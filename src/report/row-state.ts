/**
 * Whether a row's image is at the target, by all that was done and seen there, in the order of time.
 *
 * Who has looked is believed until somebody has done something about it: a run that only asks by HEAD whether a
 * tag is there sees nothing of damage inside an image, and says nothing against those who have.
 */
import type { Check, Outcome, State } from './payload.ts';
import { startOf, type Records } from './records.ts';
import type { Workdir } from './workdir.ts';

/** The crawl began after the sync: what the sync says may be of older tags. */
export function isSyncOlder({ records: { crawl, sync } }: Pick<Workdir, 'records'>): boolean {
  return crawl !== undefined && sync !== undefined && startOf(sync) < startOf(crawl);
}

/** The sync began after verify. */
export function isVerifyOlder({ records: { sync, verify } }: Pick<Workdir, 'records'>): boolean {
  return sync !== undefined && verify !== undefined && startOf(verify) < startOf(sync);
}

/** Rows of other files that tags.csv has not are none of what should be at the target. */
export function isUnlisted({ rows, files }: Workdir, row: number): boolean {
  return files.has('tags.csv') && rows.columns.isInTags[row] === 0;
}

/** What comes to the state of a row with a run; `undefined`: nothing was known before. */
type Step = (row: number, before: State | undefined) => State | undefined;

export function stateReader(workdir: Workdir): (row: number) => State {
  const { rows, records } = workdir;
  const syncOlder = isSyncOlder(workdir);
  const steps: Readonly<Record<Run, Step>> = {
    sync: (row, before) => {
      const isOfOlderTag = syncOlder && rows.rare.syncedDigest.has(row);
      const outcome = rows.outcomeOf(row);
      const isOnlyAsked =
        before === 'failed' && rows.repairOf(row) === 'failed' && outcome !== 'copied';
      return isOfOlderTag || isOnlyAsked ? before : afterSync(before, outcome);
    },
    verify: (row, before) => afterVerify(before, rows.checkOf(row)),
    repair: (row, before) => afterRepair(before, rows.repairOf(row)),
  };
  const inOrder = runsInOrder(records).map((run) => steps[run]);
  return (row) => {
    if (isUnlisted(workdir, row)) return 'unlisted';
    let state: State | undefined;
    for (const step of inOrder) state = step(row, state);
    return state ?? 'no-result';
  };
}

type Run = 'sync' | 'verify' | 'repair';

/** A run of which no record says when it was, came after the others that it needs. */
function runsInOrder(records: Records): readonly Run[] {
  const timeOf = (record: Records['sync'], other: number): number =>
    record === undefined ? other : startOf(record);
  const sync = timeOf(records.sync, 0);
  const verify = timeOf(records.verify, sync);
  const repair = timeOf(records.repair, Math.max(sync, verify));
  const times: readonly (readonly [Run, number])[] = [
    ['sync', sync],
    ['verify', verify],
    ['repair', repair],
  ];
  return times.toSorted(([, a], [, b]) => a - b).map(([run]) => run);
}

/** A copy puts right what was missing; what is damaged it may have left as it was. */
function afterSync(before: State | undefined, outcome: Outcome): typeof before {
  if (outcome === 'none' || before === 'damaged') return before;
  const isWrong = before === 'missing' || before === 'differs';
  if (isWrong && outcome === 'would-copy') return before;
  return outcome === 'failed' || outcome === 'would-copy' ? outcome : 'there';
}

/** A failure of the sync before says why an image is missing. */
function afterVerify(before: State | undefined, check: Check): State | undefined {
  if (check === 'none') return before;
  if (check === 'ok') return 'there';
  return before === 'failed' && check !== 'damaged' ? 'failed' : check;
}

/** What a repair calls copied it has looked at. */
function afterRepair(before: State | undefined, outcome: Outcome): State | undefined {
  if (outcome === 'copied') return 'there';
  if (outcome !== 'failed') return before;
  return before === 'damaged' ? before : 'failed';
}
