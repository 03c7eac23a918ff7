import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { systemClock } from '../../../src/base/clock.ts';
import {
  cancelled,
  isError,
  isRetryable,
  RegistrySyncError,
  throwIfAborted,
  withName,
} from '../../../src/base/errors.ts';

const DENIED = new RegistrySyncError('UNAUTHORIZED', 'denied', { details: { status: 401 } });

describe('withName', () => {
  it('puts a name in front and keeps the kind, the facts and the cause', () => {
    const named = withName(DENIED, 'r.test/a:1', { side: 'source' });

    ok(isError(named, 'UNAUTHORIZED'));
    equal(named.message, 'r.test/a:1: denied');
    deepEqual(named.details, { status: 401, side: 'source' });
    equal(named.cause, DENIED);
  });

  it('leaves bugs as they are', () => {
    const bug = new TypeError('x is undefined');

    equal(withName(bug, 'r.test/a:1'), bug);
  });
});

describe('isError', () => {
  it('knows our errors by their code', () => {
    equal(isError(DENIED, 'NOT_FOUND', 'UNAUTHORIZED'), true);
    equal(isError(DENIED, 'NOT_FOUND'), false);
    equal(isError({ code: 'UNAUTHORIZED' }, 'UNAUTHORIZED'), false);
  });
});

describe('isRetryable', () => {
  it('is what another try may help', () => {
    const codes = [
      'UNAVAILABLE',
      'RATE_LIMITED',
      'NOT_FOUND',
      'CONTENT_MISMATCH',
      'CANCELLED',
    ] as const;

    const retryable = codes.filter((code) => isRetryable(new RegistrySyncError(code, '')));

    deepEqual(retryable, ['UNAVAILABLE', 'RATE_LIMITED']);
    equal(isRetryable(new Error('ECONNRESET')), false);
  });
});

describe('cancelled', () => {
  it('is the reason of the signal when that is one of ours', () => {
    equal(cancelled(AbortSignal.abort(DENIED)), DENIED);
  });

  it('is CANCELLED, by whatever else was the reason', () => {
    const error = cancelled(AbortSignal.abort('late'));

    deepEqual([error.code, error.cause], ['CANCELLED', 'late']);
  });
});

describe('throwIfAborted', () => {
  it('throws once the signal is aborted', () => {
    throwIfAborted(new AbortController().signal);
    throws(() => throwIfAborted(AbortSignal.abort()), { code: 'CANCELLED' });
  });
});

describe('systemClock', () => {
  it('wakes up when it is aborted', async () => {
    const aborting = new AbortController();
    const sleeping = systemClock.sleep(60_000, aborting.signal);

    aborting.abort();

    await rejects(sleeping, { code: 'CANCELLED' });
    await rejects(systemClock.sleep(60_000, aborting.signal), { code: 'CANCELLED' });
  });

  it('sleeps', async () => {
    const started = systemClock.now();

    await systemClock.sleep(2, new AbortController().signal);

    ok(systemClock.now() > started);
  });
});
