import { equal } from 'node:assert/strict';
import { it } from 'node:test';

import { counted } from '../../../src/base/counted.ts';

it('what is counted stands in its number', () => {
  equal(counted(1, 'row'), '1 row');
  equal(counted(0, 'row'), '0 rows');
  equal(counted(1234, 'repository'), '1,234 repositories');
  equal(counted(2, 'day'), '2 days');
});
