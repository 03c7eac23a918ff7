import { deepEqual, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { InTurn } from '../../../src/base/in-turn.ts';

/** Work that notes when it begins and ends. */
function noting() {
  const notes: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    notes.push(`${name} begins`);
    await new Promise(setImmediate);
    notes.push(`${name} ends`);
    return name;
  };
  return { notes, work };
}

describe('InTurn', () => {
  it('does one thing at a time per key, in order', async () => {
    const turns = new InTurn<string>();
    const { notes, work } = noting();

    const results = await Promise.all(['a', 'b', 'c'].map((name) => turns.run('k', work(name))));

    deepEqual(results, ['a', 'b', 'c']);
    deepEqual(notes, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('lets keys be', async () => {
    const turns = new InTurn<string>();
    const { notes, work } = noting();

    await Promise.all(['a', 'b'].map((name) => turns.run(name, work(name))));

    deepEqual(notes, ['a begins', 'b begins', 'a ends', 'b ends']);
  });

  it('goes on after a failure, which only its own caller sees', async () => {
    const turns = new InTurn<string>();
    const { notes, work } = noting();
    const fail = async (): Promise<void> => {
      throw new Error('down');
    };

    const failed = turns.run('k', fail);
    const next = turns.run('k', work('b'));

    await rejects(failed, { message: 'down' });
    await next;
    deepEqual(notes, ['b begins', 'b ends']);
  });
});
