/** Runs `sync --src`: what is meant is found, named and checked, and only then copied. */
import { isError, throwIfAborted, withName } from '../../base/errors.ts';
import { createCopier, type Copy } from '../../copy/copier.ts';
import { createTransfers } from '../../copy/run.ts';
import { ALL } from '../../copy/select.ts';
import { shaped, type Shape } from '../../copy/shape.ts';
import { onSide } from '../../copy/side.ts';
import type { Digest } from '../../image/digest.ts';
import { formatLocation, parseNamed } from '../../store/location.ts';
import { refuseExisting } from '../../sync/dir-tree.ts';
import { runPlan } from '../../sync/plan-run.ts';
import type { YamlRegistry } from '../../sync/sources-yaml.ts';
import { planSync, type Destination, type PlannedImage } from '../../sync/sync-plan.ts';
import { tidied } from '../../sync/target-name.ts';
import { WholeFile } from '../../files/whole-file.ts';
import type { RunIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { Images } from '../open-image.ts';
import { readAccess, withOldNames, type Access } from '../options/access.ts';
import { checkPolicy } from '../policy.ts';
import { createRuntime, type Runtime } from '../runtime.ts';
import { limitsOf } from '../sink-limits.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import type { SyncValues } from './run-sync.ts';
import { readSyncRequest, type SyncRequest } from './skopeo-sync-request.ts';
import { findImages, type Found, type SourceGroup } from './sync-sources.ts';

type Planned = PlannedImage<SourceGroup>;

const JOBS = 16;
const RETRY_TIMES = 2;

interface SkopeoSync {
  readonly request: SyncRequest;
  readonly values: SyncValues;
  readonly io: RunIo;
  readonly runtime: Runtime;
  readonly target: Images;
}

/** Resolves to the exit code: 0, or 1 where anything failed. */
export async function runSkopeoSync(
  given: SyncValues,
  io: RunIo,
  words: readonly string[],
): Promise<number> {
  const values = withOldNames(given);
  const request = readSyncRequest(values, words);
  const times = values['retry-times'] ?? RETRY_TIMES;
  const runtime = await createRuntime({ ...values, 'retry-times': times }, io);
  io.shutdown.graceMs = values['grace-period'] * 1000;
  const shared = { authfile: values.authfile, azureCredential: values['azure-credential'] };
  const store = values.tmpdir === undefined ? {} : { tmpdir: values.tmpdir };
  const azureCloud = values['azure-cloud'];
  const target = new Images({
    runtime,
    access: readAccess(values, 'dest-', shared),
    variables: 'TARGET',
    store,
    azureCloud,
  });
  meet(target, request.destination);
  const access = readAccess(values, 'src-', shared);
  const open = (registry?: YamlRegistry, isOnly = true): Images =>
    new Images({
      runtime: isOnly ? runtime : { ...runtime, env: withoutSource(runtime.env) },
      access: accessOf(access, registry),
      variables: 'SOURCE',
      other: target,
      store,
      azureCloud,
    });
  const { log, signal } = runtime;
  try {
    const found = await findImages({ request, open, log, signal });
    return await syncFound({ request, values, io, runtime, target }, found);
  } catch (error) {
    // That something is missing is a failure of a sync like any other.
    if (!isError(error, 'NOT_FOUND')) throw error;
    log.error(error.message);
    return EXIT.failed;
  }
}

/** The destination's registry first: a source that is the same one then shares what is known of blobs. */
function meet(target: Images, { transport, to }: Destination): void {
  const registry = transport === 'docker' ? parseNamed(`${tidied(to)}/x`)?.registry : undefined;
  if (registry !== undefined) target.client(registry);
}

/** One password is not for every registry of a list. */
function withoutSource(env: Runtime['env']): Runtime['env'] {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^SOURCE_(?:USERNAME|PASSWORD)(?:_FILE)?$/.test(name)),
  );
}

/** What a registry of the list says counts more than what the options say. */
function accessOf(access: Access, registry: YamlRegistry | undefined): Access {
  if (registry === undefined) return access;
  const { credentials, tlsVerify = access.tlsVerify, certDir = access.certDir } = registry;
  if (credentials === undefined) return { ...access, tlsVerify, certDir };
  const { azureCredential } = access;
  return { ...credentials, tlsVerify, certDir, azureCredential };
}

