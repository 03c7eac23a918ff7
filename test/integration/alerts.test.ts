/** The alerts of docs/alerts.yaml, by Prometheus' own tool: each wakes somebody when it should, and nobody else. */
import { deepEqual, equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { Metrics } from '../../src/observe/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

const RULES = fileURLToPath(new URL('../../../docs/alerts.yaml', import.meta.url));
const ENDS = 'source="a", target="b"';
const SUCCESS = 'registry_sync_last_success_timestamp_seconds';

interface Case {
  readonly alert: string;
  /** Series and their values, one an hour. */
  readonly series: Readonly<Record<string, string>>;
  /** Hours after which it is looked at. */
  readonly at: number;
  readonly fires: boolean;
}

const CASES: readonly Case[] = [
  {
    alert: 'RegistrySyncNotSucceeding',
    series: { [`${SUCCESS}{command="sync", ${ENDS}}`]: '0x30' },
    at: 27,
    fires: true,
  },
  {
    alert: 'RegistrySyncNotSucceeding',
    series: { [`${SUCCESS}{command="sync", ${ENDS}}`]: '0x23 86400x30' },
    at: 47,
    fires: false,
  },
  {
    // Whoever verifies once in a while is not woken for ever.
    alert: 'RegistrySyncNotSucceeding',
    series: { [`${SUCCESS}{command="verify", ${ENDS}}`]: '0x30' },
    at: 27,
    fires: false,
  },
  {
    alert: 'RegistrySyncRowsFailed',
    series: { [`registry_sync_rows{command="sync", outcome="failed", ${ENDS}}`]: '2x5' },
    at: 1,
    fires: true,
  },
  {
    alert: 'RegistrySyncRowsFailed',
    series: { [`registry_sync_rows{command="sync", outcome="failed", ${ENDS}}`]: '0x5' },
    at: 1,
    fires: false,
  },
  {
    alert: 'RegistrySyncDiffers',
    series: { [`registry_sync_rows{command="verify", outcome="damaged", ${ENDS}}`]: '1x5' },
    at: 1,
    fires: true,
  },
  {
    alert: 'RegistrySyncDiffers',
    series: { [`registry_sync_rows{command="verify", outcome="ok", ${ENDS}}`]: '9x5' },
    at: 1,
    fires: false,
  },
  {
    alert: 'RegistrySyncCrawlShrank',
    series: { 'registry_sync_rows{command="crawl", outcome="kept", source="a"}': '100x4 49x4' },
    at: 6,
    fires: true,
  },
  {
    alert: 'RegistrySyncCrawlShrank',
    series: { 'registry_sync_rows{command="crawl", outcome="kept", source="a"}': '100x4 60x4' },
    at: 6,
    fires: false,
  },
  {
    alert: 'RegistrySyncFewPullsLeft',
    series: {
      [`registry_sync_pulls_remaining{side="source", ${ENDS}}`]: '9x5',
      [`registry_sync_pulls_limit{side="source", ${ENDS}}`]: '100x5',
    },
    at: 1,
    fires: true,
  },
  {
    alert: 'RegistrySyncSlowedDown',
    series: {
      [`registry_sync_rate_limited_requests{side="target", ${ENDS}}`]: '60x100',
      [`registry_sync_requests{side="target", ${ENDS}}`]: '1000x100',
    },
    at: 80,
    fires: true,
  },
  {
    alert: 'RegistrySyncSlowedDown',
    series: {
      [`registry_sync_rate_limited_requests{side="target", ${ENDS}}`]: '10x100',
      [`registry_sync_requests{side="target", ${ENDS}}`]: '1000x100',
    },
    at: 80,
    fires: false,
  },
];

function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

function rules(): Rule[] {
  const file = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
  return file.groups.flatMap((group) => group.rules);
}

/** Which alerts fire, as promtool sees it: it is asked to expect none, and says what it got. */
async function firing({ alert, series, at }: Case): Promise<boolean> {
  await using dir = await tempDir();
  const path = join(dir.path, 'test.yaml');
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
  const test = {
    rule_files: [RULES],
    evaluation_interval: '1h',
    tests: [
      {
        interval: '1h',
        input_series: input,
        alert_rule_test: [{ eval_time: `${at}h`, alertname: alert, exp_alerts: [] }],
      },
    ],
  };
  await writeFile(path, JSON.stringify(test)); // is YAML
  const { status, output } = promtool('test', 'rules', path);
  equal(status === 0 || output.includes(`alertname="${alert}"`), true, output);
  return status !== 0;
}

describe('the alerts of the documentation', () => {
  it('are rules that Prometheus takes', () => {
    const { status, output } = promtool('check', 'rules', RULES);
    equal(status, 0, output);
  });

  for (const one of CASES) {
    const values = Object.values(one.series).join(' and ');
    it(`${one.alert} ${one.fires ? 'fires' : 'is quiet'} at ${values} after ${one.at} h`, async () => {
      equal(await firing(one), one.fires);
    });
  }

  it('are all tried', () => {
    const fired = new Set(CASES.filter(({ fires }) => fires).map(({ alert }) => alert));
    deepEqual(
      rules()
        .map(({ alert }) => alert)
        .filter((alert) => !fired.has(alert)),
      [],
    );
  });

  it('speak of metrics that there are', async () => {
    const traffic = {
      requests: 1,
      repeated: 0,
      limited: 0,
      received: 0,
      sent: 0,
      fastestMs: 0,
      waiting: 0,
      pullLimit: { limit: 100, remaining: 5, windowSeconds: 1 },
    };
    const measured = () => ({ rows: { failed: 1 }, traffic: { source: traffic } });
    const metrics = new Metrics({ labels: {}, version: '1', measured, clock: new FakeClock() });
    metrics.end('complete', 1);
    const text = await metrics.text();
    const named = new Set(rules().flatMap(({ expr }) => expr.match(/registry_sync_\w+/g) ?? []));

    deepEqual(
      [...named].filter((name) => !new RegExp(`^${name}[{ ]`, 'm').test(text)),
      [],
    );
  });
});
