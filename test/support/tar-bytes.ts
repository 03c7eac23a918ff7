/**
 * Tars of any entries, as other programs and attackers write them.
 *
 * Source: POSIX.1-2017, «ustar Interchange Format», «pax Interchange Format».
 */
const BLOCK = 512;
const TYPES = {
  file: '0',
  link: '1',
  symlink: '2',
  characterDevice: '3',
  blockDevice: '4',
  directory: '5',
  fifo: '6',
  sparse: 'S',
  pax: 'x',
} as const;

export interface TarBytesEntry {
  readonly name: string;
  readonly type?: keyof typeof TYPES;
  readonly content?: Buffer | string;
  readonly linkname?: string;
  /** 0o644 unless given. */
  readonly mode?: number;
  /** Said to be so large, whatever the content is. Bytes. */
  readonly size?: number;
  /** Attributes that stand in a header before the entry. */
  readonly pax?: Readonly<Record<string, string>>;
}

/** The entries as they are, in their order. */
export function tarOf(entries: readonly TarBytesEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(2 * BLOCK)]);
}

function blocksOf(entry: TarBytesEntry): Buffer[] {
  const { pax, content = '' } = entry;
  const bytes = Buffer.from(content);
  const before =
    pax === undefined ? [] : blocksOf({ name: 'pax', type: 'pax', content: paxRecords(pax) });
  return [
    ...before,
    headerOf(entry, bytes.length),
    bytes,
    Buffer.alloc(-bytes.length & (BLOCK - 1)),
  ];
}

function paxRecords(pax: Readonly<Record<string, string>>): string {
  return Object.entries(pax)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      const length = Buffer.byteLength(rest);
      const digits = String(length + String(length + 2).length).length;
      return `${length + digits}${rest}`;
    })
    .join('');
}

function headerOf(
  { name, type = 'file', linkname = '', mode = 0o644, size }: TarBytesEntry,
  length: number,
): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${(size ?? length).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(TYPES[type], 156);
  header.write(linkname, 157, 100);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
