/**
 * Platforms: which machines an image of an index is for.
 *
 * Source: OCI Image Specification 1.1, «Image Index», property `platform`.
 */
import { RegistrySyncError } from '../base/errors.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

/**
 * Reads `os/architecture[/variant]`.
 *
 * @throws {RegistrySyncError} `USAGE` when `text` is no platform.
 */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.toLowerCase().split('/');
  const parts = [os, architecture, variant ?? 'none'];
  if (rest.length > 0 || !parts.every((part) => part !== undefined && /^[\w.-]+$/.test(part))) {
    const message = `${JSON.stringify(text)} is no platform: write os/architecture[/variant], as in linux/arm64 or linux/arm/v7`;
    throw new RegistrySyncError('USAGE', message);
  }
  const platform = { os: os as string, architecture: architecture as string };
  return variant === undefined ? platform : { ...platform, variant };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** Whether an image for `offered` is what `wanted` asks for. A part that `wanted` leaves out matches any. */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  return (
    wanted.os === offered.os &&
    wanted.architecture === offered.architecture &&
    (wanted.variant === undefined || wanted.variant === variantOf(offered))
  );
}

/** arm64 without a variant is v8: there is no other. */
function variantOf({ architecture, variant }: Platform): string | undefined {
  return variant ?? (architecture === 'arm64' ? 'v8' : undefined);
}
