import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { exitCodeOf } from '../../../src/cli/exit-code.ts';

describe('exitCodeOf', () => {
  it('is 1 for a failure of a known kind', () => {
    equal(exitCodeOf(new RegistrySyncError('USAGE', 'x')), 1);
    equal(exitCodeOf(new RegistrySyncError('UNAVAILABLE', 'x')), 1);
  });

  it('is 2 when the image that was to be read does not exist, and only then', () => {
    equal(exitCodeOf(new RegistrySyncError('NOT_FOUND', 'x', { details: { absent: true } })), 2);
    equal(exitCodeOf(new RegistrySyncError('NOT_FOUND', 'x')), 1);
  });

  it('is 70 for all else: a bug', () => {
    equal(exitCodeOf(new TypeError('x')), 70);
    equal(exitCodeOf('x'), 70);
    equal(exitCodeOf(undefined), 70);
  });
});
