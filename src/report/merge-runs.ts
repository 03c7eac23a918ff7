/**
 * Whether the parts that are joined were made by one run: shards of different days have the same numbers and
 * no repository in common, and a list of both lacks what has come since at the source.
 */
import type { RunRecord } from '../sync/run-record.ts';
import { formatTime } from './words.ts';

const HOUR_MS = 60 * 60 * 1000;
/** Parts that were run by hand, each with an id of its own, one after the other. */
const MAX_APART_BY_HAND_MS = 6 * HOUR_MS;
/** Parts that share an id: pods of one Job, of which some wait for a place. */
const MAX_APART_MS = 24 * HOUR_MS;

/** As the program makes ids up where none is given: each process has its own. */
const MADE_UP = /^\d{8}T\d{6}Z-[0-9a-f]{4}$/;

/** Why these records of parts are not of one run; empty: they are. */
export function runsApart(
  command: RunRecord['command'],
  records: readonly RunRecord[],
): readonly string[] {
  const [first, ...others] = records.toSorted((a, b) => startOf(a) - startOf(b));
  const last = others.at(-1);
  if (first === undefined || last === undefined) return [];
  const other = others.find(({ run }) => run !== first.run);
  const isByHand = records.every(({ run }) => MADE_UP.test(run));
  if (other !== undefined && !isByHand) {
    const are = `is of run ${first.run}, that of ${nameOf(other)} of run ${other.run}`;
    return [`the ${command} of ${nameOf(first)} ${are}: shards of one run share their --run-id`];
  }
  const most = other === undefined ? MAX_APART_MS : MAX_APART_BY_HAND_MS;
  if (startOf(last) - startOf(first) <= most) return [];
  const times = `began at ${formatTime(first.startedAt)}, that of ${nameOf(last)} at ${formatTime(last.startedAt)}`;
  const limit = `more than ${most / HOUR_MS} hours apart`;
  return [`the ${command} of ${nameOf(first)} ${times}: ${limit}, so they are of different runs`];
}

/** A part, for people. */
export function nameOf({ shard, run }: RunRecord): string {
  return shard === undefined ? `run ${run}` : `shard ${shard}`;
}

function startOf({ startedAt }: RunRecord): number {
  return Date.parse(startedAt);
}
