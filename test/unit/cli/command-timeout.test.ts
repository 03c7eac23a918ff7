import { equal, rejects } from 'node:assert/strict';
import { it } from 'node:test';

import { systemClock } from '../../../src/base/clock.ts';
import type { Shutdown } from '../../../src/cli/command.ts';
import { withinTimeout } from '../../../src/cli/command-timeout.ts';

function shutdown(): Shutdown & { abort: () => void } {
  const [stopping, aborting] = [new AbortController(), new AbortController()];
  return {
    stopping: stopping.signal,
    signal: aborting.signal,
    graceMs: 0,
    abort: () => aborting.abort(new Error('stopped by a test')),
  };
}

it('gives up what runs when the time is over, and says so', async () => {
  const work = ({ signal }: Shutdown): Promise<void> => systemClock.sleep(60_000, signal);

  await rejects(withinTimeout('20ms', shutdown(), work), {
    code: 'CANCELLED',
    message: 'gave up after --command-timeout 20ms',
  });
});

it('starts nothing new either', async () => {
  await rejects(
    withinTimeout('1ms', shutdown(), ({ stopping }) => systemClock.sleep(60_000, stopping)),
    { code: 'CANCELLED' },
  );
});

it('leaves the run as it is when there is none', async () => {
  const outer = shutdown();
  equal(await withinTimeout(undefined, outer, async (inner) => inner === outer), true);
  equal(await withinTimeout('0', outer, async (inner) => inner === outer), true);
});

it('passes signals and the grace period on', async () => {
  const outer = shutdown();
  await withinTimeout('1h', outer, async (inner) => {
    inner.graceMs = 5;
    outer.abort();
    equal(inner.signal.aborted, true);
  });
  equal(outer.graceMs, 5);
});
