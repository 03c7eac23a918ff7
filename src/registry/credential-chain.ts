/**
 * Which credentials a registry gets: options, then the environment, then auth files and helpers,
 * then who we are in its cloud, then none.
 */
import type { Clock } from '../base/clock.ts';
import { RegistrySyncError } from '../base/errors.ts';
import type { Secrets } from '../base/redact.ts';
import { credentialsIn, readAuthFiles, type AuthFile } from './auth-file.ts';
import { basicAuthorization } from './basic.ts';
import type { AskHelper } from './credential-helper.ts';
import type { Credentials } from './credentials.ts';
import { credentialsInEnvironment } from './environment-credentials.ts';

/** What the command line says of access to one side. */
export interface CredentialOptions {
  /** `username[:password]` */
  readonly creds?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly registryToken?: string | undefined;
  readonly noCreds?: boolean | undefined;
  readonly authfile?: string | undefined;
}

export interface CredentialContext {
  readonly options: CredentialOptions;
  /** `SOURCE` or `TARGET`: the environment variables `…_USERNAME`, `…_PASSWORD` and their `…_FILE`. */
  readonly variables: 'SOURCE' | 'TARGET';
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secrets: Secrets;
  readonly ask: AskHelper;
  readonly clock: Clock;
  /** An identity that the machine or the user has in the registry's cloud. */
  readonly identity?: CloudIdentity | undefined;
}

export interface CloudIdentity {
  /** It was asked for by an option, so it comes before all that is found. */
  readonly isChosen: boolean;
  /** `undefined`: there is none, which is no failure unless it was asked for. */
  readonly find: () => Promise<Credentials | undefined>;
}

/** Before they expire credentials are looked for anew. Milliseconds. */
const RENEWED_BEFORE_MS = 5 * 60_000;
/** What is found may have expired already: so often it is looked for again. Milliseconds. */
const RENEWED_EVERY_MS = 60_000;

/** What was found, or is being looked for. */
interface Found {
  readonly credentials: Promise<Credentials>;
  /** From then on it is looked for anew. Milliseconds since the epoch. */
  freshUntil: number;
}

/** The credentials of one side of a run. */
export class CredentialChain {
  readonly #context: CredentialContext;
  #files: AuthFile[] | undefined;
  /** As they were when they could be read last: somebody may be writing them. */
  #filesBefore: AuthFile[] | undefined;
  /** Why they can't be read now. */
  #filesFailure: unknown;
  /** When the first of what was found in them is to be looked for anew. Milliseconds since the epoch. */
  #filesUntil = Infinity;
  readonly #found = new Map<string, Found>();
  readonly #helped = new Map<string, ReturnType<AskHelper>>();
  #identity: Found | undefined;

  constructor(context: CredentialContext) {
    this.#context = context;
  }

  /**
   * For a repository of a registry, or for the registry itself. Asked once per name, and again
   * before they expire: who renews a file meanwhile has it read.
   */
  find(registry: string, repository?: string): Promise<Credentials> {
    const key = repository === undefined ? registry : `${registry}/${repository}`;
    let found = this.#found.get(key);
    if (found === undefined || this.#isStale(found)) {
      if (found !== undefined) this.#forget();
      found = this.#begin(this.#renew(found, this.#search(registry, repository)));
      this.#found.set(key, found);
    }
    return found.credentials;
  }

  /** What could not be renewed, or is not to be found just now, is used while it lasts; soon it is tried again. */
  async #renew(before: Found | undefined, search: Promise<Credentials>): Promise<Credentials> {
    const known = await before?.credentials.catch(() => undefined);
    const lasting = (): Credentials | undefined =>
      known?.kind === 'identity-token' && lasts(known, this.#context.clock.now())
        ? known
        : undefined;
    try {
      const found = await search;
      return found === NONE ? (lasting() ?? found) : found;
    } catch (error) {
      const still = lasting();
      if (still === undefined) throw error;
      return still;
    }
  }

