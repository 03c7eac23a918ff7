/**
 * What a line of the table is: a command line as people write it for skopeo, what it starts from, and
 * how far the answers of both programs have to agree.
 */
import type { Reason } from './reasons.ts';

export interface Case {
  /**
   * Words as in a shell, with single quotes. `-S`, `-D` and `-T` stand for `--src-`, `--dest-` and
   * `--tls-verify=false`; names in braces are replaced: see `world.ts`.
   */
  readonly line: string;
  /** Lines that skopeo itself runs before, for both sides. */
  readonly before?: readonly string[];
  /** Files written before: path → content, in which names in braces are replaced too. */
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /**
   * How stdout is compared. `progress`: the steps of a copy, in any order; the default of copy and
   * sync, and of both only as long as they succeed. `exact` is the default of all others.
   */
  readonly stdout?: 'exact' | 'progress' | 'lines' | 'any';
  /**
   * How files and registries are compared. `unpacked`: what compressed content holds counts, not how
   * it was compressed, and not digests that follow from that. `same` unless given.
   */
  readonly left?: 'same' | 'unpacked' | 'names' | 'any';
  /** What both must say, on stdout or stderr. */
  readonly says?: RegExp;
  readonly differs?: Difference | undefined;
}

/** What is meant to differ; only what is named here, and it must be so. */
export interface Difference {
  readonly because: Reason;
  readonly skopeo?: Expectation;
  readonly ours?: Expectation;
}

export interface Expectation {
  readonly code?: number;
  readonly stdout?: string | RegExp;
  readonly stderr?: RegExp;
  /** The names of all files and tags. */
  readonly left?: readonly string[];
}

/** What a run did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Name → content: files below the directory, and `registry/REPOSITORY:TAG`. */
  readonly left: ReadonlyMap<string, Buffer>;
}

/** Lines that have the rest in common. */
export function lines(texts: readonly string[], rest: Omit<Case, 'line'> = {}): readonly Case[] {
  return texts.map((line) => ({ line, ...rest }));
}

/** Every line of every table is run when SKOPEO_TABLE is `all`, which takes minutes. */
const ALL = process.env['SKOPEO_TABLE'] === 'all';

/**
 * Every `step`th line of a product of many by many. With a step that shares no factor with the length
 * of a row, each of both occurs.
 */
export function sample(step: number, cases: readonly Case[]): readonly Case[] {
  return ALL ? cases : cases.filter((_, at) => at % step === 0);
}