async function syncFound(sync: SkopeoSync, { groups, failed }: Found): Promise<number> {
  const { request, values, runtime } = sync;
  const { log } = runtime;
  const plan = planSync(groups, request.destination);
  await refuseExisting(plan.map(({ destination }) => destination));
  const counts = new Map<SourceGroup, number>();
  for (const { group } of plan) counts.set(group, (counts.get(group) ?? 0) + 1);
  const announce = (what: string, { source, destination, position, group }: Planned): void => {
    const facts = { from: formatLocation(source), to: formatLocation(destination) };
    log.info(facts, `${what} image ref ${position}/${counts.get(group) ?? 0}`);
  };
  const sources = groups.length;
  if (values['dry-run']) {
    log.warn('Running in dry-run mode');
    for (const planned of plan) announce('Would have copied', planned);
    log.info(`Would have synced ${plan.length} images from ${sources} sources`);
    return failed > 0 ? EXIT.failed : EXIT.ok;
  }
  const wrong = failed + (await copyAll(sync, plan, announce));
  if (wrong === 0) return EXIT.ok;
  log.error(
    `Sync failed for ${wrong} of ${plan.length + failed} images and repositories: see above`,
  );
  return EXIT.failed;
}

/** Resolves to the number of images that failed. */
async function copyAll(
  sync: SkopeoSync,
  plan: readonly Planned[],
  announce: (what: string, planned: Planned) => void,
): Promise<number> {
  const { values, io, runtime } = sync;
  const { log, signal } = runtime;
  const { stopping } = io.shutdown;
  await using digests = await createDigestFile(values.digestfile);
  const digestAt = new Map<number, Digest>();
  const copy = copierOf(sync);
  const failures: { readonly index: number; readonly error: unknown }[] = [];
  const outcomes = runPlan({
    items: plan,
    jobs: values.jobs ?? JOBS,
    keepGoing: values['keep-going'],
    copy: (planned, one) => {
      announce('Copying', planned);
      return copy(planned, one);
    },
    stopping,
    signal,
  });
  for await (const outcome of outcomes) {
    const { item, index } = outcome;
    if (outcome.result === 'done') digestAt.set(index, outcome.value);
    if (outcome.result !== 'failed') continue;
    const name = `Error copying ref ${JSON.stringify(formatLocation(item.source))}`;
    failures.push({ index, error: withName(outcome.error, name) });
    if (values['keep-going']) log.error({ error: outcome.error.message }, name);
  }
  await writeDigests(digests, plan, digestAt);
  throwIfAborted(signal);
  throwIfAborted(stopping);
  const [first] = failures.toSorted((a, b) => a.index - b.index);
  if (first !== undefined && !values['keep-going']) throw first.error;
  const sources = new Set(plan.map(({ group }) => group)).size;
  log.info(`Synced ${digestAt.size} images from ${sources} sources`);
  return failures.length;
}

/** Copies one image, and resolves to the digest that it has at the destination. */
function copierOf({
  request,
  values,
  runtime,
  target,
}: SkopeoSync): (planned: Planned, signal: AbortSignal) => Promise<Digest> {
  const { referrers, choice, form } = request;
  const copy = createCopier({ transfers: createTransfers(), selection: ALL, referrers });
  const shape = {
    choice,
    form,
    preserveDigests: values['preserve-digests'],
    tmpdir: temporaryDirectory(values.tmpdir, runtime.env),
  };
  return async ({ source: from, destination: to, group }, signal) => {
    await checkPolicy(from, values, runtime.env);
    await using source = await group.opened.source(from, signal);
    await using sink = await target.sink(to, signal);
    const untagged = to.transport === 'docker' && to.reference.tag === undefined;
    const { log } = runtime;
    const pair = { source, sink, untagged, signal };
    const { digest, outcome, bytes } = await copyShaped(copy, pair, {
      ...shape,
      limits: limitsOf(sink, to.transport, shape.preserveDigests),
    });
    log.info({ to: formatLocation(to), digest, bytes }, `image ${outcome}`);
    return digest;
  };
}

async function copyShaped(copy: Copy, pair: Parameters<Copy>[0], shape: Shape): ReturnType<Copy> {
  const { source, signal } = pair;
  const image = await onSide('source', source, () => shaped(source, shape, signal));
  try {
    return await copy({ ...pair, source: image });
  } finally {
    if (image !== source) await image[Symbol.asyncDispose]();
  }
}

async function createDigestFile(path: string | undefined): Promise<WholeFile | undefined> {
  return path === undefined ? undefined : await WholeFile.create(path);
}

/** A line per image that was copied, in the order of the plan. */
async function writeDigests(
  file: WholeFile | undefined,
  plan: readonly Planned[],
  digestAt: ReadonlyMap<number, Digest>,
): Promise<void> {
  if (file === undefined) return;
  for (const [index, { destination }] of plan.entries()) {
    const digest = digestAt.get(index);
    if (digest !== undefined) await file.append(`${digest} ${formatLocation(destination)}\n`);
  }
  await file.finish();
  await file.commit();
}
