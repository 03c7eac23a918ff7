import { deepEqual, equal, match } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { createLog, silentLog, type LogFormat } from '../../../src/base/log.ts';
import { Secrets } from '../../../src/base/redact.ts';

async function open(format: LogFormat, level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const secrets = new Secrets();
  secrets.add('hunter2');
  const log = await createLog({ level, format, secrets, write: (line) => lines.push(line) });
  return { lines, log };
}

describe('a log in JSON', () => {
  it('is an object per line: time, level, message and facts', async () => {
    const { lines, log } = await open('json');

    log.info({ target: 'r.test/a:1', bytes: 12 }, 'image copied');

    const [line = ''] = lines;
    const { time, ...rest } = JSON.parse(line) as { time: string };
    deepEqual(rest, { level: 'info', target: 'r.test/a:1', bytes: 12, msg: 'image copied' });
    match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    match(line, /^[^\n]*\n$/);
  });
});

describe('a log for people', () => {
  it('is a sentence per line', async () => {
    const { lines, log } = await open('text');

    log.warn({ target: 'r.test/a:1', bytes: 12, failed: false }, 'image copied');

    equal(lines.length, 1);
    match(
      lines[0] ?? '',
      /^\[\d\d:\d\d:\d\d\] WARN: image copied target=r.test\/a:1 bytes=12 failed=false\n$/,
    );
  });

  it('quotes what could be misread, and what could steer a terminal', async () => {
    const { lines, log } = await open('text');

    log.info({ a: 'two words', b: 'x=y', c: '\u001b[2J', d: 'a\nb', e: { f: [1] }, g: '' }, 'said');

    match(
      lines[0] ?? '',
      /said a="two words" b="x=y" c="\\u001b\[2J" d="a\\nb" e=\{"f":\[1\]\} g=\n$/,
    );
  });
});

for (const format of ['text', 'json'] as const) {
  describe(`a log as ${format}`, () => {
    it('hides secrets', async () => {
      const { lines, log } = await open(format);

      log.error({ error: 'password hunter2 refused' }, 'Bearer abcdefgh');

      equal(/hunter2|abcdefgh/.test(lines.join('')), false);
    });

    it('says only what its level allows', async () => {
      const { lines, log } = await open(format);

      log.debug('a detail');
      (await open(format, 'debug')).log.debug('another');

      deepEqual(lines, []);
      equal(log.isLevelEnabled('debug'), false);
    });
  });
}

describe('a silent log', () => {
  it('has no level', () => equal(silentLog().isLevelEnabled('error'), false));
});
