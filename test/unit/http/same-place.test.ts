import { equal } from 'node:assert/strict';
import { it } from 'node:test';

import { mayBeOne } from '../../../src/http/same-place.ts';

it('two names of one port of this machine are one registry', async () => {
  equal(await mayBeOne('localhost:5000', '127.0.0.1:5000'), 'is');
  equal(await mayBeOne('127.1:5000', '127.0.0.1:5000'), 'is');
});

it('ports of one machine are several registries, and so are addresses of it', async () => {
  equal(await mayBeOne('localhost:5000', '127.0.0.1:5001'), undefined);
  equal(await mayBeOne('127.0.0.2:5000', '127.0.0.1:5000'), undefined);
});

it('registries at one address may be one, or stand behind one proxy', async () => {
  equal(await mayBeOne('192.0.2.1', '192.0.2.1:443'), 'shares');
});

it('names that nobody knows have no address in common', async () => {
  equal(await mayBeOne('a.invalid', 'b.invalid'), undefined);
});
