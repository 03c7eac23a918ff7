/** Why images failed, without the names in it: so that a thousand failures of one kind are one line. */

const RULES: readonly (readonly [RegExp, string])[] = [
  [/\bsha(?:256|384|512):[0-9a-f]{6,}/g, 'DIGEST'],
  [/\bhttps?:\/\/([^\s/:]+(?::\d+)?)[^\s:,;)"]*/g, '$1'], // whose server it was says enough
  [/^(source|target) ([^\s/]+)\/[^\s]+?(?=:? )/, '$1 $2'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, 'ID'],
  [/\b[0-9a-f]{16,}\b/g, 'ID'],
  [/(?<!:)\b\d{4,}\b/g, 'N'], // but not a port,
];

/** Names of the row in an error, most special first. */
export interface RowNames {
  readonly path: string;
  readonly name: string;
  /** With or without its tag; may be empty. */
  readonly target: string;
}

export function reasonOf(error: string, { path, name, target }: RowNames): string {
  let reason = error;
  for (const [pattern, words] of RULES) reason = reason.replaceAll(toGlobal(pattern), words);
  for (const known of [target, path]) {
    if (known === '') continue;
    reason = reason.replaceAll(`${known}:${name}`, 'IMAGE').replaceAll(known, 'REPOSITORY');
  }
  return reason;
}

function toGlobal(pattern: RegExp): RegExp {
  return pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`);
}

/** So many kinds are told apart; what comes after them is one. */
const MAX_REASONS = 500;
/** Rows of a kind that are named. */
const MAX_EXAMPLES = 20;
const OTHERS = 'other reasons';

export interface Reason {
  readonly text: string;
  readonly count: number;
  /** Rows: the first ones. */
  readonly examples: readonly number[];
}

/** Groups failures by reason; memory does not grow with them. */
export class Reasons {
  readonly #kinds = new Map<string, { count: number; examples: number[] }>();

  add(reason: string, row: number): void {
    const isKnown = this.#kinds.has(reason) || this.#kinds.size < MAX_REASONS;
    const text = isKnown ? reason : OTHERS;
    const kind = this.#kinds.get(text) ?? { count: 0, examples: [] };
    kind.count += 1;
    if (kind.examples.length < MAX_EXAMPLES) kind.examples.push(row);
    this.#kinds.set(text, kind);
  }

  /** The most frequent first. */
  list(): Reason[] {
    return [...this.#kinds]
      .map(([text, { count, examples }]) => ({ text, count, examples }))
      .toSorted((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1));
  }
}
