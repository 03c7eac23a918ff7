/** Lengths of time as Go writes them: `90s`, `1h30m`, `1.5s`. Source: https://pkg.go.dev/time#ParseDuration */
import { RegistrySyncError } from '../../base/errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const UNITS = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/**
 * Milliseconds.
 *
 * @throws {RegistrySyncError} `USAGE` when `text` is no length of time.
 */
export function readDuration(option: string, text: string): number {
  const parts = [...text.matchAll(UNITS)];
  const isWhole = parts.map(([part]) => part).join('') === text.replace(/^\+/, '');
  if (text === '0') return 0;
  if (text === '' || parts.length === 0 || !isWhole) {
    const message = `--${option}: ${JSON.stringify(text)} is no length of time: write for example 30s or 1m30s`;
    throw new RegistrySyncError('USAGE', message);
  }
  return parts.reduce((all, [, count, unit = '']) => all + Number(count) * (UNIT_MS[unit] ?? 0), 0);
}
