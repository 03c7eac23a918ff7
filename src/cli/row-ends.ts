/** The two registries of a command that works on rows of tags.csv, and the rows between them. */
import { join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import type { AzureCloudName } from '../registry/azure-clouds.ts';
import type { RegistryClient } from '../registry/client.ts';
import { profileOf, type RegistryKind } from '../registry/profile.ts';
import { createMapping, type MapRow } from '../sync/mapping.ts';
import { openRows, type RowFile, type StatusChoice } from '../sync/rows.ts';
import { readRecord, recordPath } from '../sync/run-record.ts';
import type { Shard } from '../sync/shard.ts';
import type { Values } from './command.ts';
import { readAccess, type SharedAccess } from './options/access.ts';
import { readRegistry } from './options/registry-name.ts';
import type { ROW_NAMES, ROW_SOURCE, ROW_TARGET } from './options/row-options.ts';
import { connect, type Runtime } from './runtime.ts';

/** Options of the rows, and of access to both registries (`src-…`, `dest-…`). */
export type EndValues = Values<typeof ROW_SOURCE & typeof ROW_TARGET & typeof ROW_NAMES> & {
  readonly 'azure-cloud': AzureCloudName | undefined;
  readonly 'azure-credential': string | undefined;
  readonly authfile: string | undefined;
};

export interface RowEnds {
  /** `host[:port]` */
  readonly source: string;
  readonly target: string;
  readonly map: MapRow;
}

/**
 * @param crawled the source where no option says it.
 * @throws {RegistrySyncError} `USAGE` unless both registries are named, once each.
 */
export function readEnds(values: EndValues, crawled?: string): RowEnds {
  const cloud = values['azure-cloud'];
  const [host, name] = [values['source-registry'], values['source-registry-name']];
  const source =
    host === undefined && name === undefined && crawled !== undefined
      ? crawled
      : readRegistry('source-registry', { host, name, cloud });
  const target = readRegistry('target-registry', {
    host: values['target-registry'],
    name: values['target-registry-name'],
    cloud,
  });
  const map = createMapping({
    source,
    target,
    targetNamespace: values['target-namespace'],
    targetPath: values['target-path'] ?? 'keep',
    targetProfile: profileOf(target, values['target-registry-kind']),
    appendSuffix: values['append-suffix'] ?? '',
  });
  return { source, target, map };
}

/**
 * The source where no option says it: that of the last crawl into `directory`.
 *
 * @throws {RegistrySyncError} `USAGE` when there was none.
 */
export async function knownSource(
  values: EndValues,
  directory: string,
): Promise<string | undefined> {
  if (values['source-registry'] ?? values['source-registry-name']) return undefined;
  const record = await readRecord(directory, 'crawl');
  if (record?.source !== undefined) return record.source;
  const path = recordPath(directory, 'crawl');
  const message = `which registry the rows are of is not known, as ${record === undefined ? `there is no ${path}` : `${path} does not say it`}: run crawl there, or give --source-registry or --source-registry-name`;
  throw new RegistrySyncError('USAGE', message);
}

/** The CSV that rows are read from. */
export function tagsFileOf(values: EndValues & { readonly workdir: string }): string {
  return values['tags-file'] ?? join(values.workdir, 'tags.csv');
}

/** @throws {RegistrySyncError} `USAGE` that names the file and each mistake in it by line and value. */
export function openRowsOf(
  values: EndValues & { readonly workdir: string },
  { map }: RowEnds,
  shard: Shard | undefined,
  statuses?: StatusChoice,
): Promise<RowFile> {
  return openRows({ path: tagsFileOf(values), map, namespace: values.namespace, shard, statuses });
}

/** @param bandwidth what is read there comes no faster. Bytes per second. */
export function connectTarget(
  runtime: Runtime,
  values: EndValues,
  ends: RowEnds,
  bandwidth?: number,
): RegistryClient {
  const kind = values['target-registry-kind'];
  return connect(runtime, {
    registry: ends.target,
    kind,
    access: readAccess(values, 'dest-', sharedAccess(values, ends, isAzure(ends.target, kind))),
    azureCloud: values['azure-cloud'],
    variables: 'TARGET',
    bandwidth,
  });
}

/** @param target shares what it knows of blobs, if both are one registry. */
export function connectSource(
  runtime: Runtime,
  values: EndValues,
  ends: RowEnds,
  {
    target,
    bandwidth,
  }: { readonly target: RegistryClient; readonly bandwidth?: number | undefined },
): RegistryClient {
  const kind = values['source-registry-kind'];
  return connect(runtime, {
    registry: ends.source,
    kind,
    access: readAccess(values, 'src-', sharedAccess(values, ends, isAzure(ends.source, kind))),
    azureCloud: values['azure-cloud'],
    variables: 'SOURCE',
    bandwidth,
    ...(ends.source === ends.target ? { sharedBlobs: target.blobs } : {}),
  });
}

function isAzure(registry: string, kind: RegistryKind | undefined): boolean {
  return profileOf(registry, kind).kind === 'acr';
}

/** An identity said for both sides is meant for those that it can be for; if for none, that is told. */
function sharedAccess(values: EndValues, ends: RowEnds, isOne: boolean): SharedAccess {
  const isNeither =
    !isAzure(ends.source, values['source-registry-kind']) &&
    !isAzure(ends.target, values['target-registry-kind']);
  return {
    authfile: values.authfile,
    ...((isNeither || isOne) && { azureCredential: values['azure-credential'] }),
  };
}
