import { deepEqual, equal } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import type { RegistrySyncError } from '../../../src/base/errors.ts';
import { responseError } from '../../../src/registry/response-error.ts';

const REQUEST = { method: 'PUT', url: new URL('https://r.test/v2/a/manifests/1?sig=x') } as const;

function errorOf(status: number, body: string): Promise<RegistrySyncError> {
  const response = { status, headers: {}, body: Readable.from([Buffer.from(body)]) };
  return responseError(REQUEST, response, 'r.test/a:1');
}
const coded = (...codes: unknown[]): string =>
  JSON.stringify({ errors: codes.map((code) => ({ code, message: 'said' })) });

describe('the error that an answer means', () => {
  it('is what a code means, where that is known', async () => {
    const { message, code } = await errorOf(405, coded('X', 'REGISTRY_DISALLOWED_OPERATION'));

    deepEqual(
      [code, message],
      [
        'REJECTED',
        'r.test/a:1: refused for good: the image, its repository or the registry is locked, or its storage is full (see az acr repository show) (405, X said; REGISTRY_DISALLOWED_OPERATION said)',
      ],
    );
  });

  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'X']) {
    it(`is that of its status where the code is ${name}`, async () => {
      const { message, details } = await errorOf(400, coded(name));

      equal(message, `r.test/a:1: refused (400, ${name} said)`);
      equal(details.codes, name);
    });
  }

  for (const body of ['', '<html>', 'null', '{"errors":{}}', coded(5, null), '{"errors":[null]}']) {
    it(`is that of its status where the body says nothing: ${body}`, async () => {
      const { message, code } = await errorOf(401, body);

      equal(code, 'UNAUTHORIZED');
      equal(
        message.startsWith(
          'r.test/a:1: unauthorized: authentication required: credentials are missing or refused (401',
        ),
        true,
      );
    });
  }
});
