/**
 * The signature that registries want on schema 1, by a key that is made for it and forgotten: it
 * says nothing of who made the image, and docker ignores it.
 *
 * Source: https://pkg.go.dev/github.com/docker/libtrust, «JSONSignature» and key ids.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The signed manifest; `payload` is the manifest's JSON object, without spaces at its end. */
export function signSchema1(payload: string): Uint8Array {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  const kid = keyId(publicKey.export({ format: 'der', type: 'spki' }));
  const body = Buffer.from(payload);
  const head = {
    formatLength: body.byteLength - 1, // what stands before the last brace
    formatTail: encoded('}'),
    time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
  };
  const protectedHead = encoded(JSON.stringify(head));
  const signature = sign('sha256', Buffer.from(`${protectedHead}.${encoded(body)}`), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  const signatures = [
    {
      header: { jwk: { crv, kid, kty, x, y }, alg: 'ES256' },
      signature: encoded(signature),
      protected: protectedHead,
    },
  ];
  return Buffer.from(`${payload.slice(0, -1)},"signatures":${JSON.stringify(signatures)}}`);
}

function encoded(bytes: string | Buffer): string {
  return Buffer.from(bytes).toString('base64url');
}

/** The first 240 bits of the public key's hash, in twelve groups of four letters. */
function keyId(der: Buffer): string {
  const hash = createHash('sha256').update(der).digest().subarray(0, 30);
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = bits.replace(/.{5}/g, (five) => BASE32[Number.parseInt(five, 2)] ?? '');
  return letters.replace(/(.{4})(?=.)/g, '$1:');
}
