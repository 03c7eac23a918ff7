/** A program that needs nothing but the kernel. */

const BASE = 0x400000n;
const HEADERS = 64 + 56;

/**
 * An executable for Linux on x86-64 that writes `text` and ends.
 *
 * Source: System V ABI, AMD64 supplement; elf(5).
 */
export function helloProgram(text: string): Buffer {
  const message = Buffer.from(text);
  const code = codeFor(BASE + BigInt(HEADERS) + BigInt(codeFor(0n, 0).length), message.length);
  const size = BigInt(HEADERS + code.length + message.length);
  const header = Buffer.alloc(64);
  Buffer.from('7f454c46020101', 'hex').copy(header);
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BASE + BigInt(HEADERS), 24); // where it begins
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const segment = Buffer.alloc(56);
  segment.writeUInt32LE(1, 0); // is loaded
  segment.writeUInt32LE(5, 4); // read and execute
  segment.writeBigUInt64LE(BASE, 16);
  segment.writeBigUInt64LE(BASE, 24);
  segment.writeBigUInt64LE(size, 32);
  segment.writeBigUInt64LE(size, 40);
  segment.writeBigUInt64LE(0x1000n, 48);
  return Buffer.concat([header, segment, code, message]);
}

/** write(1, address, length); exit(0) */
function codeFor(address: bigint, length: number): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64LE(address);
  const count = Buffer.alloc(4);
  count.writeUInt32LE(length);
  const hex = (text: string): Buffer => Buffer.from(text, 'hex');
  return Buffer.concat([
    hex('b801000000bf0100000048be'),
    place,
    hex('ba'),
    count,
    hex('0f05b83c00000031ff0f05'),
  ]);
}
