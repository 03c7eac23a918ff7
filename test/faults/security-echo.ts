/**
 * A registry that fails in all kinds of ways, one per repository, and says back all that it was sent:
 * in errors, media types, digests, in pages of HTML, in signed links.
 */
import { image } from '../support/images.ts';
import { readBasic } from '../support/registry/auth.ts';
import { listen, type Exchange, type Listener } from '../support/registry/listener.ts';
import { json, type Reply } from '../support/registry/reply.ts';

/** What it gives for a token, when it takes what it is shown. */
export const ACCESS = 'access-token-of-the-registry-0123456789';
/** In each link to another place. */
export const SIGNATURE = 'c2lnbmF0dXJl-of-storage-0123456789';

/** How it asks who is there. */
export type Scheme = 'basic' | 'bearer' | 'bearer that is refused';

const WEB = image({ seed: 'web' });

/** All that was sent, as a server would put it into its answer. */
function echo({ method, url, headers }: Exchange, form: string): string {
  const basic = readBasic(headers.authorization);
  const decoded = basic === undefined ? '' : `${basic.name}:${basic.password}`;
  const [, encoded = ''] = (headers.authorization ?? '').split(' ');
  return [method, url.href, headers.authorization, encoded, decoded, basic?.password, form].join(
    ' | ',
  );
}

const complaint = (status: number, text: string): Reply =>
  json(status, { errors: [{ code: 'DENIED', message: text, detail: text }] });
const redirect = (location: string): Reply => ({ status: 307, headers: { Location: location } });
const signed = (origin: string): string =>
  `${origin}/blob?X-Amz-Signature=${SIGNATURE}&sig=${SIGNATURE}#${SIGNATURE}`;
const manifest = (content: object): Reply => {
  const body = Buffer.from(JSON.stringify(content));
  return { status: 200, headers: { 'Content-Type': WEB.root.mediaType }, body };
};

/** How a repository fails, by its name; `text` is all that was sent. */
const WAYS: Readonly<Record<string, (text: string, exchange: Exchange) => Reply>> = {
  'says-400': (text) => complaint(400, text),
  'says-401': (text) => complaint(401, text),
  'says-403': (text) => complaint(403, text),
  'says-404': (text) => complaint(404, text),
  'says-500': (text) => complaint(500, text),
  // Long errors are cut: here in the middle of the secret.
  'says-400-late': (_, exchange) => complaint(400, 'x'.repeat(278) + secretIn(exchange)),
  'says-400-later': (_, exchange) => complaint(400, 'x'.repeat(268) + secretIn(exchange)),
  'says-418-html': (text) => ({ status: 418, body: Buffer.from(`<html>${text}</html>`) }),
  'is-cut': (text) => ({ status: 200, body: Buffer.from(`{"layers":"${text}`) }),
  'is-its-type': (text) => manifest({ mediaType: text, layers: [] }),
  'is-its-size': (text) =>
    manifest({ layers: [{ mediaType: 'a/b', digest: WEB.root.digest, size: text }] }),
  'is-its-digest': (text) => manifest({ layers: [{ mediaType: 'a/b', digest: text, size: 1 }] }),
  'leads-to-403': (_, { url: { origin } }) => redirect(signed(`${origin}/storage/403`)),
  'leads-to-html': (_, { url: { origin } }) => redirect(signed(`${origin}/storage/html`)),
  'leads-to-nobody': () => redirect(signed('http://127.0.0.1:9')),
  'leads-to-tls': (_, { url: { origin } }) => redirect(signed(origin.replace('http:', 'https:'))),
  'leads-in-circles': (_, { url: { origin } }) =>
    redirect(signed(`${origin}/v2/acme/leads-in-circles`)),
  'leads-to-ftp': () => redirect(`ftp://u:${SIGNATURE}@127.0.0.1/?sig=${SIGNATURE}`),
  'leads-with-password': () => redirect(`http://u:${SIGNATURE}@127.0.0.1:9/?sig=${SIGNATURE}`),
  'leads-to-no-url': () => redirect(`http://[${SIGNATURE}`),
  'asks-elsewhere': (text) => ({
    status: 401,
    headers: {
      'WWW-Authenticate': `Bearer realm="http://evil.test/?t=${encodeURIComponent(text)}"`,
    },
  }),
  'asks-oddly': () => ({ status: 401, headers: { 'WWW-Authenticate': `"${SIGNATURE}"` } }),
};
/** The password or token alone, as a server would find it in what it was sent. */
function secretIn({ headers }: Exchange): string {
  const [, encoded = ''] = (headers.authorization ?? '').split(' ');
  return readBasic(headers.authorization)?.password ?? encoded;
}

