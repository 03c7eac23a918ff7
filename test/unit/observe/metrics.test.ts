import { deepEqual, equal, match } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Traffic } from '../../../src/http/traffic.ts';
import type { Measured } from '../../../src/observe/measured.ts';
import { LAST_SUCCESS, Metrics } from '../../../src/observe/metrics.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const NOTHING: Measured = { rows: {}, traffic: {} };

function metricsOf(measured: () => Measured, clock = new FakeClock()): Metrics {
  return new Metrics({ labels: { command: 'sync' }, version: '1.2.3', measured, clock });
}

/** The samples of a metric, as they stand in the text. */
async function samplesOf(metrics: Metrics, name: string): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(`${name}{`));
}

describe('metrics', () => {
  it('are what is measured when they are asked for', async () => {
    const rows: Record<string, number> = { copied: 1 };
    const metrics = metricsOf(() => ({ ...NOTHING, rows }));

    deepEqual(await samplesOf(metrics, 'registry_sync_rows'), [
      'registry_sync_rows{outcome="copied",command="sync"} 1',
    ]);
    rows['copied'] = 2;
    rows['failed'] = 1;
    deepEqual(await samplesOf(metrics, 'registry_sync_rows'), [
      'registry_sync_rows{outcome="copied",command="sync"} 2',
      'registry_sync_rows{outcome="failed",command="sync"} 1',
    ]);
  });

  it('say nothing of what is not known', async () => {
    const metrics = metricsOf(() => NOTHING);

    deepEqual(await samplesOf(metrics, 'registry_sync_rows_expected'), []);
    deepEqual(await samplesOf(metrics, 'registry_sync_requests'), []);
    deepEqual(await samplesOf(metrics, LAST_SUCCESS), []);
  });

  it('have the pulls of the side that counts them', async () => {
    const [source, target] = [new Traffic(), new Traffic()];
    source.pullLimit = { limit: 100, remaining: 7, windowSeconds: 21_600 };
    const metrics = metricsOf(() => ({ ...NOTHING, traffic: { source, target } }));

    deepEqual(await samplesOf(metrics, 'registry_sync_pulls_remaining'), [
      'registry_sync_pulls_remaining{side="source",command="sync"} 7',
    ]);
  });

  it('count how long rows took, and the run', async () => {
    const clock = new FakeClock();
    const metrics = metricsOf(() => NOTHING, clock);
    metrics.noteRow(40);
    metrics.noteRow(2500);
    clock.advance(90_000);

    const buckets = await samplesOf(metrics, 'registry_sync_row_duration_seconds_bucket');
    deepEqual(
      buckets.map((line) => line.replace(/^.*le="([^"]+)".* (\d+)$/, '$1:$2')).slice(0, 6),
      ['0.01:0', '0.05:1', '0.1:1', '0.5:1', '1:1', '5:2'],
    );
    match((await samplesOf(metrics, 'registry_sync_duration_seconds')).join(), / 90$/);
  });

  it('say how the run ended, and when one was well last', async () => {
    const metrics = metricsOf(() => NOTHING);

    metrics.end('partial', 1_700_000_000);

    const states = await samplesOf(metrics, 'registry_sync_state');
    deepEqual(
      states.map((line) => line.replace(/^.*state="(\w+)".* (\d)$/, '$1:$2')),
      ['complete:0', 'partial:1', 'failed:0'],
    );
    equal((await samplesOf(metrics, LAST_SUCCESS))[0]?.split(' ')[1], '1700000000');
  });
});
