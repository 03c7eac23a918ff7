import { deepEqual, equal } from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';

import { LinkedAbort } from '../../../src/base/linked-abort.ts';

describe('LinkedAbort', () => {
  it('is aborted with its parent, for the same reason', () => {
    const parent = new AbortController();
    using linked = new LinkedAbort(parent.signal);

    parent.abort('why');

    deepEqual([linked.signal.aborted, linked.signal.reason], [true, 'why']);
  });

  it('is aborted from the start when its parent is', () => {
    using linked = new LinkedAbort(AbortSignal.abort('why'));

    equal(linked.signal.reason, 'why');
  });

  it('leaves its parent be, and keeps its first reason', () => {
    const parent = new AbortController();
    using linked = new LinkedAbort(parent.signal);

    linked.abort('mine');
    const wasAborted = parent.signal.aborted;
    parent.abort('later');

    deepEqual([wasAborted, linked.signal.reason], [false, 'mine']);
  });

  it('leaves nothing behind', () => {
    const parent = new AbortController();
    {
      using linked = new LinkedAbort(parent.signal);
      equal(getEventListeners(parent.signal, 'abort').length, 1);
      equal(linked.signal.aborted, false);
    }

    equal(getEventListeners(parent.signal, 'abort').length, 0);
  });
});