/** How the target fails, by the repository's name; the source is well then. */
const PUTS: Readonly<Record<string, (text: string, exchange: Exchange) => Reply>> = {
  'put-says-400': (text) => complaint(400, text),
  'put-says-500': (text) => complaint(500, text),
  'put-leads-to-403': (text, { method, url }) =>
    method === 'POST'
      ? { status: 202, headers: { Location: signed(`${url.origin}/v2/acme/to/put-leads-to-403`) } }
      : complaint(403, text),
  'put-leads-to-nobody': () => ({
    status: 202,
    headers: { Location: signed('http://127.0.0.1:9') },
  }),
  'put-leads-to-no-url': () => ({ status: 202, headers: { Location: `http://[${SIGNATURE}` } }),
};
/** Rows of tags.csv: each fails in its own way when it is synced to the namespace `acme/to`. */
export const ROWS = [...Object.keys(WAYS), ...Object.keys(PUTS)].map((name) => `acme,${name},1,,,`);

/** Starts it; it asks in the way that `scheme` says at the time. */
export function startEcho(scheme: () => Scheme): Promise<Listener> {
  return listen(async (exchange) => {
    const chunks: Buffer[] = [];
    for await (const chunk of exchange.body) chunks.push(chunk);
    const text = echo(exchange, Buffer.concat(chunks).toString().slice(0, 2000));
    const { pathname } = exchange.url;
    if (pathname === '/token') {
      return scheme() === 'bearer' ? json(200, { token: ACCESS }) : complaint(401, text);
    }
    if (pathname.startsWith('/storage')) {
      const shown = pathname.startsWith('/storage/html') ? text : `<Error>${text}</Error>`;
      return { status: 403, body: Buffer.from(shown) };
    }
    if (exchange.headers.authorization === undefined) return challenge(exchange, scheme());
    return answer(exchange, text);
  });
}

function challenge({ url }: Exchange, scheme: Scheme): Reply {
  const bearer = `Bearer realm="${new URL('/token', url).href}",service="x"`;
  const asked = scheme === 'basic' ? 'Basic realm="x"' : bearer;
  return { status: 401, headers: { 'WWW-Authenticate': asked } };
}

function answer(exchange: Exchange, text: string): Reply {
  const { method, url } = exchange;
  const [, put] = /\/(put-[\w-]+)\//.exec(url.pathname) ?? [];
  if (put !== undefined) return putAnswer(put, text, exchange);
  if (method === 'HEAD' && url.pathname.includes('/to/')) return { status: 404 };
  const [, name = ''] = /^\/v2\/acme\/([\w-]+)/.exec(url.pathname) ?? [];
  return WAYS[name]?.(text, exchange) ?? json(200, {});
}

/** The answer about a repository that only the target fails for. */
function putAnswer(name: string, text: string, exchange: Exchange): Reply {
  const { method, url } = exchange;
  if (url.pathname.includes('/to/')) {
    return method === 'HEAD' ? { status: 404 } : (PUTS[name]?.(text, exchange) ?? { status: 404 });
  }
  const content = [WEB.root, ...WEB.blobs].find(({ digest }) => url.pathname.endsWith(digest));
  if (content === undefined && !url.pathname.includes('/manifests/')) return { status: 404 };
  const { mediaType, bytes } = content ?? WEB.root;
  return { status: 200, headers: { 'Content-Type': mediaType }, body: bytes };
}
