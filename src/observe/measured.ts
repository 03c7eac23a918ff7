/** What can be counted of a run: what metrics are made of. */
import type { Traffic } from '../http/traffic.ts';

export interface Measured {
  /** Rows (or tags) by what came of them: `copied`, `failed` … */
  readonly rows: Readonly<Record<string, number>>;
  /** How many there will be, where it is known. */
  readonly expected?: number | undefined;
  /** Repositories by what came of them; of a crawl. */
  readonly repositories?: Readonly<Record<string, number>>;
  /** Of layers and configs, by how they came to the target: `copied`, `mounted`. */
  readonly bytes?: Readonly<Record<string, number>>;
  /** What went over the wire, by side. */
  readonly traffic: Readonly<Partial<Record<'source' | 'target', Traffic>>>;
}
