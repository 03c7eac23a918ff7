/**
 * Plays requests recorded against a real Azure Container Registry to an emulated one.
 *
 * Source: the format of Azure's test proxy.
 */
import { digestOf } from '../registry/store.ts';
import type { Acr } from './acr.ts';

/** One recorded request with its answer. Bodies are base64, JSON, or a form. */
export interface Entry {
  readonly RequestUri: string;
  readonly RequestMethod: string;
  readonly RequestHeaders: Readonly<Record<string, string>>;
  readonly RequestBody: unknown;
  readonly StatusCode: number;
  readonly ResponseHeaders: Readonly<Record<string, string | string[]>>;
  readonly ResponseBody: unknown;
}

/** What the emulator says instead. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** What the registry called itself, and its emulator has to. */
export const NAME = 'myregistry.azurecr.io';
/** The token of Entra ID that stands for whatever was recorded. */
export const AAD_TOKEN = 'aad-token';

/** Plays the recorded requests, each with the tokens and the uploads of this run. */
export class Replay {
  readonly #acr: Acr;
  #token: string | undefined;
  #refresh = '';
  readonly #locations: string[] = [];
  /** Digests of manifests as they are written here, by the recorded ones. */
  readonly #digests = new Map<string, string>();

  constructor(acr: Acr) {
    this.#acr = acr;
  }

  async ask(entry: Entry): Promise<Answer> {
    const url = new URL(entry.RequestUri);
    this.#learnDigest(entry);
    const path = this.#pathOf(url);
    const isAuthorized = 'Authorization' in entry.RequestHeaders;
    const response = await fetch(new URL(path, this.#acr.url), {
      redirect: 'manual',
      method: entry.RequestMethod,
      headers: this.#headersOf(entry, isAuthorized),
      ...this.#bodyOf(entry),
    });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    const body: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
    this.#remember(body, response);
    return { status: response.status, headers: response.headers, body };
  }

  /** The newest Location stands for whatever was recorded. */
  #pathOf(url: URL): string {
    if (!url.searchParams.has('_state')) {
      const recorded = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf('/') + 1));
      const own = this.#digests.get(recorded);
      const pathname = own === undefined ? url.pathname : url.pathname.replace(/[^/]*$/, own);
      return `${pathname}${url.search}`;
    }
    const digest = url.searchParams.get('digest');
    const location = this.#locations.at(-1) ?? '';
    return digest === null ? location : `${location}&digest=${digest}`;
  }

  /** A manifest that is put was written with other white space. */
  #learnDigest({ RequestMethod: method, RequestUri: uri, RequestBody: body }: Entry): void {
    const [, recorded] = /\/manifests\/(sha256:\w+)$/.exec(decodeURIComponent(uri)) ?? [];
    if (method !== 'PUT' || recorded === undefined || typeof body !== 'object') return;
    this.#digests.set(recorded, digestOf(JSON.stringify(body)));
  }

  #headersOf(entry: Entry, isAuthorized: boolean): Record<string, string> {
    const { 'Content-Type': type, Accept: accept } = entry.RequestHeaders;
    const id = entry.RequestHeaders['x-ms-client-request-id'];
    return {
      ...(type !== undefined && { 'content-type': type }),
      ...(accept !== undefined && { accept }),
      ...(id !== undefined && { 'x-ms-client-request-id': id }),
      ...(isAuthorized && this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
    };
  }

  #bodyOf({ RequestBody: body, RequestUri: uri }: Entry): {
    body?: string | Uint8Array<ArrayBuffer>;
  } {
    if (body === null || body === undefined) return {};
    if (typeof body !== 'string') return { body: JSON.stringify(body) };
    if (!uri.includes('/oauth2/')) {
      return { body: new Uint8Array(Buffer.from(body, 'base64')) };
    }
    const form = new URLSearchParams(body);
    form.set('service', NAME);
    if (form.get('access_token')) form.set('access_token', AAD_TOKEN);
    if (form.get('refresh_token')) form.set('refresh_token', this.#refresh);
    return { body: form.toString() };
  }

  #remember(body: unknown, response: Response): void {
    const { access_token: access, refresh_token: refresh } = (body ?? {}) as Record<string, string>;
    this.#token = access ?? this.#token;
    this.#refresh = refresh ?? this.#refresh;
    const location = response.headers.get('location');
    if (location !== null && location.includes('_state=')) this.#locations.push(location);
  }
}
