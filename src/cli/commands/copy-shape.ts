/** What the options of `copy` ask of the image's shape. */
import { RegistrySyncError } from '../../base/errors.ts';
import type { Choice, Compression, Shape } from '../../copy/shape.ts';
import { parsePlatform } from '../../image/platform.ts';
import type { Transport } from '../../store/location.ts';
import type { Values } from '../command.ts';
import { readMachine } from '../options/machine.ts';
import { readForm } from '../options/manifest-form.ts';
import type { COPY_OPTIONS } from './copy-options.ts';

export type CopyValues = Values<typeof COPY_OPTIONS>;

export type WantedShape = Omit<Shape, 'limits' | 'tmpdir'>;

/** @throws {RegistrySyncError} `USAGE` when options contradict each other, `UNSUPPORTED` for zstd:chunked. */
export function readShape(values: CopyValues, destination: Transport): WantedShape {
  return {
    choice: readChoice(values),
    form: readForm(values.format),
    compression: readCompression(values, destination),
    preserveDigests: values['preserve-digests'],
  };
}

function readChoice(values: CopyValues): Choice {
  const which = values['multi-arch'];
  if (values.all && which !== undefined) {
    throw new RegistrySyncError('USAGE', 'give only one of --all and --multi-arch');
  }
  if (values.all || which === 'all') return { kind: 'all' };
  if (which === undefined || which === 'system') {
    return { kind: 'system', platform: readMachine(values) };
  }
  if (which === 'index-only') return { kind: 'index-only' };
  if (!which.includes('/')) {
    const message = `--multi-arch: ${JSON.stringify(which)} is none of system, all, index-only, and no list of platforms`;
    throw new RegistrySyncError('USAGE', message);
  }
  return { kind: 'platforms', platforms: which.split(',').filter(Boolean).map(parsePlatform) };
}

/** In a directory layers stay as they are unless told; elsewhere a format that is given is meant. */
function readCompression(values: CopyValues, destination: Transport): Compression | undefined {
  const { 'dest-compress': compresses, 'dest-decompress': decompresses } = values;
  const format = readFormat(values);
  const level = values['dest-compress-level'];
  checkLevel(format ?? 'gzip', level);
  if (destination === 'dir' && decompresses) return { format: 'plain' };
  if (destination === 'dir' ? !compresses : format === undefined) return undefined;
  return { format: format ?? 'gzip', ...(level !== undefined && { level }) };
}

function readFormat(values: CopyValues): 'gzip' | 'zstd' | undefined {
  const format = values['dest-compress-format'];
  if (format === 'zstd:chunked') {
    const message = '--dest-compress-format zstd:chunked is not supported: write zstd';
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  if (values['dest-force-compress-format'] && format === undefined) {
    const message = '--dest-force-compress-format needs --dest-compress-format';
    throw new RegistrySyncError('USAGE', message);
  }
  if (values['dest-compress'] && values['dest-decompress']) {
    const message = 'give only one of --dest-compress and --dest-decompress';
    throw new RegistrySyncError('USAGE', message);
  }
  return format;
}

const MAX_LEVELS = { gzip: 9, zstd: 20 };

function checkLevel(format: 'gzip' | 'zstd', level: number | undefined): void {
  const most = MAX_LEVELS[format];
  if (level === undefined || level <= most) return;
  const message = `--dest-compress-level: ${format} has levels from 1 to ${most}`;
  throw new RegistrySyncError('USAGE', message);
}
