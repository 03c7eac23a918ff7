import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError, type ErrorCode } from '../../../src/base/errors.ts';
import { Outage } from '../../../src/sync/outage.ts';

const failed = (code: ErrorCode): RegistrySyncError => new RegistrySyncError(code, 'failed');

/** What is said after each of so many equal failures. */
function after(outage: Outage, failure: RegistrySyncError, times: number): boolean {
  let said = false;
  for (let n = 0; n < times; n += 1) said = outage.note(failure) !== undefined;
  return said;
}

describe('an outage', () => {
  it('is noticed after a hundred images in a row', () => {
    const outage = new Outage();

    equal(after(outage, failed('UNAVAILABLE'), 99), false);
    equal(outage.note(failed('UNAVAILABLE'))?.message, 'failed');
  });

  it('is noticed earlier where each failure takes long', () => {
    const outage = new Outage(20);

    equal(after(outage, failed('UNAVAILABLE'), 19), false);
    equal(outage.note(failed('UNAVAILABLE'))?.message, 'failed');
  });

  it('is none while some image is well', () => {
    const outage = new Outage();

    equal(after(outage, failed('UNAVAILABLE'), 99), false);
    equal(outage.note(undefined), undefined);
    equal(after(outage, failed('UNAVAILABLE'), 99), false);
  });

  it('is none when a registry answers that it fails, as it may for one repository', () => {
    const error = new RegistrySyncError('UNAVAILABLE', 'failed', { details: { status: 500 } });

    equal(after(new Outage(), error, 500), false);
  });

  it('is noticed by the answers of a gateway', () => {
    const error = new RegistrySyncError('UNAVAILABLE', 'failed', { details: { status: 503 } });

    equal(after(new Outage(), error, 100), true);
  });

  it('is none when images fail for reasons of their own', () => {
    equal(after(new Outage(), failed('NOT_FOUND'), 500), false);
  });

  it('is noticed at once when all that may be pulled has been', () => {
    const error = new RegistrySyncError('RATE_LIMITED', 'used up', { details: { isSpent: true } });
    const outage = new Outage();

    equal(outage.note(error), error);
  });

  it('is none when a registry is only busy', () => {
    equal(after(new Outage(), failed('RATE_LIMITED'), 500), false);
  });
});
