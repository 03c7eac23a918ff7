/**
 * A failed answer of a registry as an error of ours.
 *
 * Source: OCI Distribution 1.1, «Error Codes». Bodies of any other form are not quoted: what a
 * proxy says in HTML helps nobody, and could hold what we sent.
 */
import { RegistrySyncError, type ErrorCode } from '../base/errors.ts';
import { redactUrl } from '../base/redact.ts';
import { onOneLine, shown } from '../base/shown.ts';
import { isObject } from '../image/descriptor.ts';
import { readBody, type HttpRequest, type HttpResponse } from '../http/send.ts';

const MAX_ERROR_BYTES = 64 * 1024; // more than any registry's error, less than a problem
const MAX_SHOWN = 300;

interface OciError {
  readonly code: string;
  readonly message: string;
  /** The digest that the error is about, where the registry says it. */
  readonly digest?: string;
}

/** Reads the body and says what the answer to `request` means. `what` is for people: `manifest a/b:1`. */
export async function responseError(
  request: Pick<HttpRequest, 'method' | 'url'>,
  response: HttpResponse,
  what: string,
): Promise<RegistrySyncError> {
  const errors = await readErrors(response);
  const { status } = response;
  const codes = errors.map(({ code }) => code).join(' ');
  const missing = errors
    .filter(({ code }) => /^(MANIFEST_BLOB|MANIFEST|BLOB)_UNKNOWN$/.test(code))
    .map(({ digest }) => digest ?? '')
    .join(' ');
  const said = errors.map(({ code, message }) => `${code} ${message}`.trim()).join('; ');
  const quoted = said === '' ? '' : `, ${shown(said, MAX_SHOWN)}`;
  return new RegistrySyncError(
    codeOf(status),
    `${what}: ${meaningOf(status, codes)} (${status}${quoted})`,
    {
      details: {
        method: request.method,
        url: redactUrl(request.url),
        status,
        ...(codes === '' ? {} : { codes }),
        ...(errors.some(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN') ? { missing } : {}),
      },
    },
  );
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'UNAUTHORIZED';
  if (status === 404) return 'NOT_FOUND';
  if (status === 429) return 'RATE_LIMITED';
  if (status >= 500 || status === 408) return 'UNAVAILABLE';
  return status >= 400 ? 'REJECTED' : 'PROTOCOL';
}

/** What a code means beyond its status. Source: https://aka.ms/acr/faq for Azure's. */
const MEANINGS: Readonly<Record<string, string>> = {
  REGISTRY_DISALLOWED_OPERATION:
    'refused for good: the image, its repository or the registry is locked, or its storage is full (see az acr repository show)',
};

function meaningOf(status: number, codes: string): string {
  const known = codes.split(' ').find((code) => Object.hasOwn(MEANINGS, code));
  if (known !== undefined) return MEANINGS[known] ?? '';
  switch (codeOf(status)) {
    case 'UNAUTHORIZED':
      // The first words are what scripts look for.
      return status === 401
        ? 'unauthorized: authentication required: credentials are missing or refused'
        : 'access is denied';
    case 'NOT_FOUND':
      return 'not found';
    case 'RATE_LIMITED':
      return 'too many requests, even after waiting';
    case 'UNAVAILABLE':
      return 'the registry fails, even after waiting';
    case 'REJECTED':
      return 'refused';
    default:
      return 'unexpected answer';
  }
}

async function readErrors(response: HttpResponse): Promise<OciError[]> {
  try {
    const bytes = await readBody(response, MAX_ERROR_BYTES, 'error');
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    const errors = (json as { errors?: unknown } | null)?.errors;
    return Array.isArray(errors) ? errors.map(readError) : [];
  } catch {
    return []; // no body, or not of the specified form: the status says what is known
  }
}

function readError(value: unknown): OciError {
  const { code, message, detail } = (value ?? {}) as Record<string, unknown>;
  // docker-registry writes the digest itself as the detail, others an object around it.
  const digest = isObject(detail) ? detail.digest : detail;
  return {
    code: printable(code),
    message: printable(message),
    ...(typeof digest === 'string' ? { digest } : {}),
  };
}

/** A server's words on one line, without what could steer a terminal. */
function printable(value: unknown): string {
  return typeof value === 'string' ? onOneLine(value) : '';
}
