import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';

import { Screen } from '../../../src/cli/screen.ts';

/** A stream that keeps what is written to it. */
function memory(isTTY?: boolean): Writable & { text: string; isTTY?: boolean; columns?: number } {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.text += chunk.toString();
      done();
    },
  });
  const written = Object.assign(stream, {
    text: '',
    ...(isTTY && { isTTY, columns: 80, rows: 24 }),
  });
  return written;
}

function terminal(): ReturnType<typeof memory> {
  return Object.assign(memory(true), {
    cursorTo: () => true,
    moveCursor: () => true,
    clearLine: () => true,
    clearScreenDown: () => true,
  });
}

describe('Screen', () => {
  it('writes lines as they are while there is no bar', () => {
    const stderr = memory();
    const screen = new Screen(stderr);

    screen.write('a line\n');
    screen.update({ done: 1, text: 'nobody sees it' });
    screen.close();

    deepEqual([screen.isTerminal, stderr.text], [false, 'a line\n']);
  });

  it('shows a bar on a terminal, and lines above it', async () => {
    const stderr = terminal();
    const screen = new Screen(stderr);
    equal(screen.isTerminal, true);

    await screen.showProgress(200);
    screen.update({ done: 50, text: '1 failed, 2.0 MB moved' });
    screen.write('image copied\n');
    await new Promise((resolve) => setTimeout(resolve, 450));
    screen.close();
    screen.write('after\n');

    match(stderr.text, /50\/200 images {2}1 failed, 2\.0 MB moved/);
    match(stderr.text, /image copied\n/);
    ok(stderr.text.endsWith('after\n'));
  });

  it('shows what is counted where nobody knows how much there will be', async () => {
    const stderr = terminal();
    const screen = new Screen(stderr);
    let tags = 0;

    await screen.showCounts(() => `${tags} tags`);
    tags = 7;
    await new Promise((resolve) => setTimeout(resolve, 650));
    screen.close();
    const shown = stderr.text.length;
    await new Promise((resolve) => setTimeout(resolve, 450));

    match(stderr.text, /7 tags/);
    equal(stderr.text.length, shown);
  });
});
