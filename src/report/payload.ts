/**
 * What the page is given: the only file that both the program and the code in the page know.
 *
 * Columns instead of records, and each string once: 100,000 rows are read in a blink.
 */

/** What came of a row in a sync. The numbers of these are in the payload. */
export const OUTCOMES = ['none', 'copied', 'unchanged', 'would-copy', 'failed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What verify said of a row. */
export const CHECKS = ['none', 'ok', 'missing', 'differs', 'damaged', 'failed'] as const;
export type Check = (typeof CHECKS)[number];

/** Since the previous run. */
export const CHANGES = ['none', 'new', 'moved', 'gone'] as const;
export type Change = (typeof CHANGES)[number];

/** What a row comes to: is the image at the target? */
export const STATES = [
  'there',
  'failed',
  'missing',
  'differs',
  'damaged',
  'would-copy',
  'no-result',
  'gone',
  'unlisted',
] as const;
export type State = (typeof STATES)[number];

/** What people read instead. */
export const STATE_WORDS: Readonly<Record<State, string>> = {
  there: 'at the target',
  failed: 'failed',
  missing: 'missing',
  differs: 'differs',
  damaged: 'damaged',
  'would-copy': 'would be copied',
  'no-result': 'no result',
  gone: 'gone from the source',
  unlisted: 'not in tags.csv',
};

/** Hexadecimal digits of a sha256. */
export const DIGEST_CHARS = 64;

/** Rows by column; sorted by repository and tag. */
export interface PageRows {
  readonly count: number;
  /** Of `paths`, which are sorted. */
  readonly path: readonly number[];
  /** Of `names`, which are sorted as people do. */
  readonly name: readonly number[];
  /** Of STATES. */
  readonly state: readonly number[];
  /** Of OUTCOMES. */
  readonly outcome: readonly number[];
  /** Of CHECKS. */
  readonly check: readonly number[];
  /** Of CHANGES. */
  readonly change: readonly number[];
  /** Seconds since 1970; 0: unknown. */
  readonly updated: readonly number[];
  readonly bytes: readonly number[];
  /** -1: unknown. */
  readonly size: readonly number[];
  /** Of `texts`: why, or what else there is to say; 0: nothing. */
  readonly text: readonly number[];
  /** Of `texts`: where it goes, without the tag if that is the same; 0: unknown. */
  readonly target: readonly number[];
  /** DIGEST_CHARS of each sha256; spaces: none. */
  readonly digests: string;
  /** Digests that are no sha256: row, digest. */
  readonly otherDigests: readonly (readonly [number, string])[];
}

export interface PageRepositories {
  readonly count: number;
  readonly path: readonly number[];
  readonly tags: readonly number[];
  readonly there: readonly number[];
  /** Failed, missing, differs, damaged. */
  readonly wrong: readonly number[];
  readonly noResult: readonly number[];
  readonly bytes: readonly number[];
  /** -1: unknown. */
  readonly size: readonly number[];
  readonly updated: readonly number[];
}

export interface Payload {
  readonly paths: readonly string[];
  readonly names: readonly string[];
  readonly texts: readonly string[];
  readonly rows: PageRows;
  readonly repositories: PageRepositories;
  readonly hasVerify: boolean;
  readonly hasPrevious: boolean;
}