  #begin(credentials: Promise<Credentials>): Found {
    const found: Found = { credentials, freshUntil: Infinity };
    const at = this.#context.clock.now();
    credentials.then(
      (one) => (found.freshUntil = freshUntil(one, at)),
      () => (found.freshUntil = at + RENEWED_EVERY_MS), // told to who asked
    );
    return found;
  }

  #isStale({ freshUntil: until }: Found): boolean {
    return until <= this.#context.clock.now();
  }

  /** All that was read is read again; an identity only when its own time has come. */
  #forget(): void {
    this.#filesBefore = this.#files ?? this.#filesBefore;
    this.#files = undefined;
    this.#filesUntil = Infinity;
    this.#helped.clear();
  }

  /**
   * Looks at options, environment and files before anything is asked for.
   *
   * @throws {RegistrySyncError} `USAGE` when they contradict each other or can't be read.
   */
  check(): void {
    const { options, env, variables } = this.#context;
    if (
      fromOptions(options) === undefined &&
      credentialsInEnvironment(variables, env) === undefined
    ) {
      this.#files ??= readAuthFiles(options.authfile, env);
    }
  }

  async #search(registry: string, repository: string | undefined): Promise<Credentials> {
    const { identity, options, variables, env } = this.#context;
    const given = fromOptions(options);
    if (given !== undefined && identity?.isChosen === true) {
      const message =
        'give only one of creds, username and password, registry-token, no-creds, azure-credential';
      throw new RegistrySyncError('USAGE', message);
    }
    const found =
      given ??
      (await this.#fromIdentity(true)) ??
      credentialsInEnvironment(variables, env) ??
      (await this.#fromFiles(registry, repository)) ??
      (await this.#fromIdentity(false));
    this.#hide(found ?? NONE);
    return found ?? NONE;
  }

  /** One for all repositories: its token is changed at the registry for one of the registry's. */
  async #fromIdentity(isChosen: boolean): Promise<Credentials | undefined> {
    const { identity } = this.#context;
    if (identity === undefined || identity.isChosen !== isChosen) return undefined;
    if (this.#identity === undefined || this.#isStale(this.#identity)) {
      this.#identity = this.#begin(this.#renew(this.#identity, findIn(identity)));
    }
    const found = await this.#identity.credentials;
    return found.kind === 'anonymous' ? undefined : found;
  }

  async #fromFiles(
    registry: string,
    repository: string | undefined,
  ): Promise<Credentials | undefined> {
    const { clock } = this.#context;
    // What was read a while ago may have been renewed; a login that lasts is not read again.
    if (this.#filesUntil <= clock.now()) this.#forget();
    this.#files ??= this.#readFiles();
    for (const file of this.#files) {
      const found = await credentialsIn(file, registry, repository, this.#askOnce);
      if (found === undefined) continue;
      if (this.#filesFailure !== undefined && !lasts(found, clock.now())) throw this.#filesFailure;
      this.#filesUntil = Math.min(this.#filesUntil, freshUntil(found, clock.now()));
      return found;
    }
    return undefined;
  }

  #readFiles(): AuthFile[] {
    const { options, env } = this.#context;
    this.#filesFailure = undefined;
    try {
      return readAuthFiles(options.authfile, env);
    } catch (error) {
      if (this.#filesBefore === undefined) throw error;
      this.#filesFailure = error;
      return this.#filesBefore;
    }
  }

  readonly #askOnce: AskHelper = (name, server) => {
    const key = `${name} ${server}`;
    let answer = this.#helped.get(key);
    if (answer === undefined) {
      answer = this.#context.ask(name, server);
      this.#helped.set(key, answer);
    }
    return answer;
  };

  #hide(found: Credentials): void {
    const { secrets } = this.#context;
    if (found.kind === 'anonymous') return;
    secrets.add(found.kind === 'basic' ? found.password : found.token);
    const [, encoded] = basicAuthorization(found)?.split(' ') ?? [];
    if (encoded !== undefined) secrets.add(encoded);
  }
}

async function findIn({ find }: CloudIdentity): Promise<Credentials> {
  return (await find()) ?? NONE;
}

function lasts(credentials: Credentials, now: number): boolean {
  return credentials.kind !== 'identity-token' || (credentials.expiresAt ?? Infinity) > now;
}

/** Those that don't expire are good for the whole run. */
function freshUntil(credentials: Credentials, foundAt: number): number {
  if (credentials.kind !== 'identity-token' || credentials.expiresAt === undefined) return Infinity;
  return Math.max(foundAt + RENEWED_EVERY_MS, credentials.expiresAt - RENEWED_BEFORE_MS);
}

const NONE: Credentials = { kind: 'anonymous', from: 'no credentials' };

function fromOptions(options: CredentialOptions): Credentials | undefined {
  const { creds, username, password, registryToken, noCreds } = options;
  const ways = [creds, username ?? password, registryToken, noCreds === true ? '' : undefined];
  if (ways.filter((way) => way !== undefined).length > 1) {
    const message = 'give only one of creds, username and password, registry-token, no-creds';
    throw new RegistrySyncError('USAGE', message);
  }
  const from = 'the command line';
  if (noCreds === true) return { kind: 'anonymous', from };
  if (registryToken !== undefined) return { kind: 'bearer', token: registryToken, from };
  if (creds !== undefined) {
    const colon = creds.indexOf(':');
    if (colon < 0)
      throw new RegistrySyncError('USAGE', 'creds has no password: write user:password');
    const [user, secret] = [creds.slice(0, colon), creds.slice(colon + 1)];
    return { kind: 'basic', username: user, password: secret, from };
  }
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new RegistrySyncError('USAGE', 'username and password go together');
  }
  return { kind: 'basic', username, password, from };
}
