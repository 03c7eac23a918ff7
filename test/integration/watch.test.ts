/** What operators see of a run: its record, its last line, its metrics, by the tools that they read them with. */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { readRecord } from '../../src/sync/run-record.ts';
import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { fleet } from '../support/fleet.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore } from '../support/registry/store.ts';
import { seedTags, tagsCsv } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const TAGS = fleet(3, 4);
const STORE = createStore();
seedTags(STORE, TAGS);

let source: Registry;
let target: Registry;
let dir: TempDir;

before(async () => {
  source = await startRegistry({ store: STORE });
});
after(() => source.close());
beforeEach(async () => {
  source.setFaults([]);
  target = await startRegistry();
  dir = await tempDir();
  await writeFile(path('tags.csv'), tagsCsv(TAGS));
});
afterEach(async () => {
  await target.close();
  await dir[Symbol.asyncDispose]();
});

const path = (name: string): string => join(dir.path, name);
const file = (name: string): Promise<string> => readFile(path(name), 'utf8');

function words(...more: string[]): string[] {
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  return ['sync', ...ends, '--workdir', dir.path, '--retry-times', '0', ...more];
}

const sync = (...more: string[]): Promise<CliResult> => runCli(words(...more));

const crawl = (...more: string[]): Promise<CliResult> =>
  runCli(['crawl', '--registry', source.host, '--workdir', dir.path, ...more]);

/** One image can't be read: its row fails. */
function breakOne(): void {
  source.setFaults([{ match: { path: /acme\/api\/manifests/ }, effect: { status: 404 } }]);
}

/** `{labels} value` of a metric, without the labels that all have. */
function valuesOf(text: string, name: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.slice(name.length))
    .map((line) => line.replaceAll(/,?(?:command|source|target|job|instance)="[^"]*"/g, ''))
    .map((line) => line.replace('{,', '{').replace(/^\{\}/, '').trim());
}

