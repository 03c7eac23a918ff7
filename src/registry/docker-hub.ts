/**
 * Docker Hub's own API: the repositories of a namespace, and tags with their digests and dates, a
 * hundred per request and outside of the pull limit.
 *
 * Source: https://docs.docker.com/reference/api/hub/latest/
 */
import { RegistrySyncError } from '../base/errors.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { discard, type HttpResponse } from '../http/send.ts';
import type { JsonObject } from '../image/descriptor.ts';
import { joinedCatalog, type Catalog, type TagInfo, type TagPage } from './catalog.ts';
import type { RegistryClient } from './client.ts';
import type { Credentials } from './credentials.ts';
import { digestIn, objectsIn, readJson, textIn } from './json.ts';
import { expiryOf } from './jwt.ts';
import { Advance, pages } from './pages.ts';
import { responseError } from './response-error.ts';
import { MAX_PAGE_BYTES } from './tags.ts';

const API = 'https://hub.docker.com';
const PER_PAGE = 100; // its maximum
/** Our clock may be ahead of theirs, and each login counts. */
const LEAST_LIFE_MS = 60_000;
const TOKEN_LIFE_MS = 10 * 60_000; // when it does not say how long it lives

export function dockerHubCatalog(client: RegistryClient): Catalog {
  const api = new HubApi(client);
  return {
    // The registry's own list is whole; that of the API moves while its pages are read.
    ...joinedCatalog(client, (repository, signal) => api.tags(repository, signal)),
    async *repositories(signal, namespace) {
      if (namespace === undefined) throw noCatalog();
      const path = `/v2/namespaces/${namespace}/repositories`;
      for await (const { results } of api.list(path, namespace, signal)) {
        for (const { name } of results) {
          if (typeof name === 'string') yield `${namespace}/${name}`;
        }
      }
    },
  };
}

/**
 * Takes away a tag by the API: the registry itself deletes nothing. `false`: it was not there.
 *
 * @throws {RegistrySyncError} `UNAUTHORIZED` when the login may not delete.
 */
export function dockerHubUntag(
  client: RegistryClient,
): (repository: string, tag: string, signal: AbortSignal) => Promise<boolean> {
  const api = new HubApi(client);
  return (repository, tag, signal) => api.untag(repository, tag, signal);
}

interface HubPage {
  readonly results: readonly JsonObject[];
  readonly total: number | undefined;
}

class HubApi {
  readonly #client: RegistryClient;
  readonly #loggingIn = new SingleFlight<string, string | undefined>();
  /** By user. */
  readonly #tokens = new Map<
    string,
    { readonly value: string | undefined; readonly until: number }
  >();

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  async *tags(repository: string, signal: AbortSignal): AsyncGenerator<TagPage, void, void> {
    const [namespace = '', name = ''] = repository.split('/');
    const path = `/v2/namespaces/${namespace}/repositories/${name}/tags`;
    for await (const { results, total } of this.list(path, repository, signal)) {
      yield { tags: results.flatMap(readTag), total };
    }
  }

  /** The pages of one of the API's lists; `repository` says whose credentials are used. */
  async *list(
    path: string,
    repository: string,
    signal: AbortSignal,
  ): AsyncGenerator<HubPage, void, void> {
    const first = new URL(`${path}?page_size=${PER_PAGE}`, API);
    const what = `Docker Hub's list ${path}`;
    const advance = new Advance(what);
    yield* pages<HubPage>(first, async (url) => {
      const response = await this.#send('GET', url, repository, signal);
      if (response.status !== 200)
        throw await responseError({ method: 'GET', url }, response, what);
      const { count, next, results } = await readJson(response, MAX_PAGE_BYTES, what);
      const total = Number.isInteger(count) ? Number(count) : undefined;
      const items = [{ results: objectsIn(results), total }];
      advance.note(textIn(items[0]?.results[0]?.name));
      return { items, ...(typeof next === 'string' && { link: `<${next}>; rel="next"` }) };
    });
  }

