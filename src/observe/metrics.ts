/**
 * A run in Prometheus' words.
 *
 * All are gauges: a run is a batch, and each value is what this run has done so far. A counter would promise to
 * go on from the last run's value.
 * Source: https://prometheus.io/docs/practices/naming/, https://prometheus.io/docs/practices/pushing/
 */
import { Gauge, Histogram, Registry } from 'prom-client';

import type { Clock } from '../base/clock.ts';
import type { Traffic } from '../http/traffic.ts';
import type { Measured } from './measured.ts';

export interface MetricsSettings {
  /** Stand on every metric: command, source, target, shard. */
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  readonly measured: () => Measured;
  readonly clock: Clock;
}

/** Of one row. Seconds. */
const BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800];

export const LAST_SUCCESS = 'registry_sync_last_success_timestamp_seconds';

type Sides = Measured['traffic'];

export class Metrics {
  readonly #registry = new Registry();
  readonly #settings: MetricsSettings;
  readonly #startedAt: number;
  readonly #rowSeconds: Histogram;

  constructor(settings: MetricsSettings) {
    this.#settings = settings;
    this.#startedAt = settings.clock.now();
    this.#registry.setDefaultLabels(settings.labels);
    this.#rowSeconds = new Histogram({
      name: 'registry_sync_row_duration_seconds',
      help: 'How long rows took.',
      buckets: BUCKETS,
      registers: [this.#registry],
    });
    this.#addRun();
    this.#addCounts();
    this.#addTraffic();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  noteRow(elapsedMs: number): void {
    this.#rowSeconds.observe(elapsedMs / 1000);
  }

  /**
   * Notes how the run ended.
   *
   * @param lastSuccess when a run ended well last, this one included. Seconds since the epoch; `undefined`: it is
   * not known.
   */
  end(state: 'complete' | 'partial' | 'failed' | 'running', lastSuccess: number | undefined): void {
    const states = this.#gauge('registry_sync_state', 'How the run ended: 1 for its state.', [
      'state',
    ]);
    for (const one of ['complete', 'partial', 'failed']) {
      states.set({ state: one }, one === state ? 1 : 0);
    }
    const ended = this.#gauge('registry_sync_end_timestamp_seconds', 'When the run ended.');
    ended.set(seconds(this.#settings.clock.now()));
    if (lastSuccess === undefined) return;
    this.#gauge(LAST_SUCCESS, 'When a run ended well last.').set(lastSuccess);
  }

  /** The exposition format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #addRun(): void {
    const { version, clock } = this.#settings;
    this.#gauge('registry_sync_info', 'The program.', ['version']).set({ version }, 1);
    this.#gauge('registry_sync_start_timestamp_seconds', 'When the run began.').set(
      seconds(this.#startedAt),
    );
    this.#collected('registry_sync_duration_seconds', 'How long the run has lasted.', (gauge) =>
      gauge.set(seconds(clock.now() - this.#startedAt)),
    );
  }

  #addCounts(): void {
    const { measured } = this.#settings;
    const by = (label: string, counts: Readonly<Record<string, number>> = {}) => {
      return (gauge: Gauge): void => {
        for (const [name, count] of Object.entries(counts)) gauge.set({ [label]: name }, count);
      };
    };
    this.#collected(
      'registry_sync_rows',
      'Rows by what came of them.',
      (gauge) => by('outcome', measured().rows)(gauge),
      ['outcome'],
    );
    this.#collected('registry_sync_rows_expected', 'Rows of the run, where known.', (gauge) => {
      const { expected } = measured();
      if (expected === undefined) gauge.remove();
      else gauge.set(expected);
    });
    this.#collected(
      'registry_sync_repositories',
      'Repositories by what came of them.',
      (gauge) => by('outcome', measured().repositories)(gauge),
      ['outcome'],
    );
    this.#collected(
      'registry_sync_content_bytes',
      'Bytes of layers and configs by how they came to the target.',
      (gauge) => by('how', measured().bytes)(gauge),
      ['how'],
    );
  }

  #addTraffic(): void {
    const each = (name: string, help: string, valueOf: (traffic: Traffic) => number | undefined) =>
      this.#collected(
        name,
        help,
        (gauge) => {
          for (const [side, traffic] of entriesOf(this.#settings.measured().traffic)) {
            const value = valueOf(traffic);
            if (value !== undefined) gauge.set({ side }, value);
          }
        },
        ['side'],
      );
    each('registry_sync_requests', 'Requests, repeated ones too.', (of) => of.requests);
    each('registry_sync_repeated_requests', 'Requests that were repeated.', (of) => of.repeated);
    each('registry_sync_rate_limited_requests', 'Answers of 429.', (of) => of.limited);
    each('registry_sync_received_bytes', 'Bytes of answers.', (of) => of.received);
    each('registry_sync_sent_bytes', 'Bytes of requests.', (of) => of.sent);
    each('registry_sync_pulls_remaining', 'Pulls left, where they are counted.', (of) => {
      return of.pullLimit?.remaining;
    });
    each('registry_sync_pulls_limit', 'Pulls allowed, where they are counted.', (of) => {
      return of.pullLimit?.limit;
    });
  }

  #gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  /** A gauge whose values are asked for when it is read. */
  #collected(
    name: string,
    help: string,
    read: (gauge: Gauge) => void,
    labelNames: readonly string[] = [],
  ): void {
    // oxlint-disable-next-line no-new -- it registers itself
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        read(this as Gauge);
      },
    });
  }
}

function entriesOf(sides: Sides): [string, Traffic][] {
  return Object.entries(sides).filter(([, traffic]) => traffic !== undefined);
}

function seconds(ms: number): number {
  return ms / 1000;
}
