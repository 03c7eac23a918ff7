/** Which machine images are for, where one of several platforms is taken. */
import type { Platform } from '../../image/platform.ts';

/** What Node calls otherwise than Go. Source: https://go.dev/doc/install/source#environment */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mips64el: 'mips64le',
  mipsel: 'mipsle',
  loong64: 'loong64',
};

const SYSTEMS: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' };

export interface MachineOptions {
  readonly 'override-os': string | undefined;
  readonly 'override-arch': string | undefined;
  readonly 'override-variant': string | undefined;
}

/** This machine, as far as options say nothing else. */
export function readMachine(
  options: MachineOptions,
  { platform, arch }: Pick<NodeJS.Process, 'platform' | 'arch'> = process,
): Platform {
  const os = options['override-os'] ?? SYSTEMS[platform] ?? platform;
  const architecture = options['override-arch'] ?? ARCHITECTURES[arch] ?? arch;
  const variant = options['override-variant'];
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}
