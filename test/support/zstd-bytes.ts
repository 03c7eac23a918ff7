/**
 * A zstd that stores its content: Node 20 can't make others.
 *
 * Source: RFC 8878, 3.1.1.
 */
const MAX_BLOCK = 128 * 1024;

export function storedZstd(content: Buffer): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  head.writeUInt32LE(content.length, 5);
  const parts: Buffer[] = [head];
  for (let at = 0; at === 0 || at < content.length; at += MAX_BLOCK) {
    const block = content.subarray(at, at + MAX_BLOCK);
    const isLast = at + MAX_BLOCK >= content.length ? 1 : 0;
    const blockHead = Buffer.alloc(3);
    blockHead.writeUIntLE((block.length << 3) | isLast, 0, 3);
    parts.push(blockHead, block);
  }
  return Buffer.concat(parts);
}

/** Of zeros: some bytes that become many. */
export function zstdOfZeros(blocks: number): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]); // a window of 128 KiB
  const zeros = Array.from({ length: blocks }, (_, at) => {
    const block = Buffer.alloc(4);
    block.writeUIntLE((MAX_BLOCK << 3) | (1 << 1) | (at === blocks - 1 ? 1 : 0), 0, 3);
    return block;
  });
  return Buffer.concat([head, ...zeros]);
}
