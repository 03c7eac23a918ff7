/** Options for those who watch runs: operators, and the programs that wake them. */
import { randomBytes } from 'node:crypto';

import { RegistrySyncError } from '../../base/errors.ts';
import type { OptionSpec } from '../command.ts';

const WATCH = 'For operators:';

export const OBSERVE_OPTIONS = {
  'run-id': {
    type: 'string',
    group: WATCH,
    describe: 'name of this run in its JSON log and its record; made up unless given',
  },
  'termination-log': {
    type: 'string',
    group: WATCH,
    describe:
      'file that gets the line that sums the run up, or its error (/dev/termination-log, where Kubernetes makes one)',
  },
  'metrics-file': {
    type: 'string',
    group: WATCH,
    describe: "metrics for Prometheus' node exporter: a file that ends in .prom",
  },
  'metrics-listen': {
    type: 'string',
    group: WATCH,
    describe: 'serve /metrics at [HOST:]PORT while the run lasts',
  },
  'metrics-push': {
    type: 'string',
    group: WATCH,
    describe:
      'URL of a Pushgateway that gets the metrics at the end (METRICS_USERNAME and METRICS_PASSWORD, or the same with _FILE, where it asks for them)',
  },
} as const satisfies Record<string, OptionSpec>;

/** The page of `report`, of a run that writes it itself. */
export const REPORT_PAGE_OPTIONS = {
  report: {
    type: 'string',
    group: WATCH,
    describe:
      'write the page of «registry-sync report» to this file when the run has ended, however it ended',
  },
  'report-previous': {
    type: 'string',
    group: WATCH,
    describe:
      'for --report: the workdir of an earlier run, or a directory with one per run: what has changed since',
  },
} as const satisfies Record<string, OptionSpec>;

/**
 * The run's id: it becomes part of logs, labels and names of directories.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function readRunId(given: string | undefined, now: number): string {
  if (given === undefined) {
    const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
    return `${time}-${randomBytes(2).toString('hex')}`;
  }
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(given)) return given;
  const shown = JSON.stringify(given.slice(0, 200));
  const message = `--run-id ${shown}: write letters, digits, ".", "_" and "-", 128 at most`;
  throw new RegistrySyncError('USAGE', message);
}
