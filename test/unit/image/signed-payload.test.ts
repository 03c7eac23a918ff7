import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { signedPayload } from '../../../src/image/signed-payload.ts';

const BODY = '{\n  "schemaVersion": 1,\n  "name": "a"';
const TAIL = '\n}';

function signed(...headers: unknown[]): Buffer {
  const signatures = headers.map((header) => ({
    protected: Buffer.from(JSON.stringify(header)).toString('base64url'),
  }));
  return Buffer.from(`${BODY},\n  "signatures": ${JSON.stringify(signatures)}${TAIL}`);
}

const HEADER = { formatLength: BODY.length, formatTail: Buffer.from(TAIL).toString('base64url') };

describe('signedPayload', () => {
  it('is what was signed', () => {
    equal(String(signedPayload(signed(HEADER))), BODY + TAIL);
    equal(String(signedPayload(signed(HEADER, HEADER))), BODY + TAIL);
  });

  it('is nothing for manifests of other kinds', () => {
    for (const text of [
      '{}',
      'x',
      '[]',
      '{"schemaVersion":1}',
      '{"schemaVersion":2,"signatures":[]}',
    ]) {
      equal(signedPayload(Buffer.from(text)), undefined, text);
    }
  });

  it('refuses signatures that do not agree, or say nothing', () => {
    const other = { ...HEADER, formatLength: 3 };
    const wrong = [
      signed(),
      signed(HEADER, other),
      signed({}),
      signed({ ...HEADER, formatLength: 1e9 }),
    ];
    for (const bytes of [...wrong, Buffer.from('{"schemaVersion":1,"signatures":3}')]) {
      throws(() => signedPayload(bytes), { code: 'PROTOCOL' });
    }
  });
});