  /** `DELETE /v2/repositories/NAMESPACE/NAME/tags/TAG/`, as Docker's hub-tool does it. */
  async untag(repository: string, tag: string, signal: AbortSignal): Promise<boolean> {
    const url = new URL(`/v2/repositories/${repository}/tags/${tag}/`, API);
    if ((await this.#token(repository, signal)) === undefined) {
      const { from } = await this.#client.credentials(repository);
      const message = `docker.io/${repository}:${tag}: Docker Hub's API deletes for nobody without a login, and there is none that it takes; used ${from}`;
      throw new RegistrySyncError('UNAUTHORIZED', message);
    }
    const response = await this.#send('DELETE', url, repository, signal);
    const { status } = response;
    if (status === 204 || status === 200 || status === 202 || status === 404) {
      await discard(response);
      return status !== 404;
    }
    const what = `docker.io/${repository}:${tag}`;
    const error = await responseError({ method: 'DELETE', url }, response, what);
    if (error.code !== 'UNAUTHORIZED') throw error;
    const { from } = await this.#client.credentials(repository);
    const hint = `used ${from}; to delete, an access token has to be one for «Read, Write, Delete»`;
    throw new RegistrySyncError(error.code, `${error.message}; ${hint}`, error);
  }

  async #send(
    method: 'GET' | 'DELETE',
    url: URL,
    repository: string,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const token = await this.#token(repository, signal);
    const ask = (shown: string | undefined): Promise<HttpResponse> =>
      this.#client.sendElsewhere({
        method,
        url,
        headers: shown === undefined ? {} : { authorization: `Bearer ${shown}` },
        gather: MAX_PAGE_BYTES,
        signal,
      });
    const response = await ask(token);
    if (response.status !== 401 || token === undefined) return response;
    for (const [user, known] of this.#tokens) if (known.value === token) this.#tokens.delete(user);
    const renewed = await this.#token(repository, signal);
    if (renewed === undefined || renewed === token) return response;
    await discard(response);
    return ask(renewed);
  }

  /** One login per user, however many repositories there are. */
  async #token(repository: string, signal: AbortSignal): Promise<string | undefined> {
    const credentials = await this.#client.credentials(repository);
    if (credentials.kind !== 'basic') return undefined;
    const known = this.#tokens.get(credentials.username);
    if (known !== undefined && known.until > this.#client.clock.now()) return known.value;
    const login = (all: AbortSignal) => this.#login(credentials, all);
    return this.#loggingIn.run(credentials.username, login, signal);
  }

  /** What is public can be read without; so a login that fails is not the end. */
  async #login(
    { username, password, from }: Extract<Credentials, { kind: 'basic' }>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { clock, log } = this.#client;
    const response = await this.#client.sendElsewhere({
      method: 'POST',
      url: new URL('/v2/auth/token', API),
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ identifier: username, secret: password })),
      gather: MAX_PAGE_BYTES,
      signal,
    });
    let value: string | undefined;
    if (response.status === 200) {
      value = textIn((await readJson(response, MAX_PAGE_BYTES, "Docker Hub's login")).access_token);
    } else {
      await discard(response);
      log.warn({ status: response.status, used: from }, "Docker Hub's API refuses the login");
    }
    if (value !== undefined) this.#client.hide(value);
    const expiry = value === undefined ? undefined : expiryOf(value);
    const now = clock.now();
    const until =
      expiry === undefined
        ? now + TOKEN_LIFE_MS
        : Math.max(now + LEAST_LIFE_MS, expiry - LEAST_LIFE_MS);
    this.#tokens.set(username, { value, until });
    return value;
  }
}

/** Digest and media type are missing from old tags. */
function readTag(entry: JsonObject): TagInfo[] {
  const name = textIn(entry.name);
  if (name === undefined) return [];
  const lastUpdatedOn = textIn(entry.tag_last_pushed) ?? textIn(entry.last_updated);
  return [{ name, digest: digestIn(entry.digest), lastUpdatedOn }];
}

function noCatalog(): RegistrySyncError {
  const message =
    'docker.io: Docker Hub lists the repositories of a namespace only: give --namespace NAME, or name them with --repositories-from FILE or --repository NAME';
  return new RegistrySyncError('USAGE', message);
}
