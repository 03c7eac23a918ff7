import { deepEqual, equal, rejects } from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import type { Input } from '../../../src/cli/command.ts';
import { Prompt } from '../../../src/cli/prompt.ts';

interface Scene {
  readonly prompt: Prompt;
  readonly input: PassThrough;
  /** What was printed, and how the terminal was set meanwhile. */
  readonly seen: (string | boolean)[];
  readonly abort: () => void;
}

function scene({ isTTY = true } = {}): Scene {
  const seen: (string | boolean)[] = [];
  const input = new PassThrough();
  const stdout = new PassThrough()
    .setEncoding('utf8')
    .on('data', (text: string) => seen.push(text));
  const setRawMode = (isRaw: boolean): unknown => seen.push(isRaw);
  const stdin = Object.assign(input, isTTY ? { isTTY, setRawMode } : {}) as Input;
  const aborting = new AbortController();
  const shutdown = { stopping: aborting.signal, signal: aborting.signal, graceMs: 0 };
  const prompt = new Prompt({ stdin: () => stdin, stdout, shutdown });
  return { prompt, input, seen, abort: () => aborting.abort() };
}

describe('Prompt', () => {
  it('asks for a line, and for a secret that is not shown', async () => {
    const { prompt, input, seen } = scene();
    input.write('me\r\nsec');
    setTimeout(() => input.write('rex\u007ft\r'), 20);

    equal(await prompt.line('Name: '), 'me');
    equal(await prompt.secret('Secret: ', ''), 'secret');

    await setImmediate();
    deepEqual(seen.filter((one) => typeof one === 'string').join(''), 'Name: Secret: \n');
    deepEqual(
      seen.filter((one) => typeof one === 'boolean'),
      [true, false],
    );
  });

  it('puts the terminal right when it is interrupted, or told to stop', async () => {
    const typed = scene();
    typed.input.write('sec\u0003');
    await rejects(typed.prompt.secret('Secret: ', ''), { code: 'CANCELLED' });
    const told = scene();
    setTimeout(told.abort, 10);
    await rejects(told.prompt.secret('Secret: ', ''), { code: 'CANCELLED' });
    for (const { seen } of [typed, told]) {
      deepEqual(
        seen.filter((one) => typeof one === 'boolean'),
        [true, false],
      );
    }
  });

  it('says what to do where there is no terminal', async () => {
    const { prompt } = scene({ isTTY: false });
    equal(prompt.isTerminal, false);
    await rejects(prompt.secret('Secret: ', 'do this'), { code: 'USAGE', message: /do this/ });
  });

  /** What is piped in, what is taken. */
  for (const [piped, all] of [
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['sec\nret\n\n', 'sec\nret\n'],
    ['secret', 'secret'],
    ['', ''],
  ] as const) {
    it(`takes ${JSON.stringify(all)} of ${JSON.stringify(piped)}`, async () => {
      const { prompt, input } = scene({ isTTY: false });
      input.end(piped);
      equal(await prompt.all(), all);
    });
  }

  it('has no line where none ends', async () => {
    const { prompt, input } = scene({ isTTY: false });
    input.end('me');
    equal(await prompt.line(''), undefined);
    equal(await prompt.line(''), undefined);
  });
});
