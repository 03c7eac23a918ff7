/** What a command line of `sync --src` asks for, checked before anything is opened. */
import { RegistrySyncError } from '../../base/errors.ts';
import type { Referrers } from '../../copy/copier.ts';
import type { Choice } from '../../copy/shape.ts';
import { parsePlatform } from '../../image/platform.ts';
import type { ManifestForm } from '../../image/source-and-sink.ts';
import { compileGoRegex } from '../../sync/go-regex.ts';
import { checkNaming, DESTINATIONS, type Destination, type Naming } from '../../sync/sync-plan.ts';
import { readMachine } from '../options/machine.ts';
import { readForm } from '../options/manifest-form.ts';
import { refuseUnbuilt } from '../options/unbuilt.ts';
import type { SyncValues } from './run-sync.ts';

const SOURCES = ['docker', 'dir', 'yaml'] as const;

export interface SyncRequest {
  readonly from: { readonly kind: (typeof SOURCES)[number]; readonly source: string };
  readonly destination: Destination;
  /** Whether a tag is wanted; what has no tag is. */
  readonly wants: (tag: string) => boolean;
  readonly choice: Choice;
  readonly form: ManifestForm | undefined;
  readonly referrers: Referrers;
}

/** @throws {RegistrySyncError} `USAGE` that names the option or word that is wrong. */
export function readSyncRequest(values: SyncValues, words: readonly string[]): SyncRequest {
  refuseUnbuilt(values);
  const kind = oneOf('src', values.src, SOURCES);
  const transport = oneOf('dest', values.dest, DESTINATIONS);
  const [source, to] = words;
  if (source === undefined || to === undefined) {
    throw usage(`sync --src needs two words, SOURCE and DESTINATION: ${words.length} given`);
  }
  if (source === '') throw usage('the source is empty');
  return {
    from: { kind, source },
    destination: {
      transport,
      to,
      naming: readNaming(values),
      prefix: values['prepend-image-suffix'] ?? '',
      suffix: values['append-suffix'] ?? '',
    },
    wants: readFilter(values),
    choice: readChoice(values),
    form: readForm(values.format),
    referrers: readReferrers(values),
  };
}

function oneOf<T extends string>(
  option: 'src' | 'dest',
  value: string | undefined,
  all: readonly T[],
): T {
  const known = all.find((one) => one === value);
  if (known !== undefined) return known;
  const side = option === 'src' ? 'source' : 'destination';
  const choice = all.join(', ');
  throw usage(
    value === undefined
      ? `A ${side} transport must be specified: give --${option} (${choice})`
      : `--${option}: ${JSON.stringify(value)} is not a valid ${side} transport: there are ${choice}`,
  );
}

function readNaming(values: SyncValues): Naming {
  const { 'destination-path-style': style, 'target-path': targetPath, scoped } = values;
  if (scoped && ((style ?? 'scoped') !== 'scoped' || targetPath !== undefined)) {
    throw usage('give only one of --scoped, --destination-path-style and --target-path');
  }
  const naming = { pathStyle: style ?? (scoped ? 'scoped' : undefined), targetPath };
  checkNaming('sync', naming);
  return naming;
}

function readFilter({ filter, exclude }: SyncValues): SyncRequest['wants'] {
  const include = filter === undefined ? undefined : compileGoRegex('--filter', filter);
  const without = exclude === undefined ? undefined : compileGoRegex('--exclude', exclude);
  return (tag) => include?.(tag) !== false && without?.(tag) !== true;
}

function readChoice(values: SyncValues): Choice {
  const { all, platform } = values;
  if (all && platform.length > 0) throw usage('give only one of --all and --platform');
  if (all) return { kind: 'all' };
  if (platform.length > 0) return { kind: 'platforms', platforms: platform.map(parsePlatform) };
  return { kind: 'system', platform: readMachine(values) };
}

function readReferrers(values: SyncValues): Referrers {
  const referrers = (values.referrers ?? 'none') as Referrers;
  if (values['remove-signatures'] && referrers !== 'none') {
    throw usage(`--remove-signatures does not go with --referrers ${referrers}`);
  }
  return referrers;
}

function usage(message: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', message);
}
