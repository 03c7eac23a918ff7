/** Which machine images are chosen for: this one, unless `--override-…` say otherwise. */
import type { Platform } from '../../image/platform.ts';

/** Node's names that are not those of images. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
  loong64: 'loong64',
};
const SYSTEMS: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' };

export interface PlatformOptions {
  readonly 'override-os': string | undefined;
  readonly 'override-arch': string | undefined;
  readonly 'override-variant': string | undefined;
}

export function readSystem(values: PlatformOptions): Platform {
  const variant = values['override-variant'];
  return {
    os: values['override-os'] ?? SYSTEMS[process.platform] ?? process.platform,
    architecture: values['override-arch'] ?? ARCHITECTURES[process.arch] ?? process.arch,
    ...(variant !== undefined && { variant }),
  };
}
