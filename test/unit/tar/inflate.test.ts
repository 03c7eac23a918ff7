import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { inflated, packingOf, type Packing } from '../../../src/tar/inflate.ts';
import { collect } from '../../support/collect.ts';
import { pseudoRandomBytes } from '../../support/registry/layer-bytes.ts';
import { storedZstd, zstdOfZeros } from '../../support/zstd-bytes.ts';

const CONTENT = pseudoRandomBytes('inflate', 300_000);

async function* inPieces(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Buffer, packing: Packing, limit = 1e9): Promise<Buffer> {
  return Buffer.concat(await collect(inflated(inPieces(bytes), packing, limit)));
}

describe('packingOf', () => {
  const heads: [string, Packing | undefined][] = [
    ['1f8b0800', 'gzip'],
    ['28b52ffd', 'zstd'],
    ['425a6839', 'bzip2'],
    ['fd377a585a00', 'xz'],
    ['7573746172', undefined],
    ['', undefined],
  ];
  for (const [hex, packing] of heads) {
    it(`knows «${hex}» as ${packing ?? 'nothing'}`, () => {
      equal(packingOf(Buffer.from(hex, 'hex')), packing);
    });
  }
});

describe('inflated', () => {
  it('unpacks gzip, of several members too', async () => {
    const packed = Buffer.concat([
      gzipSync(CONTENT.subarray(0, 99)),
      gzipSync(CONTENT.subarray(99)),
    ]);

    deepEqual(await unpack(packed, 'gzip'), CONTENT);
  });

  it('unpacks zstd, of several frames too', async () => {
    const packed = Buffer.concat([
      storedZstd(CONTENT.subarray(0, 99)),
      storedZstd(CONTENT.subarray(99)),
    ]);

    deepEqual(await unpack(packed, 'zstd'), CONTENT);
  });

  for (const [packing, packed] of [
    ['gzip', gzipSync(CONTENT)],
    ['zstd', storedZstd(CONTENT)],
  ] as const) {
    it(`fails for a ${packing} that was cut`, async () => {
      await rejects(unpack(packed.subarray(0, -50_000), packing), {
        code: 'PROTOCOL',
        message: new RegExp(`is damaged ${packing}`),
      });
    });

    it(`fails for a ${packing} that grows too much`, async () => {
      await rejects(unpack(packed, packing, 1000), { code: 'PROTOCOL', message: /grows/ });
    });
  }

  it('stops a bomb early', async () => {
    await rejects(unpack(zstdOfZeros(10_000), 'zstd', 1_000_000), { code: 'PROTOCOL' });
  });

  it('refuses a zstd that wants gigabytes of memory', async () => {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, ...Buffer.alloc(20)]);

    await rejects(unpack(head, 'zstd'), { code: 'UNSUPPORTED', message: /memory/ });
  });

  it('says what to do about bzip2 and xz', async () => {
    await rejects(unpack(CONTENT, 'bzip2'), { code: 'UNSUPPORTED', message: /bunzip2 -k/ });
    await rejects(unpack(CONTENT, 'xz'), { code: 'UNSUPPORTED', message: /unxz -k/ });
  });

  it('hands on what breaks the packed bytes', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield gzipSync(CONTENT).subarray(0, 5000);
      throw new Error('the wire was cut');
    }
    const unpacking = collect(inflated(broken(), 'gzip', 1e9));

    await rejects(unpacking, { message: 'the wire was cut' });
  });
});
