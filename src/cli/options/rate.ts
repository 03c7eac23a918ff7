/** A number of bytes per second, as people write it. */
import { RegistrySyncError } from '../../base/errors.ts';

const RATE = /^(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?(?:\/s)?$/i;
const POWERS = ['', 'k', 'm', 'g', 't'];

/**
 * Reads `500kB`, `20MB`, `1.5MiB/s` or a plain number of bytes.
 *
 * @throws {RegistrySyncError} `USAGE` that names the option.
 */
export function readRate(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, prefix = '', binary] = RATE.exec(text.trim()) ?? [];
  const rate = Number(number) * (binary ? 1024 : 1000) ** POWERS.indexOf(prefix.toLowerCase());
  if (rate >= 1) return rate;
  const message = `--${option}: ${JSON.stringify(text)} is no number of bytes per second, as in 20MB`;
  throw new RegistrySyncError('USAGE', message);
}