/** As Prometheus' own tool sees it. */
function lint(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

describe('the record of a run', () => {
  it('says what a sync came to', async () => {
    equal((await sync('--run-id', 'nightly-42')).code, 0);

    const record = await readRecord(dir.path, 'sync');
    const { startedAt, endedAt, message, counts, version, ...rest } = record ?? {};
    const ends = { source: source.host, target: target.host };
    deepEqual(rest, { command: 'sync', run: 'nightly-42', state: 'complete', ...ends });
    ok(Date.parse(String(startedAt)) <= Date.parse(String(endedAt)));
    match(String(message), /^12 rows: 12 copied, 0 unchanged, 0 failed;/);
    deepEqual([counts?.rows, counts?.copied, counts?.failed], [12, 12, 0]);
    match(String(version), /^\d+\.\d+\.\d+/);
  });

  it('says that rows failed, whatever a dry run says afterwards', async () => {
    breakOne();
    equal((await sync()).code, 3);
    equal((await readRecord(dir.path, 'sync'))?.state, 'partial');

    source.setFaults([]);
    equal((await sync('--dry-run')).code, 0);
    equal((await readRecord(dir.path, 'sync'))?.state, 'partial', 'still that of the real run');
    match(await file('dry-run.csv'), /,would-copy,/);
    doesNotMatch(await file('results.csv'), /would-copy/);
  });

  it('says why nothing could be done, in the place of an earlier run that was well', async () => {
    equal((await sync()).code, 0);
    await writeFile(path('tags.csv'), 'nonsense');

    const { code, stderr } = await sync();

    equal(code, 1);
    const { state, message = '' } = (await readRecord(dir.path, 'sync')) ?? {};
    equal(state, 'failed');
    ok(stderr.includes(message), message);
    match(message, /tags\.csv: line 1: no column/);
  });

  it('says of a crawl which share it was', async () => {
    equal((await crawl('--shard', '1/3')).code, 0);

    const { state, shard, counts } = (await readRecord(dir.path, 'crawl')) ?? {};
    deepEqual([state, shard, typeof counts?.tags], ['complete', '1/3', 'number']);
  });

  it('is no reason to fail where it can not be written', async () => {
    const { code, stderr } = await runCli([...words(), '--workdir', '/proc/1']);

    equal(code, 1);
    match(stderr, /can't (?:read|write) \/proc\/1/);
    doesNotMatch(stderr, /this is a bug/);
  });
});

describe('the id of a run', () => {
  it('stands in each line of a JSON log, and in none for people', async () => {
    const json = await sync('--log-format', 'json', '--run-id', 'r-1');
    const lines = json.stderr.trim().split('\n');

    ok(lines.length > 12);
    for (const line of lines) equal((JSON.parse(line) as { run: string }).run, 'r-1');
    doesNotMatch((await sync('--run-id', 'r-1')).stderr, /r-1/);
  });

  it('is made up, and not twice the same', async () => {
    const ids: (string | undefined)[] = [];
    for (let n = 0; n < 2; n += 1) {
      await sync();
      ids.push((await readRecord(dir.path, 'sync'))?.run);
    }
    for (const id of ids) match(String(id), /^\d{8}T\d{6}Z-[0-9a-f]{4}$/);
    ok(ids[0] !== ids[1]);
  });

  it('is refused where it could become something else', async () => {
    for (const id of ['../x', 'a b', '-x', 'x'.repeat(129)]) {
      const { code, stderr } = await sync(`--run-id=${id}`);
      equal(code, 1);
      match(stderr, /--run-id .*: write letters, digits/);
    }
  });
});

describe('the termination log', () => {
  it('has the line that sums the run up', async () => {
    const { stdout } = await sync('--termination-log', path('end'));
    equal(`${await file('end')}\n`, stdout);

    await crawl('--termination-log', path('end'));
    match(await file('end'), /^12 tags in 3 repositories; \d+ requests$/);
  });

  it('has the error instead, on a line', async () => {
    await writeFile(path('tags.csv'), 'x\u001b[31m');

    const { stderr } = await sync('--termination-log', path('end'));

    equal(`${await file('end')}\n`, stderr);
    ok(!(await file('end')).includes('\u001b'));
  });

  it('has the error of a command line that is wrong, and takes the place of an older text', async () => {
    await writeFile(path('end'), 'older and much longer than what comes now '.repeat(50));

    const { stderr } = await runCli(['sync', '--termination-log', path('end'), '--shard', '9/2']);

    equal(`${await file('end')}\n`, stderr);
  });

  it('that is a pipe without a reader does not hold up the run', async () => {
    equal(spawnSync('mkfifo', [path('end')]).status, 0);

    equal((await sync('--termination-log', path('end'))).code, 0);
  });

  it('is cut where Kubernetes would, and never inside a character', async () => {
    await writeFile(
      path('tags.csv'),
      `namespace,repo_name,name,digest\r\n${'ä,é,ü,x\r\n'.repeat(400)}`,
    );
    await sync('--termination-log', path('end'));

    const bytes = await readFile(path('end'));
    ok(bytes.length <= 4096);
    doesNotMatch(bytes.toString('utf8'), /\ufffd/);
  });
});

describe('metrics in a file', () => {
  it('are those of the summary, and in order for Prometheus', async () => {
    const summary = ['--summary', path('summary.json')];
    equal((await sync('--metrics-file', path('sync.prom'), ...summary)).code, 0);

    const text = await file('sync.prom');
    equal(lint(text), '');
    const { requests, bytesCopied } = JSON.parse(await file('summary.json')) as {
      requests: { source: { requests: number }; target: { requests: number } };
      bytesCopied: number;
    };
    deepEqual(valuesOf(text, 'registry_sync_rows').toSorted(), [
      '{outcome="copied"} 12',
      '{outcome="failed"} 0',
      '{outcome="unchanged"} 0',
      '{outcome="would-copy"} 0',
    ]);
    deepEqual(valuesOf(text, 'registry_sync_requests'), [
      `{side="source"} ${requests.source.requests}`,
      `{side="target"} ${requests.target.requests}`,
    ]);
    equal(valuesOf(text, 'registry_sync_content_bytes')[0], `{how="copied"} ${bytesCopied}`);
    deepEqual(valuesOf(text, 'registry_sync_rows_expected'), ['12']);
    deepEqual(valuesOf(text, 'registry_sync_row_duration_seconds_count'), ['12']);
    ok(Number(valuesOf(text, 'registry_sync_last_success_timestamp_seconds')[0]) > 1.7e9);
    match(text, new RegExp(`command="sync",source="${source.host}",target="${target.host}"`));
    deepEqual(
      (await readdir(dir.path)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('of a crawl say what was read', async () => {
    await crawl('--metrics-file', path('crawl.prom'), '--exclude-tag-regex', 'v1');

    const text = await file('crawl.prom');
    equal(lint(text), '');
    deepEqual(valuesOf(text, 'registry_sync_repositories')[0], '{outcome="read"} 3');
    match(valuesOf(text, 'registry_sync_rows').join(), /outcome="kept"\} \d+,\{outcome="dropped"/);
  });

  it('count what was repeated and what was a wish to wait', async () => {
    const effect = { status: 429, headers: { 'retry-after': '0' } };
    source.setFaults([{ match: { method: 'GET', path: /manifests/ }, effect, times: 2 }]);
    const ends = ['--source-registry', source.host, '--target-registry', target.host];
    const own = ['sync', ...ends, '--workdir', dir.path, '--retry-times', '3'];

    equal((await runCli([...own, '--metrics-file', path('sync.prom')])).code, 0);

    const text = await file('sync.prom');
    match(valuesOf(text, 'registry_sync_repeated_requests').join(), /source"\} 2/);
    match(valuesOf(text, 'registry_sync_rate_limited_requests').join(), /source"\} 2/);
  });
});

describe('metrics in a file that is there', () => {
  it('of a dry run say nothing of success', async () => {
    equal((await sync('--metrics-file', path('sync.prom'), '--dry-run')).code, 0);

    const text = await file('sync.prom');
    deepEqual(valuesOf(text, 'registry_sync_last_success_timestamp_seconds'), []);
    equal(lint(text), '');
  });

  it('of another command do not count as its success', async () => {
    equal((await crawl('--metrics-file', path('both.prom'))).code, 0);
    await writeFile(path('tags.csv'), 'nonsense');
    equal((await sync('--metrics-file', path('both.prom'))).code, 1);

    deepEqual(
      valuesOf(await file('both.prom'), 'registry_sync_last_success_timestamp_seconds'),
      [],
    );
  });

  it('of a run that failed keep when one was well last', async () => {
    const metrics = ['--metrics-file', path('sync.prom')];
    await sync(...metrics);
    const success = valuesOf(
      await file('sync.prom'),
      'registry_sync_last_success_timestamp_seconds',
    );
    await writeFile(path('tags.csv'), 'nonsense');

    equal((await sync(...metrics)).code, 1);

    const text = await file('sync.prom');
    deepEqual(valuesOf(text, 'registry_sync_last_success_timestamp_seconds'), success);
    match(valuesOf(text, 'registry_sync_state').join(), /state="failed"\} 1/);
    equal(lint(text), '');
  });

  it('can be written nowhere else than where the exporter looks, and are no reason to fail', async () => {
    match(
      (await sync('--metrics-file', path('sync.txt'))).stderr,
      /reads only files that end in \.prom/,
    );

    const { code, stderr } = await sync('--metrics-file', '/proc/1/x.prom');
    equal(code, 0);
    match(stderr, /metrics of this run could not be handed on.*\/proc\/1\/x\.prom/);
  });
});

describe('metrics at an endpoint', () => {
  it('are there while the run lasts, and then no more', async () => {
    const port = await freePort();
    source.setFaults([
      { match: { path: /acme\/api\/blobs/ }, effect: { delayMs: 3000 }, times: 1 },
    ]);
    const { result } = await startCli(words('--metrics-listen', `127.0.0.1:${port}`));
    const at = `http://127.0.0.1:${port}`;

    let text = '';
    for (let tries = 0; tries < 100 && !/copied"[^}]*\} [1-9]/.test(text); tries += 1) {
      text = await fetch(`${at}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      await sleep(50);
    }

    equal(lint(text), '');
    match(text, /registry_sync_rows\{outcome="copied"[^}]*\} [1-9]/);
    equal((await fetch(`${at}/`)).status, 404);
    equal((await fetch(`${at}/metrics`, { method: 'POST' })).status, 405);
    equal((await result).code, 0);
    equal(await fetch(`${at}/metrics`).catch(() => 'gone'), 'gone');
  });

  it('are refused where the port is taken or is none', async () => {
    const taken = String(source.url.port);
    match(
      (await sync('--metrics-listen', `127.0.0.1:${taken}`)).stderr,
      /can't listen there: another program does/,
    );
    for (const wrong of ['x', '99999', 'x:1/']) {
      match((await sync('--metrics-listen', wrong)).stderr, /write PORT or HOST:PORT/);
    }
  });
});

describe('metrics for a Pushgateway', () => {
  it('arrive at a real one, and the last success outlives a run that fails', async () => {
    const port = await freePort();
    const gateway = spawn(
      'prometheus-pushgateway',
      [`--web.listen-address=127.0.0.1:${port}`, `--persistence.file=${path('gateway')}`],
      { stdio: 'ignore' },
    );
    const at = `http://127.0.0.1:${port}`;
    try {
      await answering(`${at}/-/ready`);
      equal((await sync('--metrics-push', at)).code, 0);
      const first = await (await fetch(`${at}/metrics`)).text();
      deepEqual(valuesOf(first, 'registry_sync_rows')[0], '{outcome="copied"} 12');

      // A share has a slash in its name.
      equal((await sync('--metrics-push', at, '--shard', '0/1')).code, 0);
      match(await (await fetch(`${at}/metrics`)).text(), /registry_sync_state\{[^}]*shard="0\/1"/);

      breakOne();
      equal((await sync('--metrics-push', at, '--follow-moved')).code, 3);

      const second = await (await fetch(`${at}/metrics`)).text();
      const name = 'registry_sync_last_success_timestamp_seconds';
      deepEqual(valuesOf(second, name).at(0), valuesOf(first, name).at(0));
      match(valuesOf(second, 'registry_sync_state').join(), /state="partial"\} 1/);
    } finally {
      gateway.kill();
      await once(gateway, 'exit');
    }
  });
});

describe('metrics for a Pushgateway that wants a password', () => {
  it('come with the credentials of the environment, which go nowhere else', async () => {
    const seen: IncomingMessage[] = [];
    const gateway = createServer((request, response) => {
      seen.push(request);
      response.writeHead(307, { location: new URL('/elsewhere', source.url).href }).end();
    });
    gateway.listen(0, '127.0.0.1');
    await once(gateway, 'listening');
    const { port } = gateway.address() as AddressInfo;
    await writeFile(path('password'), 'push-secret\n');
    const env = { METRICS_USERNAME: 'me', METRICS_PASSWORD_FILE: path('password') };
    source.resetRequests();

    const { code, stderr } = await runCli(
      words('--metrics-push', `http://127.0.0.1:${port}/base`, '--debug'),
      { env },
    );
    gateway.close();

    equal(code, 0);
    const [request] = seen;
    equal(
      request?.headers.authorization,
      `Basic ${Buffer.from('me:push-secret').toString('base64')}`,
    );
    match(String(request?.url), /^\/base\/metrics\/job\/registry-sync\/command\/sync\/source\/127/);
    match(stderr, /could not be handed on.*answered 307/);
    doesNotMatch(stderr, /push-secret|bWU6cHVzaC1zZWNyZXQ/);
    deepEqual(
      source.requests.filter(({ path: asked }) => asked.includes('elsewhere')),
      [],
    );
  });
});

describe('metrics for no Pushgateway', () => {
  it('are a warning where it begins an answer and never ends it', async () => {
    const gateway = createServer((_, response) =>
      response.writeHead(200, { 'content-length': '9' }).write('x'),
    );
    gateway.listen(0, '127.0.0.1');
    await once(gateway, 'listening');
    const { port } = gateway.address() as AddressInfo;

    const { code, stderr } = await sync('--metrics-push', `http://127.0.0.1:${port}`);
    gateway.closeAllConnections();
    gateway.close();

    equal(code, 0, stderr);
    match(stderr, /could not be handed on to the Pushgateway http:\/\/127/);
    equal((await readRecord(dir.path, 'sync'))?.state, 'complete');
  });

  it('are a warning where there is none, and an error where it is no URL', async () => {
    const { code, stderr } = await sync('--metrics-push', `http://127.0.0.1:${await freePort()}`);
    equal(code, 0);
    match(stderr, /metrics of this run could not be handed on/);

    match((await sync('--metrics-push', 'gateway:9091')).stderr, /is no http or https URL/);
    const told = await sync('--metrics-push', 'http://u:push-secret@127.0.0.1:1');
    match(told.stderr, /METRICS_USERNAME and METRICS_PASSWORD/);
    doesNotMatch(told.stderr, /push-secret/);
  });
});

async function answering(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const ready = await fetch(url).then(
      ({ ok: isOk }) => isOk,
      () => false,
    );
    if (ready) return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer`);
}
