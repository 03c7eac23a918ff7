/** The composition root: from options and environment to a log, registries and a copier. */
import { join } from 'node:path';

import { LRUCache } from 'lru-cache';

import { systemClock } from '../base/clock.ts';
import { createLog, type Log, type LogFormat } from '../base/log.ts';
import type { Secrets } from '../base/redact.ts';
import { AddressRule } from '../http/addresses.ts';
import { Bandwidth, withBandwidth } from '../http/bandwidth.ts';
import { Budget, withBudget } from '../http/budget.ts';
import { createDispatcher } from '../http/dispatcher.ts';
import { HostPause } from '../http/host-pause.ts';
import { isLoopbackHost } from '../http/origin.ts';
import { byKind, Pressure, withPressure } from '../http/pressure.ts';
import { DEFAULT_RETRY, withRetry, type RetryPolicy } from '../http/retry.ts';
import { compose, undiciSend, withHeader, type Send, type Wrap } from '../http/send.ts';
import { Traffic, withTraffic } from '../http/traffic.ts';
import type { AzureCloudName } from '../registry/azure-clouds.ts';
import type { BlobDirectory } from '../registry/blob-directory.ts';
import { RegistryClient } from '../registry/client.ts';
import { askHelper } from '../registry/credential-helper.ts';
import { CredentialChain } from '../registry/credential-chain.ts';
import type { Inventory } from '../registry/inventory.ts';
import { hostOf, profileOf, type RegistryKind, type RegistryProfile } from '../registry/profile.ts';
import { checkPullLimit } from '../registry/pull-limit.ts';
import { readRegistriesConf } from '../registry/registries-files.ts';
import { RegistryRules } from '../registry/registry-rules.ts';
import { Repository } from '../registry/repository.ts';
import { azureIdentity } from './azure-identity.ts';
import type { Io, RunIo } from './command.ts';
import { readDuration } from './options/duration.ts';
import { readRunId } from './options/observe.ts';
import type { Access } from './options/access.ts';
import { Screen } from './screen.ts';

/** In which a registry begins to answer what needs no work of it. Milliseconds. */
const ANSWER_MS = 60_000;
/** Repositories whose state is kept; rows come repository by repository. */
const MAX_REPOSITORIES = 500;

export interface RuntimeOptions {
  readonly 'log-format': string;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly 'retry-times': number;
  readonly 'max-connections': number;
  readonly 'allow-private-host': readonly string[];
  readonly 'registries-conf'?: string | undefined;
  readonly 'registries.d'?: string | undefined;
  /** A fixed wait between tries, as in `5s`; a growing one unless given. */
  readonly 'retry-delay'?: string | undefined;
  readonly 'user-agent'?: string | undefined;
  readonly 'user-agent-prefix'?: string | undefined;
  readonly 'run-id'?: string | undefined;
}

export interface Runtime {
  /** The run's id, in its log and its record. */
  readonly runId: string;
  readonly log: Log;
  readonly screen: Screen;
  /** A person is looking on, and wants to see how far it is. */
  readonly showsProgress: boolean;
  readonly secrets: Secrets;
  readonly retry: RetryPolicy;
  /** Per host. */
  readonly maxConnections: number;
  /** That may have private addresses though the registry is public. */
  readonly privateHosts: readonly string[];
  /** What registries.conf says. */
  readonly registries: RegistryRules;
  /** The header of all requests. */
  readonly userAgent: string;
  readonly env: Io['env'];
  /** Aborted when what runs is given up. */
  readonly signal: AbortSignal;
}

export async function createRuntime(options: RuntimeOptions, io: RunIo): Promise<Runtime> {
  const { secrets } = io;
  const screen = new Screen(io.stderr);
  const runId = readRunId(options['run-id'], systemClock.now());
  const log = await createLog({
    level: options.debug ? 'debug' : options.quiet ? 'warn' : 'info',
    format: options['log-format'] as LogFormat,
    secrets,
    runId,
    write: (text) => screen.write(text),
  });
  if (options['registries.d'] !== undefined) {
    log.warn('--registries.d has no effect yet: signatures are neither read nor written');
  }
  const { rules } = await readRegistriesConf(options['registries-conf'], io.env);
  const agent = options['user-agent'] ?? `registry-sync/${io.version}`;
  const prefix = options['user-agent-prefix'];
  return {
    runId,
    log,
    screen,
    showsProgress: screen.isTerminal && !options.quiet && options['log-format'] === 'text',
    secrets,
    retry: readRetry(options),
    userAgent: prefix === undefined ? agent : `${prefix} ${agent}`,
    maxConnections: options['max-connections'],
    privateHosts: options['allow-private-host'],
    registries: new RegistryRules(rules),
    env: io.env,
    signal: io.shutdown.signal,
  };
}

function readRetry({ 'retry-times': times, 'retry-delay': delay }: RuntimeOptions): RetryPolicy {
  const ms = delay === undefined ? 0 : readDuration('retry-delay', delay);
  return { ...DEFAULT_RETRY, times, ...(ms > 0 && { fixedDelayMs: ms }) };
}

