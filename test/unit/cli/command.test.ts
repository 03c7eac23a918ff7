import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { exactlyOne } from '../../../src/cli/command.ts';

describe('exactlyOne', () => {
  it('is the one that is given', () => {
    equal(exactlyOne({ a: undefined, b: 'x' }), 'x');
  });

  it('refuses none, and names all', () => {
    throws(() => exactlyOne({ a: undefined, b: undefined }), {
      code: 'USAGE',
      message: 'give --a or --b',
    });
  });

  it('refuses both', () => {
    throws(() => exactlyOne({ a: 'x', b: 'y' }), {
      code: 'USAGE',
      message: 'give only one of --a or --b',
    });
  });
});