export interface Side {
  readonly registry: string;
  /** By its host, unless given. */
  readonly kind?: RegistryKind | undefined;
  readonly access: Access;
  readonly azureCloud?: AzureCloudName | undefined;
  readonly variables: 'SOURCE' | 'TARGET';
  /** What is read comes no faster. Bytes per second. */
  readonly bandwidth?: number | undefined;
  /** Any certificate will do, unless `access` says otherwise; what registries.conf says of the registry unless given. */
  readonly insecure?: boolean | undefined;
  /** The other side's knowledge of blobs, when both are the same registry. */
  readonly sharedBlobs?: BlobDirectory | undefined;
}

/**
 * Makes the client of one registry. Nothing is sent before something is asked of it.
 *
 * @throws {RegistrySyncError} `REJECTED` when registries.conf blocks it.
 */
export function connect(runtime: Runtime, side: Side): RegistryClient {
  const { registry, variables, sharedBlobs } = side;
  const { retry, env, secrets, log, registries } = runtime;
  const insecure = side.insecure ?? registries.isInsecure(registry);
  const access = insecure
    ? { ...side.access, tlsVerify: side.access.tlsVerify ?? false }
    : side.access;
  const traffic = new Traffic();
  const profile = profileOf(registry, side.kind);
  const wire = createWire(runtime, { ...side, access, profile }, traffic);
  const azure = { registry, profile, credential: access.azureCredential, cloud: side.azureCloud };
  const chain = new CredentialChain({
    options: access,
    variables,
    env,
    secrets,
    ask: askHelper,
    clock: systemClock,
    identity: azureIdentity(runtime, azure, wire),
  });
  chain.check();
  return new RegistryClient({
    registry,
    profile,
    wire,
    allowHttp: access.tlsVerify === false || (access.tlsVerify === undefined && isLocal(registry)),
    credentials: (repository) => chain.find(registry, repository),
    retry,
    traffic,
    clock: systemClock,
    log,
    hide: (secret) => secrets.addPassing(secret),
    ...(sharedBlobs === undefined ? {} : { sharedBlobs }),
  });
}

function isLocal(registry: string): boolean {
  return isLoopbackHost(registry.replace(/:\d+$/, ''));
}

/**
 * What is sent goes by the host it goes to: a host's wish to wait holds for that host, and «any
 * certificate will do» is said of the registry only, not of the token server or storage that it
 * leads to (CVE-2019-10214).
 */
function createWire(
  runtime: Runtime,
  side: Side & { readonly profile: RegistryProfile },
  traffic: Traffic,
): Send {
  const { registry, access, bandwidth, profile } = side;
  const { env, log, retry, maxConnections, userAgent } = runtime;
  const host = hostOf(registry);
  const hostname = host.replace(/:\d+$/, '');
  const certDirs = access.certDir === undefined ? defaultCertDirs(host, env) : [access.certDir];
  const addresses = new AddressRule(hostname, runtime.privateHosts);
  const settings = { certDirs, maxConnections, env };
  const own = createDispatcher({
    ...settings,
    lookup: addresses.lookupFor('own'),
    verifyTls: access.tlsVerify !== false,
    identify: true,
  });
  let foreign: ReturnType<typeof createDispatcher> | undefined;
  const dispatcherFor = (url: URL): ReturnType<typeof createDispatcher> => {
    if (url.hostname === hostname) return own;
    const lookup = addresses.lookupFor('foreign');
    foreign ??= createDispatcher({ ...settings, lookup, verifyTls: true, identify: false });
    return foreign;
  };
  const slow =
    bandwidth === undefined ? [] : [withBandwidth(new Bandwidth(bandwidth, systemClock))];
  const sends = new Map<string, Send>();
  return (request) => {
    const { url } = request;
    let send = sends.get(url.host);
    if (send === undefined) {
      const pause = new HostPause(systemClock);
      const context = { traffic, pause, isRegistry: url.host === host };
      send = compose(
        undiciSend(dispatcherFor(url), ANSWER_MS),
        ...slow,
        withRetry({
          policy: retry,
          clock: systemClock,
          pause,
          log,
          onRepeat: () => (traffic.repeated += 1),
          ...(context.isRegistry && { inspect: checkPullLimit }),
        }),
        byKind(() => withPressure(new Pressure(systemClock, maxConnections), context)),
        ...budgetOf(profile, url.host),
        withTraffic(traffic, log, systemClock),
        withHeader('user-agent', userAgent),
      );
      sends.set(url.host, send);
    }
    return send(request);
  };
}

function budgetOf({ budgets }: RegistryProfile, host: string): Wrap[] {
  const perMinute = budgets[host];
  return perMinute === undefined ? [] : [withBudget(new Budget(systemClock, perMinute))];
}

/** Source: containers-certs.d(5). */
function defaultCertDirs(host: string, env: Io['env']): string[] {
  const config = env.XDG_CONFIG_HOME ?? join(env.HOME ?? '/', '.config');
  return [join(config, 'containers'), '/etc/containers', '/etc/docker'].map((dir) =>
    join(dir, 'certs.d', host),
  );
}

/** The repositories of a registry; the state of those used last is kept. */
export function repositoriesOf(
  client: RegistryClient,
  inventory?: Inventory,
): (path: string) => Repository {
  const kept = new LRUCache<string, Repository>({ max: MAX_REPOSITORIES });
  return (path) => {
    let repository = kept.get(path);
    if (repository === undefined) {
      repository = new Repository(client, path, inventory);
      kept.set(path, repository);
    }
    return repository;
  };
}
